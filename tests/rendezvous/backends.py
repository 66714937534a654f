"""The registries of a server, to run the same tests over: in memory, in a file, in Redis.

Each answers at once and goes by the test's clock.
"""

from p2pchat.rendezvous.limits import DEFAULT_LIMITS, make_limiter
from p2pchat.rendezvous.redis_limiter import RedisLimiter
from p2pchat.rendezvous.redis_registry import RedisRegistry
from p2pchat.rendezvous.registry import MemoryRegistry
from p2pchat.rendezvous.sqlite_registry import SqliteRegistry
from tests.rendezvous.at_once import result_of
from tests.rendezvous.redis_server import BlockingClient, RedisServer
from tests.store.inline import InlinePool, InlineReactor
from tests.temporary import temporary_path

BOUNDS = {"max_entries": 1000, "max_per_ip": 1000}


class MemoryBackend:
    """Nothing outlives it."""

    def __init__(self, case):
        pass

    def begin(self, clock, **bounds):
        """Make a registry in which nobody is registered, and open it."""
        return MemoryRegistry(clock.seconds, **BOUNDS | bounds)

    def restart(self, registry):
        """Close a registry, and open one that goes on with what that had."""
        return registry

    def limiter(self, clock):
        """Make a rate limit by the protocol's rule."""
        return make_limiter(clock.seconds, DEFAULT_LIMITS)


class SqliteBackend(MemoryBackend):
    """A file is gone with the test."""

    def __init__(self, case):
        self._path = temporary_path(case)
        self._registry = None
        self._begun = None
        case.addCleanup(self._close)

    def begin(self, clock, **bounds):
        if (clock, bounds) == self._begun:
            # as good as a new one, for which the disk would have to be waited for
            for peer in result_of(self._registry.find(None)).peers:
                result_of(self._registry.unregister(peer.ip, peer.namespace, None, None))
            return self._registry
        self._close()
        self._path.unlink(missing_ok=True)
        self._begun = clock, bounds
        self._clock = clock
        self._bounds = BOUNDS | bounds
        return self._open()

    def restart(self, registry):
        self._close()
        return self._open()

    def _open(self):
        self._registry = SqliteRegistry(
            *(InlineReactor(), InlinePool(), self._path),
            seconds=self._clock.seconds,
            # when it was is no matter, for all goes by the same clock
            wall_clock=lambda: 1_800_000_000 + self._clock.seconds(),
            notify=self._fail,
            **self._bounds,
        )
        result_of(self._registry.open())
        return self._registry

    def _fail(self, level, text):
        raise AssertionError(text)

    def _close(self):
        if self._registry is not None:
            result_of(self._registry.close())
            self._registry = None


class RedisBackend:
    """A server is gone with the test."""

    def __init__(self, case):
        self.server = RedisServer(case)
        self.client = BlockingClient(self.server.port)
        result_of(self.client.open())
        case.addCleanup(lambda: result_of(self.client.close()))

    def begin(self, clock, **bounds):
        self.server.ask("FLUSHALL")
        self._clock = clock
        self._bounds = BOUNDS | bounds
        return self.another()

    def restart(self, registry):
        return self.another()

    def another(self, **bounds):
        """Make another registry on the same server."""
        clock, bounds = self._clock, self._bounds | bounds
        return RedisRegistry(self.client, clock.seconds, redis_time=clock.seconds, **bounds)

    def limiter(self, clock):
        limits = DEFAULT_LIMITS
        return RedisLimiter(
            clock,
            self.client,
            make_limiter(clock.seconds, limits),
            limit=limits.rate_limit,
            span=limits.rate_window,
            block_time=limits.block_time,
            max_sources=limits.max_sources,
            redis_time=clock.seconds,
        )

"""Where a rendezvous server keeps who is registered and how often who connects.

memory                                  gone with the process
sqlite:FILE                             outlives the process
redis://[:PASSWORD@]HOST[:PORT][/DB]    shared by any number of servers
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

from twisted.python.threadpool import ThreadPool

from p2pchat.errors import ConfigError
from p2pchat.events import Level
from p2pchat.rendezvous.limits import Limiter, ServerLimits, make_limiter
from p2pchat.rendezvous.redis_client import RedisClient
from p2pchat.rendezvous.redis_limiter import RedisLimiter
from p2pchat.rendezvous.redis_place import parse_redis_place
from p2pchat.rendezvous.redis_registry import RedisRegistry
from p2pchat.rendezvous.registry import MemoryRegistry, Registry
from p2pchat.rendezvous.sqlite_registry import SqliteRegistry
from p2pchat.rendezvous.steady import Steady

#: How many registrations a service keeps, in all and of one IP.
MAX_ENTRIES = 200_000
MAX_PER_IP = 10_000

Notify = Callable[[Level, str], None]


class _Bounds(TypedDict):
    max_entries: int
    max_per_ip: int


class Backend(NamedTuple):
    """What a server asks; the registry is opened first and closed last."""

    registry: Registry
    limiter: Limiter


def make_backend(
    location: str,
    reactor: Any,
    limits: ServerLimits,
    wall_clock: Callable[[], float],
    notify: Notify,
    *,
    max_entries: int = MAX_ENTRIES,
    max_per_ip: int = MAX_PER_IP,
) -> Backend:
    """Make what `location` names; nothing of it is open yet.

    `wall_clock` tells the seconds since 1970. `notify` hears, once per change, of a disk that fails
    and of a Redis that is away. Raises ConfigError.
    """
    bounds = _Bounds(max_entries=max_entries, max_per_ip=max_per_ip)
    if location == "memory":
        registry: Registry = MemoryRegistry(Steady(reactor.seconds), **bounds)
        return Backend(registry, make_limiter(reactor.seconds, limits))
    if location.startswith("sqlite:"):
        path = _database(location.removeprefix("sqlite:"))
        registry = _sqlite(path, reactor, wall_clock, notify, bounds)
        return Backend(registry, make_limiter(reactor.seconds, limits))
    if location.startswith("redis:"):
        client = RedisClient(reactor, parse_redis_place(location), notify)
        registry = RedisRegistry(client, reactor.seconds, **bounds)
        return Backend(registry, _redis_limiter(reactor, client, limits))
    # what is behind the colon may be a secret
    kind = location.partition(":")[0]
    raise ConfigError(f"registry: expected memory, sqlite:FILE or redis://HOST, got {kind!r:.100}")


def _database(file: str) -> Path:
    path = Path(file).absolute()
    if not file or path.is_dir() or not path.parent.is_dir():
        raise ConfigError(f"registry: expected sqlite:FILE in a folder that is there, got {file!r}")
    return path


def _sqlite(
    path: Path,
    reactor: Any,
    wall_clock: Callable[[], float],
    notify: Notify,
    bounds: _Bounds,
) -> SqliteRegistry:
    return SqliteRegistry(
        reactor,
        ThreadPool(minthreads=0, maxthreads=1, name="registry"),
        path,
        seconds=Steady(reactor.seconds),
        wall_clock=wall_clock,
        notify=notify,
        **bounds,
    )


def _redis_limiter(reactor: Any, client: RedisClient, limits: ServerLimits) -> RedisLimiter:
    return RedisLimiter(
        reactor,
        client,
        make_limiter(reactor.seconds, limits),
        limit=limits.rate_limit,
        span=limits.rate_window,
        block_time=limits.block_time,
        max_sources=limits.max_sources,
    )

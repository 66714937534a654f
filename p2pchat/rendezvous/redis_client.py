"""A connection to Redis that comes back by itself, and scripts run on it in bounded time."""

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, TimeoutError, succeed
from twisted.internet.interfaces import IAddress, IConnector
from twisted.internet.protocol import ReconnectingClientFactory, connectionDone
from twisted.python.failure import Failure

from p2pchat.errors import P2PChatError
from p2pchat.events import Level
from p2pchat.rendezvous.reactor import NetworkReactor
from p2pchat.rendezvous.redis_place import RedisPlace
from p2pchat.rendezvous.redis_wire import RedisLibrary, Wire
from p2pchat.rendezvous.trouble import Trouble

#: Seconds in which Redis must take a connection and be ready, and answer a script.
REPLY_TIME = 1.0

#: Seconds that it may go on saying nothing, after that, until its connection is given up.
HANG_TIME = 3.0

#: Seconds between two attempts to connect: at first, and at most.
RETRY_TIME = 0.25
MAX_RETRY_TIME = 2

#: What is said of a Redis whose connection was given up.
SILENT = "it does not answer"


class RedisAwayError(P2PChatError):
    """Redis cannot be reached, did not answer in time, or refused; trying again later may help."""


class RedisClient:
    """Runs scripts on the Redis at `place`; `notify` hears when it goes and when it is back.

    While it is away nothing waits for it: that would be without end, and in vain.
    """

    def __init__(
        self,
        reactor: NetworkReactor,
        place: RedisPlace,
        notify: Callable[[Level, str], None],
    ) -> None:
        self._reactor = reactor
        self._place = place
        self._library = RedisLibrary()
        self._factory: _Factory | None = None
        self._wire: Wire | None = None
        self._opening: Deferred[None] | None = None
        self._away = Trouble(notify, f"Redis at {place} is away", f"Redis at {place} is back")
        self._refused = Trouble(
            notify, f"Redis at {place} refuses", f"Redis at {place} does its work again"
        )
        # What it refused and has not done since; there are a handful of scripts.
        self._refusing: set[bytes] = set()

    def open(self) -> "Deferred[None]":
        """Begin to connect; fires when that succeeded, or failed the first time."""
        opening = self._opening = Deferred()
        self._factory = _Factory(self._reactor, self._library, self)
        self._reactor.connectTCP(
            self._place.host, self._place.port, self._factory, timeout=REPLY_TIME
        )
        return opening

    def close(self) -> "Deferred[None]":
        """End the connection, and what waits for an answer on it."""
        factory, self._factory = self._factory, None
        return succeed(None) if factory is None else factory.end()

    async def run(self, script: bytes, keys: Sequence[bytes], *arguments: bytes | int) -> Any:
        """Run a script and return the bytes or the integer that it does; RedisAwayError."""
        wire = self._wire
        if wire is None or not wire.connected:
            raise RedisAwayError(f"Redis at {self._place} is away")
        args = [value if isinstance(value, bytes) else b"%d" % value for value in arguments]
        answer = wire.eval(script, keys, args).addTimeout(REPLY_TIME, self._reactor)
        try:
            result = await answer
        except TimeoutError as error:
            self._doubt(wire)
            raise RedisAwayError(f"Redis at {self._place} is slow") from error
        except Exception as error:  # the library's errors have no base of their own: it tells them
            if not self._library.is_failure(error):
                raise
            self._failed(script, error)
            raise RedisAwayError(str(error)) from error
        self._done(script)
        return result

    def ready(self, wire: Wire) -> None:
        """A connection stands and Redis answers on it."""
        self._wire = wire
        self._away.worked()
        self._opened()

    def lost(self, why: str) -> None:
        """There is no connection any more, or still none."""
        self._wire = None
        if self._factory is not None:
            self._away.failed(why)
        self._opened()

    async def prepare(self, wire: Wire) -> None:
        """Make a new connection ready, or raise."""
        wire.transport.setTcpNoDelay(True)
        wire.transport.setTcpKeepAlive(True)
        place = self._place
        if place.password:
            words = [place.user, place.password] if place.user else [place.password]
            await wire.execute_command(b"AUTH", *(word.encode() for word in words))
        await wire.execute_command(b"SELECT", b"%d" % place.database)
        # that it refuses while it still loads what it kept
        await wire.execute_command(b"PING")

    def _doubt(self, wire: Wire) -> None:
        """An answer is late: ask nothing more on this connection until all before has come."""
        if wire is not self._wire:
            return
        self._wire = None
        ping = wire.execute_command(b"PING").addTimeout(HANG_TIME, self._reactor)
        ping.addCallbacks(lambda _: self.ready(wire), lambda _: self._give_up(wire))

    def _give_up(self, wire: Wire) -> None:
        if self._factory is not None:
            self._factory.give_up(wire, SILENT)

    def _failed(self, script: bytes, error: Exception) -> None:
        if self._library.is_refusal(error):
            self._refusing.add(script)
            self._refused.failed(str(error))

    def _done(self, script: bytes) -> None:
        if script in self._refusing:
            self._refusing.remove(script)
            if not self._refusing:
                self._refused.worked()

    def _opened(self) -> None:
        opening, self._opening = self._opening, None
        if opening is not None:
            opening.callback(None)


class _Factory(ReconnectingClientFactory):
    """Connects, again and again until end()."""

    noisy = False
    initialDelay = RETRY_TIME
    maxDelay = MAX_RETRY_TIME
    factor = 2.0
    jitter = 0.0

    clock: Any

    def __init__(self, reactor: NetworkReactor, library: RedisLibrary, client: RedisClient) -> None:
        self.clock = reactor
        self.delay = self.initialDelay
        self._library = library
        self._client = client
        self._why = ""
        self._connector: Any = None
        self._ended: Deferred[None] | None = None

    def startedConnecting(self, connector: IConnector) -> None:
        self._connector = connector

    def buildProtocol(self, addr: IAddress | None) -> Any:
        wire = self._library.wire()
        wire.factory = self
        wire.callLater = self.clock.callLater
        wire.whenConnected().addCallback(lambda _: self._connected(wire))
        return wire

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        self._lost(connector, reason)
        ReconnectingClientFactory.clientConnectionFailed(self, connector, reason)

    def clientConnectionLost(
        self, connector: IConnector, unused_reason: Failure = connectionDone
    ) -> None:
        self._lost(connector, unused_reason)
        ReconnectingClientFactory.clientConnectionLost(self, connector, unused_reason)

    def give_up(self, wire: Wire, why: str) -> None:
        """End a connection that is of no use, and tell this reason for it."""
        self._why = why
        wire.transport.abortConnection()

    def end(self) -> "Deferred[None]":
        """Connect no more; fires when the connection is gone."""
        self.stopTrying()
        connector = self._connector
        if connector is None or connector.state == "disconnected":
            return succeed(None)
        ended: Deferred[None] = Deferred()
        self._ended = ended
        if connector.state == "connected":
            connector.transport.abortConnection()
        else:
            connector.stopConnecting()
        return ended

    def _connected(self, wire: Wire) -> None:
        preparing = Deferred.fromCoroutine(self._client.prepare(wire))
        preparing.addTimeout(REPLY_TIME, self.clock)
        preparing.addCallbacks(lambda _: self._ready(wire), lambda why: self._unusable(wire, why))

    def _ready(self, wire: Wire) -> None:
        if self._ended is None:
            self.resetDelay()
            self._client.ready(wire)

    def _unusable(self, wire: Wire, why: Failure) -> None:
        self.give_up(wire, SILENT if why.check(TimeoutError) else why.getErrorMessage())

    def _lost(self, connector: IConnector, reason: Failure) -> None:
        self._client.lost(self._why or reason.getErrorMessage())
        self._why = ""
        ended, self._ended = self._ended, None
        if ended is not None:
            ended.callback(None)

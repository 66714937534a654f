"""A rendezvous server: one request a connection, one line in, one line out.

See docs/protocols.md, section 1. A connection goes through

    reading      until a newline, the end of the stream, too many bytes or the request's deadline
    answering    the registry is asked
    closing      the reply is written; the client has a deadline to take it

and each part ends by itself, so that clients who drip, stall or do not read hold nothing for long.
"""

from collections.abc import Callable

import msgspec
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IHalfCloseableProtocol,
    IReactorTime,
    ITCPTransport,
)
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from p2pchat.rendezvous import replies
from p2pchat.rendezvous.answering import Asker, answer
from p2pchat.rendezvous.limits import RateLimiter
from p2pchat.rendezvous.registry import Registry


class ServerLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of a server; times in seconds, the defaults those of the protocol where it has one.

    `request_time` is for a whole request, `reply_time` for the client to take the whole reply, and
    `linger_time` for it to take a reply that it got while it was still sending. `max_sources` is of
    how many IPs the server remembers how often they came.
    """

    line_length: int = 32768
    request_time: float = 5.0
    reply_time: float = 10.0
    linger_time: float = 2.0
    rate_limit: int = 50
    rate_window: float = 60.0
    block_time: float = 60.0
    max_sources: int = 10_000
    max_connections: int = 512
    max_connections_per_ip: int = 64


DEFAULT_LIMITS = ServerLimits()


@implementer(IHalfCloseableProtocol)
class RendezvousProtocol(Protocol):
    """One connection of a client; with a `refusal`, that is written and nothing is read."""

    transport: ITCPTransport
    log = Logger()

    def __init__(self, owner: "RendezvousFactory", ip: str, refusal: bytes | None) -> None:
        self._owner = owner
        self.ip = ip
        self._refusal = refusal
        self._received = bytearray()
        self._reading = True
        self._deadline: IDelayedCall | None = None
        self._answering: Deferred[bytes] | None = None

    def connectionMade(self) -> None:
        if self._refusal is not None:
            self._refuse(self._refusal)
        else:
            self._set_deadline(self._owner.limits.request_time, self._too_late)

    def dataReceived(self, data: bytes) -> None:
        if not self._reading:
            return  # it was answered, and has not noticed yet
        self._received += data
        limit = self._owner.limits.line_length
        if len(self._received) > limit:
            self._refuse(replies.line_too_long(limit))
        elif b"\n" in data:
            self._answer()

    def readConnectionLost(self) -> None:  # noqa: N802  IHalfCloseableProtocol's name
        """The client sends no more: what it sent is its request."""
        if self._reading:
            self._answer()
        elif self._answering is None:
            self.transport.loseConnection()

    def writeConnectionLost(self) -> None:  # noqa: N802  IHalfCloseableProtocol's name
        """The reply is on its way."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._reading = False
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if self._answering is not None:
            self._answering.cancel()
        self._owner.closed(self)

    def _answer(self) -> None:
        self._reading = False
        self._set_deadline(self._owner.limits.reply_time, self._abort)
        line = bytes(self._received).partition(b"\n")[0]
        asker = Asker(self.ip, _plain(self.transport.getHost().host))
        self._answering = Deferred.fromCoroutine(answer(self._owner.registry, line, asker))
        self._answering.addCallbacks(self._reply, self._broken)

    def _reply(self, line: bytes) -> None:
        self._answering = None
        self.transport.write(line)
        self.transport.loseConnection()

    def _broken(self, failure: Failure) -> None:
        self._answering = None
        if failure.check(CancelledError) is None:
            self.log.failure("[Rendezvous] no answer for {ip}", failure, ip=self.ip)
            self.transport.loseConnection()

    def _too_late(self) -> None:
        self._deadline = None
        self._refuse(replies.too_late())

    def _refuse(self, line: bytes) -> None:
        # Closing while the client is still sending would reset the connection, and the reply might
        # be lost with it: so only our side ends, and the client is read and ignored for a while.
        self._reading = False
        self._set_deadline(self._owner.limits.linger_time, self._abort)
        if line:
            self.transport.write(line)
        self.transport.loseWriteConnection()

    def _set_deadline(self, seconds: float, expired: Callable[[], None]) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self._owner.clock.callLater(seconds, expired)

    def _abort(self) -> None:
        self._deadline = None
        self.transport.abortConnection()


class RendezvousFactory(ServerFactory):
    """Takes connections for a registry, within limits; those beyond them are dropped."""

    noisy = False
    log = Logger()

    def __init__(
        self, clock: IReactorTime, registry: Registry, limits: ServerLimits = DEFAULT_LIMITS
    ) -> None:
        self.clock = clock
        self.registry = registry
        self.limits = limits
        self._open: dict[str, set[RendezvousProtocol]] = {}
        self._connections = 0
        self._rates = RateLimiter(
            clock.seconds,
            limit=limits.rate_limit,
            span=limits.rate_window,
            block_time=limits.block_time,
            max_sources=limits.max_sources,
        )

    def buildProtocol(self, addr: IAddress | None) -> RendezvousProtocol | None:
        ip = _plain(getattr(addr, "host", ""))
        refusal = self._refusal(ip, getattr(addr, "port", 0))
        if not self._has_room(ip):
            self.log.debug("[Rendezvous] too many connections, {ip} turned away", ip=ip)
            return None
        protocol = RendezvousProtocol(self, ip, refusal)
        self._open.setdefault(ip, set()).add(protocol)
        self._connections += 1
        return protocol

    def _refusal(self, ip: str, port: int) -> bytes | None:
        verdict = self._rates.judge(ip)
        if verdict.admitted:
            return None
        if verdict.blocked_for > 0:
            return replies.blocked(ip, port, self.limits.rate_limit, verdict.blocked_for)
        self.log.warn("[Rendezvous] {ip} connects too often: blocked", ip=ip)
        return b""

    def _has_room(self, ip: str) -> bool:
        if self._connections >= self.limits.max_connections:
            return False
        return len(self._open.get(ip, ())) < self.limits.max_connections_per_ip

    def closed(self, protocol: RendezvousProtocol) -> None:
        """A connection is gone."""
        self._connections -= 1
        siblings = self._open[protocol.ip]
        siblings.discard(protocol)
        if not siblings:
            del self._open[protocol.ip]

    def stopFactory(self) -> None:  # noqa: N802  ServerFactory's name
        """Nobody listens any more: drop whoever is still connected."""
        for siblings in list(self._open.values()):
            for protocol in list(siblings):
                protocol.transport.abortConnection()


def _plain(host: str) -> str:
    # A socket for both families gives an IPv4 address as one of IPv6.
    mapped = host.removeprefix("::ffff:")
    return mapped if "." in mapped else host

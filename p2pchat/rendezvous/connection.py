"""One connection to a rendezvous server: one line in, one line out (docs/protocols.md, section 1).

A connection goes through

    reading      until a newline, the end of the stream, too many bytes or the request's deadline,
                 and until it is judged whether this IP connects too often
    answering    the registry is asked
    closing      the reply is written; the client has a deadline to take it

and each part ends by itself, so that clients who drip, stall or do not read hold nothing for long.
"""

from typing import Protocol as Interface

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IReactorTime,
    ITCPTransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from p2pchat.rendezvous import replies
from p2pchat.rendezvous.answering import Answer, Asker, answer, begin
from p2pchat.rendezvous.deadlines import Deadlines
from p2pchat.rendezvous.limits import Limiter, ServerLimits, Verdict
from p2pchat.rendezvous.messages import NO_KIND
from p2pchat.rendezvous.pieces import send_and_close
from p2pchat.rendezvous.registry import Registry
from p2pchat.rendezvous.tally import Tally


class Server(Interface):
    """What a connection has of the server that it belongs to."""

    clock: IReactorTime
    registry: Registry
    limits: ServerLimits
    limiter: Limiter
    tally: Tally
    # until the whole request has come, until its reply is taken, and until one to a request that is
    # still coming is
    request_deadlines: "Deadlines[RendezvousProtocol]"
    reply_deadlines: "Deadlines[RendezvousProtocol]"
    linger_deadlines: "Deadlines[RendezvousProtocol]"

    def refusal(self, ip: str, port: int, verdict: Verdict) -> bytes:
        """Return what a connection is told that comes too often; nothing the first time."""

    def answered(self, answer: Answer, since: float) -> None:
        """A request that was complete at `since` has its reply."""

    def closed(self, protocol: "RendezvousProtocol") -> None:
        """A connection is gone."""


@implementer(IHalfCloseableProtocol)
class RendezvousProtocol(Protocol):
    """One connection of a client; with a `reply` it has only to take the rest, from `sent` on."""

    transport: ITCPTransport
    log = Logger()

    def __init__(
        self, server: Server, ip: str, port: int, reached: str, reply: bytes = b"", sent: int = 0
    ) -> None:
        self._server = server
        self.ip = ip
        self._port = port
        self._reached = reached
        self._received = bytearray()
        self._reply_under_way = reply
        self._sent = sent
        self._reading = not reply
        self._complete = False
        self._admitted = False
        self._deadlines = server.request_deadlines
        self._completed_at = 0.0
        self._answering: Deferred[Answer] | None = None

    def connectionMade(self) -> None:
        if self._reply_under_way:
            self._set_deadline(self._server.reply_deadlines)
            send_and_close(self.transport, self._reply_under_way, self._sent)
            return
        self._deadlines.begin(self)
        self._server.limiter.judge(self.ip, self._judged)

    def dataReceived(self, data: bytes) -> None:
        if not self._reading or self._complete:
            return  # it was answered, and has not noticed yet
        # what stands behind the first newline does not count, in whichever read it comes
        end = data.find(b"\n") + 1
        self._received += data[:end] if end else data
        limit = self._server.limits.line_length
        if len(self._received) > limit:
            self._server.tally.requests[NO_KIND, "line_too_long"] += 1
            self._refuse(replies.line_too_long(limit))
        elif end:
            self._completed()

    def readConnectionLost(self) -> None:  # noqa: N802  IHalfCloseableProtocol's name
        """The client sends no more: what it sent is its request."""
        if self._reading and not self._complete:
            self._completed()
        elif not self._reading and self._answering is None:
            self.transport.loseConnection()

    def writeConnectionLost(self) -> None:  # noqa: N802  IHalfCloseableProtocol's name
        """The reply is on its way."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._reading = False
        self._deadlines.end(self)
        if self._answering is not None:
            self._answering.cancel()
        self._server.closed(self)

    def _judged(self, verdict: Verdict) -> None:
        if not self._reading:
            return  # it is too late, or gone
        if not verdict.admitted:
            self._refuse(self._server.refusal(self.ip, self._port, verdict))
        else:
            self._admitted = True
            if self._complete:
                self._answer()

    def give_up(self) -> None:
        """Hang up unless a whole request has come, which is answered yet."""
        if self._reading and not self._complete:
            self.transport.abortConnection()

    def _completed(self) -> None:
        self._complete = True
        self._completed_at = self._server.clock.seconds()
        if self._admitted:
            self._answer()

    def _answer(self) -> None:
        self._reading = False
        self._set_deadline(self._server.reply_deadlines)
        line = bytes(self._received).partition(b"\n")[0]
        asking = answer(self._server.registry, line, Asker(self.ip, self._own_address))
        try:
            # Most registries answer at once: that is a tenth faster without a Deferred.
            found = begin(asking)
        except Exception:  # noqa: BLE001  # whatever breaks must not cost more than this answer
            self._broken(Failure())
            return
        if found is not None:
            self._reply(found)
        else:
            # It waits, and waits on when it is asked again by whoever takes it over.
            self._answering = Deferred.fromCoroutine(asking)
            self._answering.addCallbacks(self._reply, self._broken)

    def _own_address(self) -> str:
        return self._reached or plain(self.transport.getHost().host)

    def _reply(self, answer: Answer) -> None:
        self._answering = None
        send_and_close(self.transport, answer.line)
        self._server.answered(answer, self._completed_at)

    def _broken(self, failure: Failure) -> None:
        self._answering = None
        if failure.check(CancelledError) is None:
            self._server.tally.failures += 1
            self.log.failure("[Rendezvous] no answer for {ip}", failure, ip=self.ip)
            self.transport.loseConnection()

    def _refuse(self, line: bytes) -> None:
        # Closing while the client is still sending would reset the connection, and the reply might
        # be lost with it: so only our side ends, and the client is read and ignored for a while.
        self._reading = False
        self._set_deadline(self._server.linger_deadlines)
        if line:
            self.transport.write(line)
        self.transport.loseWriteConnection()

    def _set_deadline(self, deadlines: "Deadlines[RendezvousProtocol]") -> None:
        self._deadlines.end(self)
        self._deadlines = deadlines
        deadlines.begin(self)

    def expired(self) -> None:
        """Its time for what it is at is over."""
        if self._reading:
            self._server.tally.requests[NO_KIND, "timeout"] += 1
            self._refuse(replies.too_late())
        else:
            self.transport.abortConnection()


def plain(host: str) -> str:
    """Write an address of IPv4 as such: a socket for both families gives it as one of IPv6."""
    return host[7:] if host.startswith("::ffff:") and "." in host else host

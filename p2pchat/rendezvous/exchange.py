"""One connection to a rendezvous server: a line out, a line in (docs/protocols.md, section 1)."""

from twisted.internet.defer import Deferred
from twisted.internet.error import TimeoutError as ConnectTimeoutError
from twisted.internet.interfaces import IAddress, IConnector, IDelayedCall, ITCPTransport
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.python.failure import Failure

from p2pchat.identity import Address
from p2pchat.rendezvous.errors import (
    NonsenseError,
    RendezvousError,
    ServerDownError,
    ServerSilentError,
    ServerSlowError,
)
from p2pchat.rendezvous.reactor import NetworkReactor

#: Seconds for a connection to come about, and for everything up to the end of the answer.
CONNECT_TIME = 5.0
TOTAL_TIME = 15.0

#: Longest answer that is read, in bytes: more than 100,000 peers.
MAX_ANSWER = 16 * 1024 * 1024


def exchange(
    reactor: NetworkReactor, server: Address, source: str | None, request: bytes
) -> Deferred[bytes]:
    """Send a request to a server and return the line that it answers, without its newline.

    Connects from the local address `source` if one is given. Fires when the connection is closed,
    with b"" if the server closed it without a byte; fails with ServerDownError, ServerSilentError,
    ServerSlowError or NonsenseError. Cancelling it drops the connection.
    """
    asking = _Exchange(reactor, request)
    asking.start(server, source)
    return asking.done


class _Exchange(ClientFactory):
    """Owns the connection, its deadline and the Deferred of its end."""

    noisy = False

    def __init__(self, reactor: NetworkReactor, request: bytes) -> None:
        self.request = request
        self.done: Deferred[bytes] = Deferred(self._cancel)
        self._reactor = reactor
        self._deadline: IDelayedCall | None = None
        self._connector: IConnector | None = None
        self._line: _Line | None = None
        self._error: RendezvousError | None = None
        self._cancelled = False

    def start(self, server: Address, source: str | None) -> None:
        self._deadline = self._reactor.callLater(TOTAL_TIME, self._too_late)
        self._connector = self._reactor.connectTCP(
            server.host,
            server.port,
            self,
            timeout=CONNECT_TIME,
            bindAddress=None if source is None else (source, 0),
        )

    def buildProtocol(self, addr: IAddress | None) -> "_Line":
        self._line = _Line(self)
        return self._line

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        self._finish(self._error or ServerDownError(_words(reason)))

    def clientConnectionLost(self, connector: IConnector, reason: Failure) -> None:
        # A server that has too much of us may close in a way that looks like a reset, so how the
        # connection ended tells nothing; what came before it does.
        received = b"" if self._line is None else self._line.take()
        self._finish(self._error or received)

    def too_long(self) -> None:
        self._error = NonsenseError(f"an answer of more than {MAX_ANSWER} bytes")
        self._drop()

    def _too_late(self) -> None:
        self._deadline = None
        answered = self._line is not None and self._line.received
        self._error = ServerSlowError() if answered else ServerSilentError()
        self._drop()

    def _cancel(self, _: Deferred[bytes]) -> None:
        self._cancelled = True
        self._drop()

    def _drop(self) -> None:
        if self._line is not None and self._line.transport is not None:
            self._line.transport.abortConnection()
        elif self._connector is not None:
            self._connector.disconnect()

    def _finish(self, outcome: bytes | RendezvousError) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if self._cancelled:
            return
        if isinstance(outcome, bytes):
            self.done.callback(outcome)
        else:
            self.done.errback(outcome)


class _Line(Protocol):
    """Collects bytes up to the first newline."""

    transport: ITCPTransport | None

    def __init__(self, owner: _Exchange) -> None:
        self.received = bytearray()
        self._owner = owner
        self._whole = False

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(self._owner.request)

    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        if self._whole:
            return
        self.received += data
        if len(self.received) > MAX_ANSWER:
            self._owner.too_long()
        elif b"\n" in data:
            self._whole = True
            self.transport.loseConnection()

    def take(self) -> bytes:
        """Return the line without its newline, and keep nothing: an answer may be megabytes."""
        received, self.received = self.received, bytearray()
        end = received.find(b"\n")
        return bytes(received if end < 0 else memoryview(received)[:end])

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.transport = None


def _words(reason: Failure) -> str:
    if reason.check(ConnectTimeoutError):
        return f"no connection within {CONNECT_TIME:.0f} seconds"
    return str(reason.value).rstrip(".")

"""A site that a few connections at a time may ask, each once, and in bounded time."""

from typing import Any

from twisted.internet.interfaces import IAddress, IReactorTime, ITransport
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.resource import IResource
from twisted.web.server import Request, Site

#: Connections at a time: whoever collects figures needs one.
MAX_CONNECTIONS = 16

#: Seconds from connecting until the answer is taken: whatever drips has no longer than that.
REQUEST_TIME = 30


class BoundedSite(ServerFactory):
    """Serves what is below `root`.

    Of MAX_CONNECTIONS the one that has asked nothing for longest makes room for the next; if all
    have asked, that one is turned away. All are dropped when it ends.
    """

    noisy = False

    def __init__(self, clock: IReactorTime, root: IResource) -> None:
        self._site = _QuietSite(root, requestFactory=_Bodiless, reactor=clock, timeout=None)
        self._connections = _Connections(clock, self._site)

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        return self._connections.buildProtocol(addr) if self._has_room() else None

    def startFactory(self) -> None:  # noqa: N802  Factory's name
        self._site.doStart()

    def stopFactory(self) -> None:  # noqa: N802  Factory's name
        for connection in list(self._connections.protocols):
            connection.abortConnection()
        self._site.doStop()

    def _has_room(self) -> bool:
        """Tell whether one more may come, after another one made room if need be."""
        if len(self._connections.protocols) < MAX_CONNECTIONS:
            return True
        first = next((one for one in self._connections.protocols if one.may_go), None)
        if first is not None:
            first.give_way()
        return first is not None


class _Bodiless(Request):
    """A request whose body nobody keeps: Twisted's goes to the disk, however long it is."""

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802  Request's name
        pass


class _OneRequest(HTTPChannel):
    """A connection for one request; `complete` when all of it is here."""

    complete = False

    def checkPersistence(self, request: Request, version: bytes) -> bool:  # noqa: N802  its name
        request.setHeader("connection", "close")
        return False

    def allContentReceived(self) -> None:  # noqa: N802  HTTPChannel's name
        self.complete = True
        HTTPChannel.allContentReceived(self)


class _QuietSite(Site):
    """A site that does not log who asks: that is the same program, every few seconds."""

    protocol: Any = _OneRequest
    noisy = False

    def log(self, request: object) -> None:
        pass


class _Connection(ProtocolWrapper):
    """Is cut when its time is over."""

    factory: "_Connections"
    wrappedProtocol: _OneRequest  # noqa: N815  ProtocolWrapper's name

    def makeConnection(self, transport: ITransport) -> None:  # noqa: N802  IProtocol's name
        ProtocolWrapper.makeConnection(self, transport)
        self._deadline = self.factory.clock.callLater(REQUEST_TIME, self.abortConnection)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._deadline.active():
            self._deadline.cancel()
        ProtocolWrapper.connectionLost(self, reason)

    @property
    def may_go(self) -> bool:
        """Whether it has asked nothing, and is not going already."""
        return self._deadline.active() and not self.wrappedProtocol.complete

    def give_way(self) -> None:
        """Be cut now."""
        self._deadline.cancel()
        self.abortConnection()


class _Connections(WrappingFactory[Any]):
    """All connections, in the order in which they came."""

    protocol = _Connection
    noisy = False

    def __init__(self, clock: IReactorTime, site: Site) -> None:
        WrappingFactory.__init__(self, site)
        self.clock = clock

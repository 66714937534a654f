"""One link to a peer of the archive on a transport (docs/protocols.md, 3).

Ties Framer and Outgoing to bytes and timers, and reports to its LinkOwner. Chats that have to be
verified stop the reading until that is done, so that a peer gets no further ahead of us than one
read, however fast it sends.
"""

import socket
from collections import deque
from contextlib import suppress
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.policies import TimeoutMixin
from twisted.python.failure import Failure

from p2pchat.archive.codec import (
    ARCHIVE_REQUEST,
    PEER_REQUEST,
    ArchiveSink,
    Framer,
    Type,
    identification,
    notification,
    peer_list,
)
from p2pchat.archive.incoming import Incoming
from p2pchat.archive.link import LinkOwner, LinkSettings
from p2pchat.archive.outgoing import Outgoing
from p2pchat.errors import RemoteProtocolError
from p2pchat.identity import Address


class ArchiveProtocol(Protocol, TimeoutMixin):
    """A link; implements p2pchat.archive.link.Link.

    `identify`: begin with 0x00 and our IPv4 address, as one program expects (3.4).
    """

    transport: Any

    def __init__(
        self,
        clock: IReactorTime,
        settings: LinkSettings,
        owner: LinkOwner,
        *,
        dialled: bool,
        identify: bool = False,
    ) -> None:
        self.host = ""
        self.dialled = dialled
        self.height: int | None = None
        self.spoke = False
        self.notifies = False
        self.heard = False  # at least one byte came
        self.proven = False
        self.remote = self.local = Address("", 0)
        self._clock = clock
        self._settings = settings
        self._owner = owner
        self._identify = identify
        self._framer = Framer(self, accepted=not dialled)
        self._arriving: Incoming | None = None
        self._unverified: deque[Incoming] = deque()
        self._reason = ""
        self._open = False

    @property
    def dropped(self) -> bool:
        """Whether it was us who closed it."""
        return bool(self._reason)

    @property
    def kept(self) -> int:
        waiting = sum(incoming.kept for incoming in self._unverified)
        if self._arriving is None or self._arriving in self._unverified:
            return waiting
        return waiting + self._arriving.kept

    # What an owner may ask (Link)

    def request_peers(self) -> None:
        self._outgoing.owe(Type.PEER_REQUEST, lambda: PEER_REQUEST)

    def request_archive(self) -> None:
        self._outgoing.owe(Type.ARCHIVE_REQUEST, lambda: ARCHIVE_REQUEST)

    def push(self) -> None:
        if self._owner.archive.height:
            self._outgoing.owe(Type.ARCHIVE_RESPONSE, lambda: self._owner.archive)

    def notify(self, text: str) -> None:
        if self.notifies:
            self._outgoing.owe(Type.NOTIFICATION, lambda: notification(text))

    def verify(self, size: int) -> bool:
        if self._open and self._unverified:
            incoming = self._unverified[0]
            if incoming.unverified:
                incoming.verify(size)
            if not incoming.unverified:
                self._unverified.popleft()
                if incoming.done or incoming.invalid is not None:
                    self._arrived(incoming)
        if not self._open or self._unverified:
            return self._open
        self.transport.resumeProducing()
        self._watch_progress()
        return False

    def drop(self, reason: str) -> None:
        if self._open:
            self._reason = reason
            self._close()
        # also if we left and wait for the last bytes to be taken
        self.transport.abortConnection()

    def leave(self) -> None:
        """Close the connection when what was handed to the transport is written."""
        if self._open:
            self._reason = "leaving"
            self._close()
            self.transport.loseConnection()

    # The transport reports (Protocol)

    def connectionMade(self) -> None:
        self._open = True
        self.remote = _address(self.transport.getPeer())
        self.local = _address(self.transport.getHost())
        self.host = self.remote.host
        self.transport.setTcpNoDelay(True)
        self.transport.setTcpKeepAlive(True)
        self._notice_dead_peer()
        timeout = self._settings.progress_timeout
        self._outgoing = Outgoing(
            self.transport, self._clock, timeout, lambda: self.drop("it reads nothing")
        )
        if self._identify and ":" not in self.local.host:
            self.transport.write(identification(self.local.host))
        self._owner.connected(self)

    def dataReceived(self, data: bytes) -> None:
        if not self._open:
            return
        self.heard = True
        try:
            self._framer.feed(data)
        except RemoteProtocolError as error:
            self._verify_rest()
            self.drop(str(error))
        if not self._open:
            return
        arriving = self._arriving
        if arriving is not None and arriving.unverified:
            self._queue(arriving)
        if self._unverified:
            self.setTimeout(None)
            self.transport.pauseProducing()
            self._owner.has_unverified(self)
        else:
            self._watch_progress()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        lost = self._reason or reason.getErrorMessage()
        if self._open:
            self._verify_rest()
        self._close()
        self._arriving = None
        self._unverified.clear()
        self._owner.disconnected(self, lost)

    # Time

    def callLater(self, period: float, func: Any) -> Any:
        return self._clock.callLater(period, func)

    def timeoutConnection(self) -> None:
        worthless = self._arriving is not None and self._arriving.invalid is not None
        what = "the rest of an archive that is not valid" if worthless else "the rest of a message"
        self.drop(f"{what} did not come")

    def _watch_progress(self) -> None:
        """Give the peer time for the rest of its message, if it is in the middle of one.

        From a chat on that is not valid the stream may well be out of step: from there the time
        runs until the archive's end.
        """
        if not self._framer.in_message:
            self.setTimeout(None)
        elif self._arriving is None or self._arriving.invalid is None or self.timeOut is None:
            self.setTimeout(self._settings.progress_timeout)

    def _notice_dead_peer(self) -> None:
        """Let the system end a connection whose other end is gone without a word."""
        option = getattr(socket, "TCP_USER_TIMEOUT", None)
        if option is not None:
            with suppress(AttributeError, OSError):
                milliseconds = int(self._settings.progress_timeout * 1000)
                self.transport.getHandle().setsockopt(socket.IPPROTO_TCP, option, milliseconds)

    # The framer reports (FramerListener)

    def peer_request(self) -> None:
        self._begin()
        self._outgoing.owe(Type.PEER_LIST, lambda: peer_list(self._owner.peers_for(self)))

    def peer_list(self, addresses: list[str]) -> None:
        self._begin()
        self._owner.listed(self, addresses)

    def archive_request(self) -> None:
        self._begin()
        self._outgoing.owe(Type.ARCHIVE_RESPONSE, lambda: self._owner.archive)

    def archive_begins(self, count: int) -> ArchiveSink:
        self._arriving = self._owner.incoming(self, count)
        return self._arriving

    def archive_ends(self, sink: ArchiveSink) -> None:
        incoming, self._arriving = self._arriving, None
        assert incoming is sink
        self._begin()
        if incoming.unverified:
            self._queue(incoming)
        elif incoming.invalid is None:
            self._arrived(incoming)

    def notification(self, text: bytes) -> None:
        self.notifies = True
        self._begin()
        self._owner.notified(self, text)

    def identification(self, address: str) -> None:
        """Who the peer is we know by where it comes from."""

    # Within

    def _begin(self) -> None:
        if not self.spoke:
            self.spoke = True
            self._owner.spoken(self)

    def _queue(self, incoming: Incoming) -> None:
        if incoming not in self._unverified:
            self._unverified.append(incoming)

    def _verify_rest(self) -> None:
        """Take what came in full before the link's end; one read at most is left to verify."""
        while self._unverified:
            incoming = self._unverified.popleft()
            if incoming.done:
                while incoming.unverified:
                    incoming.verify(incoming.kept)
                self._arrived(incoming)

    def _arrived(self, incoming: Incoming) -> None:
        if incoming.invalid is None:
            self.height = incoming.count
        self._owner.arrived(self, incoming)

    def _close(self) -> None:
        if self._open:
            self._open = False
            self.setTimeout(None)
            self._outgoing.close()


def _address(address: Any) -> Address:
    return Address(getattr(address, "host", "?"), getattr(address, "port", 0))

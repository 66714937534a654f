"""One link to a peer of the archive on a transport (docs/protocols.md, 3).

Ties Framer and Outgoing to bytes and timers, and reports to its LinkOwner. Of a read so many
messages are taken at once, up to the first chats that have to be verified; the rest waits for turns
of verify(), and nothing more is read. So a peer gets no further ahead of us than one read, however
fast it sends; and what came in full is taken even if the connection is lost meanwhile.
"""

import socket
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
from p2pchat.archive.pace import Pace
from p2pchat.errors import LengthLimitError, RemoteProtocolError
from p2pchat.identity import Address

#: How much is read at a time, in bytes; a read takes some 40 microseconds however little it brings.
READ = 65536

#: How many messages are taken in one turn of the reactor, and behind how many bytes of them no
#: more: a list takes a millisecond for each thousand addresses.
MESSAGES = 64
ENOUGH = 4096


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
        #: The longest archive that is read, in bytes.
        self.MAX_LENGTH = settings.max_length
        self._identify = identify
        self._framer = Framer(self, accepted=not dialled)
        self._pace = Pace(clock, settings.progress_timeout)
        self._rest = memoryview(b"")  # what waits of the last read
        self._incoming: Incoming | None = None  # until it is reported
        self._reason = ""
        self._lost: str | None = None  # why, once the connection is
        self._open = False

    @property
    def dropped(self) -> bool:
        """Whether it was us who closed it."""
        return bool(self._reason)

    @property
    def reason(self) -> str:
        """Why we closed it, empty unless we did."""
        return self._reason

    @property
    def kept(self) -> int:
        return self._incoming.kept if self._incoming is not None else 0

    @property
    def sources(self) -> list[bytearray]:
        incoming = self._incoming.base.buffer if self._incoming is not None else None
        return [buffer for buffer in (incoming, self._outgoing.source) if buffer is not None]

    @property
    def assembling(self) -> bool:
        return self._incoming is not None and self._incoming.assembling

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
        if self._open:
            if self._incoming is not None and self._incoming.unverified:
                self._verify(self._incoming, size)
            else:
                self._take()
        if not self._open or self._waits:
            return self._open
        if self._lost is not None:
            self._close()
        else:
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
            self._outgoing.flush()
            self._close()
            self.transport.loseConnection()

    # The transport reports (Protocol)

    def connectionMade(self) -> None:
        self._open = True
        self.remote = _address(self.transport.getPeer())
        self.local = _address(self.transport.getHost())
        self.host = self.remote.host
        self.transport.bufferSize = READ
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
        if self._framer.in_message:
            self._pace.end_waiting()
        self._rest = memoryview(data)
        self._take()
        if self._waits:
            self.setTimeout(None)
            self.transport.pauseProducing()
            self._owner.has_unverified(self)
        elif self._open:
            self._watch_progress()

    def lengthLimitExceeded(self, what: str) -> None:
        """Close: a message became longer than MAX_LENGTH, or than a list may be (3.7)."""
        self.drop(what)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._lost = self._reason or reason.getErrorMessage()
        self.setTimeout(None)
        self._outgoing.close()
        if not self._open:
            self._owner.disconnected(self, self._lost)
        elif self._waits:
            self._owner.has_unverified(self)
        else:
            self._close()

    # Time

    def callLater(self, period: float, func: Any) -> Any:
        return self._clock.callLater(period, func)

    def timeoutConnection(self) -> None:
        worthless = self._incoming is not None and self._incoming.invalid is not None
        what = "the rest of an archive that is not valid" if worthless else "the rest of a message"
        self.drop(f"{what} did not come")

    def _watch_progress(self) -> None:
        """Give the peer time for the rest of its message, if it is in the middle of one.

        From a chat on that is not valid the stream may well be out of step: from there the time
        runs until the archive's end.
        """
        self._pace.begin_waiting()
        if not self._framer.in_message:
            self.setTimeout(None)
        elif self._pace.too_slow:
            self.drop("the rest of a message comes too slowly")
        elif self._incoming is None or self._incoming.invalid is None or self.timeOut is None:
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
        self._incoming = self._owner.incoming(self, count)
        return self._incoming

    def archive_ends(self, sink: ArchiveSink) -> None:
        incoming = self._incoming
        assert incoming is sink
        self._begin()
        if not incoming.unverified:
            self._incoming = None
            if incoming.invalid is None:
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

    @property
    def _waits(self) -> bool:
        """Whether something that came waits for a turn; behind a lost link only what is whole."""
        if self._rest:
            return True
        incoming = self._incoming
        if incoming is None or not incoming.unverified:
            return False
        return self._lost is None or incoming.done

    def _take(self) -> None:
        """Take some of the messages that wait, up to chats that have to be verified."""
        taken = messages = 0
        try:
            while self._rest and messages < MESSAGES and taken < ENOUGH:
                if self._incoming is not None and self._incoming.unverified:
                    return
                taken += self._take_message()
                messages += 1
        except LengthLimitError as error:
            self.lengthLimitExceeded(str(error))
        except RemoteProtocolError as error:
            self.drop(str(error))

    def _take_message(self) -> int:
        """Take one message, or what is here of it; return how many bytes that were."""
        rest, self._rest = self._rest, memoryview(b"")
        taken = self._framer.feed(rest)
        self._pace.add(taken)
        if not self._framer.in_message:
            self._pace.begin_message()
        if self._open:
            self._rest = rest[taken:]
        return taken

    def _verify(self, incoming: Incoming, size: int) -> None:
        if incoming.assembling and incoming.is_outdated(self._owner.archive):
            incoming.give_up(self._owner.archive)
        else:
            incoming.verify(size)
        if incoming.unverified:
            return
        if incoming.done:
            self._incoming = None
        if incoming.done or incoming.invalid is not None:
            self._arrived(incoming)

    def _arrived(self, incoming: Incoming) -> None:
        if incoming.invalid is None:
            self.height = incoming.count
        self._owner.arrived(self, incoming)

    def _close(self) -> None:
        if self._open:
            self._open = False
            self._rest, self._incoming = memoryview(b""), None
            self.setTimeout(None)
            self._outgoing.close()
            if self._lost is not None:
                self._owner.disconnected(self, self._lost)


def _address(address: Any) -> Address:
    return Address(getattr(address, "host", "?"), getattr(address, "port", 0))

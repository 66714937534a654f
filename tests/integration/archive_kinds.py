"""What each deployed program of the archive does in its own way (docs/protocols.md, section 3)."""

import socket

from tests.integration.archive_chain import Chain, is_valid
from tests.integration.archive_links import ArchiveLink, Kind, Message
from tests.integration.archive_peers import PlainPeer
from tests.integration.archive_rules import EMPTY_UNASKED, faults

#: Chats that are not valid anywhere, so many that an archive with them is longer than any other.
NONSENSE = (b"\x08nonsense" + bytes(32),) * 1000

#: What the reference server says of an invalid archive.
COMPLAINT = b"i=77 chat=chat: b'prompt engineer' (digest mismatch)"


class NeverAsking(PlainPeer):
    """Asks for nothing, so that it has to be told (3.2)."""

    def ask(self, link: ArchiveLink) -> None:
        pass


class SilentWhileEmpty(PlainPeer):
    """Does not answer an ArchiveRequest as long as it has no chats (3.2)."""

    def answer_archive(self, link: ArchiveLink) -> None:
        if self.chain:
            super().answer_archive(link)


class TakingAnything(PlainPeer):
    """Takes any valid archive for its own, a shorter one too, and an empty one unasked (3.2)."""

    def judge(self, link: ArchiveLink, message: Message) -> None:
        found = faults(link, message)
        self.violations += found
        if EMPTY_UNASKED in found:
            self.chain = ()

    def take_archive(self, chain: Chain) -> None:
        if len(chain) > len(self.chain):
            super().take_archive(chain)
        elif chain and is_valid(chain):
            self.chain = chain


class NotificationFearing(PlainPeer):
    """Gives a reason for a Notification, and hangs up on it (3.5)."""

    def greet(self, link: ArchiveLink) -> None:
        super().greet(link)
        link.give_archive((*self.chain, *NONSENSE))

    def take(self, link: ArchiveLink, message: Message) -> None:
        if message.kind == Kind.NOTIFICATION:
            raise ConnectionAbortedError("a notification")
        super().take(link, message)


class Notifying(PlainPeer):
    """Sends a Notification unasked, as the reference server does, and may be sent one (3.5)."""

    def greet(self, link: ArchiveLink) -> None:
        link.notify(COMPLAINT)
        super().greet(link)
        link.give_archive((*self.chain, *NONSENSE))


class Introducing(PlainPeer):
    """Begins with 0x00 and its address, and hangs up without a byte on who does not (3.4)."""

    def greet(self, link: ArchiveLink) -> None:
        if link.dialled:
            link.identify()
        else:
            self._expect_introduction(link)
        super().greet(link)

    def _expect_introduction(self, link: ArchiveLink) -> None:
        if link.connection.recv(1, socket.MSG_PEEK) != b"\0":
            raise ConnectionAbortedError("no introduction")
        message = link.read()
        if message is None or message.addresses != (link.host,):
            self.violations.append(f"{link.host} says that it is {message}")


class Reversing(PlainPeer):
    """Writes the addresses of its lists the wrong way round (3.3)."""

    def packed(self, address: str) -> bytes:
        return super().packed(address)[::-1]

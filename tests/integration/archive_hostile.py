"""Broken and hostile peers of the archive (docs/protocols.md, 3.7 to 3.9).

They dial and are dialled like any other, and go on being what they are on every new link.
"""

import select
import socket
from contextlib import suppress

from tests.integration.archive_chain import grown, response
from tests.integration.archive_links import ArchiveLink, Message
from tests.integration.archive_peers import PlainPeer
from tests.integration.waiting import Record

#: The largest count that can be written.
MOST = b"\xff" * 4


class Stalling(PlainPeer):
    """Says the beginning of something and then nothing at all; it reads, but does not answer."""

    #: What it says.
    beginning = b"\x04" + MOST

    def greet(self, link: ArchiveLink) -> None:
        link.write(self.beginning)

    def ask(self, link: ArchiveLink) -> None:
        pass

    def take(self, link: ArchiveLink, message: Message) -> None:
        pass


class StallingInAList(Stalling):
    beginning = b"\x02" + MOST


class Endless(Stalling):
    """Announces as many chats as can be, and sends chats without end that are not valid."""

    def greet(self, link: ArchiveLink) -> None:
        super().greet(link)
        while not self.leaving.is_set():
            link.write(bytes(33 * 1000))


class EndlessList(Stalling):
    """Lists four billion addresses."""

    beginning = b"\x02" + MOST

    def greet(self, link: ArchiveLink) -> None:
        super().greet(link)
        while not self.leaving.is_set():
            link.write(b"\x7f\x01\x02\x03" * 10_000)


class Truncating(Stalling):
    """Sends an archive that ends in the middle of a chat, and then other messages."""

    def greet(self, link: ArchiveLink) -> None:
        link.write(response(grown((), "one", "two", "three"))[:-20])

    def ask(self, link: ArchiveLink) -> None:
        link.ask_peers()
        link.ask_archive()


class Dripping(Stalling):
    """Sends a valid archive, a byte a second."""

    pause = 1.0

    def __init__(self, address: str, port: int, *hosts: str) -> None:
        self._rest = dict[ArchiveLink, bytes]()
        super().__init__(address, port, *hosts)

    def greet(self, link: ArchiveLink) -> None:
        self._rest[link] = response(grown((), *"abcdefgh"))

    def ask(self, link: ArchiveLink) -> None:
        rest = self._rest[link]
        link.write(rest[:1])
        self._rest[link] = rest[1:]


class Hasty(PlainPeer):
    """Hangs up on everybody at once, without a byte; notes what each link it accepted began with.

    To know that, it waits for a short while.
    """

    pause = 0.05

    def __init__(self, address: str, port: int, *hosts: str) -> None:
        self.first_bytes: Record[bytes] = Record()
        super().__init__(address, port, *hosts)

    def serve(self, link: ArchiveLink) -> None:
        if not link.dialled and select.select([link.connection], [], [], 1)[0]:
            self.first_bytes.add(link.connection.recv(1))

    def ask(self, link: ArchiveLink) -> None:
        pass


class Deaf(PlainPeer):
    """Asks for everything and reads nothing."""

    pause = 0.05

    def prepare(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)

    def serve(self, link: ArchiveLink) -> None:
        link.greeted = True
        poll = select.poll()
        poll.register(link.connection, 0)  # the end of a connection is told all the same
        while not self.leaving.is_set() and not poll.poll(50):
            pass

    def ask(self, link: ArchiveLink) -> None:
        with suppress(BlockingIOError):  # the other end need not read either
            link.connection.send(b"\x01\x03", socket.MSG_DONTWAIT)

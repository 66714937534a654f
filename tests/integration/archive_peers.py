"""Peers of the archive by a plain reading of docs/protocols.md, 3, on blocking sockets.

Each has an address of its own on this machine, and notes a violation for everything that a deployed
program could not live with.
"""

import socket
from contextlib import suppress
from threading import Event, RLock, Thread

from tests.integration.archive_chain import Chain, is_valid, mined, texts
from tests.integration.archive_links import ArchiveLink, Kind, Message
from tests.integration.archive_rules import faults
from tests.integration.waiting import PATIENCE, Record, wait_until


class PlainPeer:
    """A program that does nothing odd but for one thing: it dials only whom a test names.

    The base of those that are odd, for they would meet each other.
    """

    #: Pause between two requests, in seconds; the originals have 5.
    pause = 0.25

    def __init__(self, address: str, port: int, *hosts: str) -> None:
        """Listen on an address, and dial these hosts again and again."""
        self.address = address
        self.port = port
        self.chain: Chain = ()
        #: Texts that are mined again whenever they are missing (3.10).
        self.own: list[str] = []
        self.violations: list[str] = []
        self.accepted: Record[ArchiveLink] = Record()
        self.hosts = set(hosts)
        self._links: list[ArchiveLink] = []
        self._lock = RLock()
        self.leaving = Event()
        self._server = socket.create_server((address, port))
        self._threads = [Thread(target=work, daemon=True) for work in (self._accept, self._gossip)]
        for thread in self._threads:
            thread.start()

    @property
    def name(self) -> str:
        return f"{type(self).__name__} on {self.address}"

    @property
    def texts(self) -> list[str]:
        return texts(self.chain)

    @property
    def links(self) -> list[ArchiveLink]:
        """All links that are up."""
        with self._lock:
            return [link for link in self._links if not link.ended]

    @property
    def greeted_links(self) -> list[ArchiveLink]:
        """Those that anything may be said on."""
        return [link for link in self.links if link.greeted]

    # What a test has it do

    def dial(self, host: str) -> ArchiveLink:
        """Connect from its own address."""
        connection = socket.socket()
        try:
            self.prepare(connection)
            connection.bind((self.address, 0))
            connection.settimeout(PATIENCE)
            connection.connect((host, self.port))
            connection.settimeout(None)
        except OSError:
            connection.close()
            raise
        return self._link(connection, dialled=True)

    def next_link(self) -> ArchiveLink:
        """Wait for the next link that somebody dialled."""
        return self.accepted.take(lambda _: True, f"a link to {self.name}")

    def say(self, text: str) -> None:
        """Mine a chat, send it to everybody, and see to it that it stays."""
        while not self.adopt(mined(self.chain, text)):
            pass  # it grew meanwhile
        self.own.append(text)

    def adopt(self, chain: Chain) -> bool:
        """Take a longer archive and pass it on."""
        with self._lock:
            if len(chain) <= len(self.chain):
                return False
            self.chain = chain
        for link in self.greeted_links:
            with suppress(OSError):
                self.push(link)
        return True

    def wait_for(self, *wanted: str) -> None:
        """Wait until its archive has these texts."""
        wait_until(lambda: {*wanted} <= {*self.texts}, f"{wanted} in the archive of {self.name}")

    def close(self) -> None:
        self.leaving.set()
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for thread in self._threads:
            thread.join(PATIENCE)
        for link in self._links:
            link.shut()  # all of them first, for one's thread may be writing to another
        for link in self._links:
            link.close()

    # What its originals do

    def prepare(self, connection: socket.socket) -> None:
        """Set up a socket before it is connected."""

    def serve(self, link: ArchiveLink) -> None:
        """Do all that is done on a link."""
        self.greet(link)
        link.greeted = True
        while (message := link.read()) is not None:
            self.judge(link, message)
            self.take(link, message)

    def greet(self, link: ArchiveLink) -> None:
        self.push(link)
        self.ask(link)

    def push(self, link: ArchiveLink) -> None:
        if self.chain:
            link.give_archive(self.chain)

    def ask(self, link: ArchiveLink) -> None:
        link.ask_peers()
        link.ask_archive()

    def judge(self, link: ArchiveLink, message: Message) -> None:
        self.violations += faults(link, message)

    def take(self, link: ArchiveLink, message: Message) -> None:
        match message.kind:
            case Kind.PEER_REQUEST:
                link.give_peers(map(self.packed, sorted(self.neighbours - {link.host})))
            case Kind.PEER_LIST:
                self.take_list(message.addresses)
            case Kind.ARCHIVE_REQUEST:
                self.answer_archive(link)
            case Kind.ARCHIVE_RESPONSE:
                self.take_archive(message.chain)
            case Kind.IDENTIFICATION:
                raise ConnectionAbortedError("no message begins with 0x00")

    def take_list(self, addresses: tuple[str, ...]) -> None:
        """Do what is done with the addresses of a PeerList."""

    def answer_archive(self, link: ArchiveLink) -> None:
        link.give_archive(self.chain)

    def take_archive(self, chain: Chain) -> None:
        if len(chain) > len(self.chain) and is_valid(chain):
            self.adopt(chain)

    def packed(self, address: str) -> bytes:
        """Write an address into a list."""
        return socket.inet_aton(address)

    @property
    def neighbours(self) -> set[str]:
        """The addresses at the other ends of its links."""
        return {link.host for link in self.links}

    # Its threads

    def _accept(self) -> None:
        self.prepare(self._server)
        with suppress(OSError):  # closed
            while True:
                connection, _ = self._server.accept()
                with suppress(OSError):  # gone already
                    self.accepted.add(self._link(connection, dialled=False))

    def _gossip(self) -> None:
        while not self.leaving.wait(self.pause):
            self._dial_all()
            for link in self.greeted_links:
                with suppress(OSError):
                    self.ask(link)
            for text in self.own:
                if text not in self.texts:
                    self.adopt(mined(self.chain, text))

    def _dial_all(self) -> None:
        for host in self.hosts - {link.host for link in self.links if link.dialled}:
            with suppress(OSError):
                self.dial(host)

    def _link(self, connection: socket.socket, *, dialled: bool) -> ArchiveLink:
        link = ArchiveLink(connection, self, dialled=dialled)
        with self._lock:
            self._links.append(link)
        link.start()
        return link


class HonestPeer(PlainPeer):
    """Does all of section 3: it dials whom others list as well."""

    def take_list(self, addresses: tuple[str, ...]) -> None:
        for address in {*addresses} - self.neighbours - {self.address}:
            if address.startswith("127."):
                with suppress(OSError):
                    self.dial(address)

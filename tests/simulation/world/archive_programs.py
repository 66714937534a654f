"""Deployed programs of the archive that replicate it, each in its own way (docs/protocols.md, 3).

They share no code with the node: their archive is that of tests/integration/archive_chain.py, and
what a message must be for their sake has one definition, tests/integration/archive_rules.py.
"""

import socket
from collections.abc import Iterator
from io import BytesIO
from typing import TYPE_CHECKING, ClassVar

from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure

from tests.integration.archive_chain import Chain, is_valid, mined, response, text_of, texts
from tests.integration.archive_links import BrokenStreamError, Kind, Message, read_message
from tests.integration.archive_rules import EMPTY_UNASKED, faults
from tests.simulation.world.archive_strangers import PAUSE

if TYPE_CHECKING:
    from tests.simulation.world.strangers import Stranger
    from tests.simulation.world.world import World

#: Chats that one of them mines at the most, and how likely it does so each time it has a turn.
MOST_MINED, WILL = 3, 0.1

#: How many chats the program takes that cannot take more; the original has 992 (3.11).
MOST_TAKEN = 40

#: Addresses of one list that are dialled at the most.
MOST_DIALLED = 30

#: What the reference server says of an invalid archive (3.5).
COMPLAINT = b"i=77 chat=chat: b'prompt engineer' (digest mismatch)"


class Replicating(Protocol):
    """One that does nothing odd: it asks, answers, passes on, dials whom others list, and mines.

    The archive is its stranger's, `chain`, and so are `own`, the texts that it mined.
    """

    redials: ClassVar = False

    @classmethod
    def settle(cls, stranger: "Stranger") -> None:
        """Prepare its machine."""

    def __init__(self, stranger: "Stranger", *, dialled: bool) -> None:
        self.stranger = stranger
        self.dialled = dialled
        self.greeted = False
        self.sent: list[Kind] = []
        self.heard: list[Message] = []
        self._buffer = b""
        self._turns = LoopingCall(self.take_turn)
        self._turns.clock = stranger.host

    @property
    def host(self) -> str:
        address: str = self.transport.getPeer().host
        return address

    @property
    def local_host(self) -> str:
        return self.stranger.ip

    # What happens on a link

    def connectionMade(self) -> None:
        self.stranger.replicas.append(self)
        self.begin()
        self._turns.start(PAUSE, now=False)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.stranger.replicas.remove(self)
        if self._turns.running:
            self._turns.stop()

    def dataReceived(self, data: bytes) -> None:
        self._buffer += data
        try:
            while self._buffer and not self.transport.disconnecting:
                stream = BytesIO(self._buffer[1:])
                message = read_message(stream, self._buffer[0])
                self._buffer = stream.read()
                self._heard(message)
        except BrokenStreamError as error:
            if "begins with" in str(error):
                self.hurt(str(error))
                self.transport.abortConnection()

    def _heard(self, message: Message) -> None:
        self.heard.append(message)
        for fault in self.faults(message):
            if self.stranger.world.is_node(self.host):
                self.hurt(fault)
        self.take(message)

    def hurt(self, what: str) -> None:
        who = f"{self.stranger.kind} {self.stranger.name}"
        self.stranger.world.hurt(f"{who}, linked to {self.host}: {what}")

    # What is said

    def say(self, kind: Kind, data: bytes = b"") -> None:
        self.sent.append(kind)
        self.transport.write(bytes([kind]) + data)

    def push(self) -> None:
        if self.stranger.chain:
            self.give_archive()

    def give_archive(self) -> None:
        self.sent.append(Kind.ARCHIVE_RESPONSE)
        self.transport.write(response(self.stranger.chain))

    # What its originals do

    def begin(self) -> None:
        """Do what is done when a connection is made."""
        self.greet()

    def greet(self) -> None:
        self.greeted = True
        self.push()
        self.ask()

    def ask(self) -> None:
        self.say(Kind.PEER_REQUEST)
        self.say(Kind.ARCHIVE_REQUEST)

    def take_turn(self) -> None:
        """Ask again; mine what is missing, and now and then something new."""
        if self.greeted:
            self.ask()
        stranger = self.stranger
        if len(stranger.own) < MOST_MINED and stranger.random.random() < WILL:
            stranger.own.append(self.new_text())
        for text in sorted({*stranger.own} - {*texts(stranger.chain)}):
            self.adopt(mined(stranger.chain, text))

    def new_text(self) -> str:
        return self.stranger.text()

    def faults(self, message: Message) -> list[str]:
        if message.kind == Kind.IDENTIFICATION and self._was_cut_short():
            return []  # for it nothing came on a link, so it had to take us for one that wants it
        return faults(self, message)

    def _was_cut_short(self) -> bool:
        """Tell whether an earlier connection of theirs may have broken before they heard a byte."""
        return {self.host, self.stranger.ip} in self.stranger.world.network.broken

    def take(self, message: Message) -> None:
        match message.kind:
            case Kind.PEER_REQUEST:
                self.give_peers()
            case Kind.PEER_LIST:
                self.take_list(message.addresses)
            case Kind.ARCHIVE_REQUEST:
                self.answer_archive()
            case Kind.ARCHIVE_RESPONSE:
                self.take_archive(message.chain)
            case Kind.IDENTIFICATION:
                self.transport.abortConnection()

    def give_peers(self) -> None:
        hosts = {link.host for link in self.stranger.replicas} - {self.host}
        packed = [self.packed(host) for host in sorted(hosts)]
        self.say(Kind.PEER_LIST, len(packed).to_bytes(4, "big") + b"".join(packed))

    def packed(self, address: str) -> bytes:
        return socket.inet_aton(address)

    def take_list(self, addresses: tuple[str, ...]) -> None:
        for address in addresses[:MOST_DIALLED]:
            self.stranger.dial(address)

    def answer_archive(self) -> None:
        self.give_archive()

    def take_archive(self, chain: Chain) -> None:
        if len(chain) > len(self.stranger.chain) and is_valid(chain):
            self.adopt(chain)

    def adopt(self, chain: Chain) -> None:
        """Take an archive and pass it on to all."""
        self.stranger.chain = chain
        for link in list(self.stranger.replicas):
            if link.greeted:
                link.push()


class NeverAsking(Replicating):
    """Asks for nothing, so that it has to be told (3.2)."""

    def ask(self) -> None:
        pass


class SilentWhileEmpty(Replicating):
    """Does not answer an ArchiveRequest as long as it has no chats (3.2)."""

    def answer_archive(self) -> None:
        self.push()


class TakingAnything(Replicating):
    """Takes any valid archive for its own, a shorter one too, and an empty one unasked (3.2)."""

    def take_archive(self, chain: Chain) -> None:
        if len(chain) > len(self.stranger.chain):
            super().take_archive(chain)
        elif chain and is_valid(chain):
            self.stranger.chain = chain

    def faults(self, message: Message) -> list[str]:
        found = super().faults(message)
        if EMPTY_UNASKED in found:
            self.stranger.chain = ()
        return found


class NotificationFearing(Replicating):
    """Hangs up on a Notification (3.5)."""

    def take(self, message: Message) -> None:
        if message.kind == Kind.NOTIFICATION:
            self.transport.abortConnection()
        else:
            super().take(message)


class Notifying(Replicating):
    """Sends a Notification unasked, as the reference server does, and may be sent one (3.5)."""

    def greet(self) -> None:
        self.say(Kind.NOTIFICATION, bytes([len(COMPLAINT)]) + COMPLAINT)
        super().greet()


class Introducing(Replicating):
    """Begins with 0x00 and its address, and hangs up without a byte on who does not (3.4)."""

    def begin(self) -> None:
        if self.dialled:
            self.say(Kind.IDENTIFICATION, socket.inet_aton(self.local_host))
            self.greet()

    def dataReceived(self, data: bytes) -> None:
        if not self.dialled and not self.heard and not (self._buffer + data).startswith(b"\0"):
            self.transport.loseConnection()
        else:
            super().dataReceived(data)

    def faults(self, message: Message) -> list[str]:
        if message.kind != Kind.IDENTIFICATION:
            return super().faults(message)
        wanted = not self.dialled and len(self.heard) == 1 and message.addresses == (self.host,)
        return [] if wanted else [f"{self.host} says that it is {message}"]

    def take(self, message: Message) -> None:
        if message.kind == Kind.IDENTIFICATION:
            self.greet()
        else:
            super().take(message)


class Reversing(Replicating):
    """Writes the addresses of its lists the wrong way round (3.3)."""

    def packed(self, address: str) -> bytes:
        return super().packed(address)[::-1]


class Limited(Replicating):
    """Cannot take more chats than so many, and hangs up on them (3.11)."""

    def take_archive(self, chain: Chain) -> None:
        if len(chain) > MOST_TAKEN:
            self.transport.abortConnection()
        else:
            super().take_archive(chain)

    def take_turn(self) -> None:
        if len(self.stranger.chain) < MOST_TAKEN:
            super().take_turn()


class PlainTexts(Replicating):
    """Refuses a whole archive with anything but what can be printed in it (3.6)."""

    def take_archive(self, chain: Chain) -> None:
        if all(text_of(chat).isascii() and text_of(chat).isprintable() for chat in chain):
            super().take_archive(chain)


class AnyBytes(Replicating):
    """Mines texts of any bytes, and of none (3.6)."""

    def new_text(self) -> str:
        text = self.stranger.text()
        return self.stranger.random.choice((f"\xff\0{text}\x1b[2J", f"\n{text}\u0085", "", text))


#: Those that come to the archive that all nodes hold, when all is quiet.
FAITHFUL: dict[str, type[Replicating]] = {
    "replicating": Replicating,
    "never-asking": NeverAsking,
    "silent-while-empty": SilentWhileEmpty,
    "taking-anything": TakingAnything,
    "notification-fearing": NotificationFearing,
    "notifying": Notifying,
    "introducing": Introducing,
    "reversing": Reversing,
    "any-bytes": AnyBytes,
}

REPLICATING: dict[str, type[Replicating]] = {
    **FAITHFUL,
    "limited": Limited,
    "plain-texts": PlainTexts,
}


def others_hold_the_archive(world: "World") -> Iterator[str]:
    """Every program that replicates faithfully has the archive of the nodes, its chats in it."""
    archives = {bytes(archive.view()) for archive in world.archives()}
    for stranger in world.strangers:
        if stranger.kind not in FAITHFUL or not archives:
            continue
        missing = {*stranger.own} - {*texts(stranger.chain)}
        if missing:
            yield f"{stranger.kind} {stranger.name} misses its chats {sorted(missing)}"
        if b"".join(stranger.chain) not in archives:
            height = len(stranger.chain)
            yield f"{stranger.kind} {stranger.name} holds another archive, of {height} chats"

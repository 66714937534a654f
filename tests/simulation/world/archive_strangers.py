"""Peers of the archive that are broken or hostile: each says one thing, and stays for a while."""

from struct import pack
from typing import TYPE_CHECKING, ClassVar

from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure

from p2pchat.archive.archive import Archive
from tests.archive.mined import grown

if TYPE_CHECKING:
    from tests.simulation.world.strangers import Stranger

#: Seconds between two things that a stranger says on one link.
PAUSE = 7.0


class ArchiveLink(Protocol):
    """A peer of the archive that says one thing and then stays for a while, asking for more."""

    redials: ClassVar = True

    @classmethod
    def settle(cls, stranger: "Stranger") -> None:
        """Prepare its machine."""

    def __init__(self, stranger: "Stranger", *, dialled: bool) -> None:
        self._stranger = stranger
        self._asking = LoopingCall(self._ask)
        self._asking.clock = stranger.host

    def connectionMade(self) -> None:
        if self._stranger.kind == "deaf-archive":
            self.transport.pauseProducing()
        self.transport.write(_speech(self._stranger))
        self._asking.start(PAUSE, now=False)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._asking.running:
            self._asking.stop()

    def _ask(self) -> None:
        if self._stranger.kind == "endless-archive":
            self.transport.write(bytes(33 * 1000))
        elif self._stranger.kind == "invalid-archive":
            self.transport.write(_speech(self._stranger))
        elif self._stranger.kind != "stalled-archive":
            self.transport.write(b"\x01\x03")


def _speech(stranger: "Stranger") -> bytes:
    """Return what one of its kind begins with (3.7 to 3.9)."""
    match stranger.kind:
        case "invalid-archive":
            return b"\x04" + pack("!I", 1000) + (b"\x08nonsense" + bytes(32)) * 1000
        case "endless-archive" | "stalled-archive":
            return b"\x04\xff\xff\xff\xff"
        case "cut-archive":
            return _response(_chain(stranger, 3))[:-20] + b"\x01\x03"
        case "bogus-list":
            hosts = b"".join(bytes((10, 9, number >> 8, number & 255)) for number in range(500))
            return b"\x02" + pack("!I", 500) + hosts
        case "deaf-archive":
            return b"\x01\x03" * 100
        case _:
            return _response(_chain(stranger, stranger.random.randint(1, 30)))


def _chain(stranger: "Stranger", length: int) -> Archive:
    return grown(Archive(), *(f"{stranger.name} mined {number}" for number in range(length)))


def _response(archive: Archive) -> bytes:
    return b"\x04" + pack("!I", archive.height) + bytes(archive.view())

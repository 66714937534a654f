"""Archive services on a simulated network, and what must hold of them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from random import Random

from twisted.internet.defer import Deferred

from p2pchat.api import ChatInfo
from p2pchat.archive.archive import Archive
from p2pchat.archive.kernel import first_invalid
from p2pchat.archive.service import ArchiveService
from p2pchat.archive.storage import Loaded, MemoryStorage, OwnRecord
from p2pchat.config import Archive as Settings
from p2pchat.config import Config, Peer
from p2pchat.events import ArchiveGrew, ChatChanged, Event
from tests.simulation.network import Network

START = datetime(2026, 1, 1, tzinfo=UTC)


class SimulatedDisk(MemoryStorage):
    """What a machine's disk holds, also after a crash: all writes that were finished by then.

    While it is `full` nothing can be written. Writes that a storage need not expect are refused.
    """

    def __init__(self) -> None:
        super().__init__()
        self.full = False

    def load(self) -> Loaded:
        loaded = super().load()
        # nothing in memory is shared with the process that wrote it
        chats = Archive(bytes(loaded.archive.view()), loaded.archive.offsets)
        return loaded._replace(archive=chats.truncated(loaded.archive.height))

    def append(self, archive: Archive, height: int) -> None:
        assert height == self._archive.height == archive.common(self._archive)
        self._check_room()
        super().append(archive, height)

    def replace(self, archive: Archive) -> None:
        assert archive.height >= self._archive.height
        self._check_room()
        super().replace(archive)

    def save_own(self, records: Sequence[OwnRecord]) -> None:
        self._check_room()
        super().save_own(records)

    def _check_room(self) -> None:
        if self.full:
            raise OSError(28, "No space left on device")


class ArchiveNode:
    """One node with an archive on a machine of its own.

    `posted` are the texts that it was given and can be held to. `promised` are those of which it
    said that they are in the archive. `events` is all that it ever reported, over restarts.
    """

    def __init__(self, network: Network, number: int, settings: Settings) -> None:
        self.network = network
        self.ip = f"10.0.0.{number}"
        self.name = f"n{number}"
        self.settings = settings
        self.disk = SimulatedDisk()
        self.service: ArchiveService | None = None
        self.events: list[Event] = []
        self.posted: set[str] = set()
        self.promised: set[str] = set()
        self._height = 0

    def start(self) -> None:
        """Start a process that knows nothing but what is on the disk."""
        config = Config(peer=Peer(name=self.name, bind=self.ip), archive=self.settings)
        rng = Random(self.network.random.random())
        self._height = 0
        host = self.network.host(self.ip)
        self.service = ArchiveService(*(host, rng, self._wall_clock, config), self.disk, self._note)
        self.service.startService()

    def crash(self) -> None:
        """End the process at once; what it was given and had not stored is gone with it."""
        self.network.crash(self.ip)
        self.service = None
        self._forgive()

    def stop(self) -> None:
        """Leave as a user would; the network has to run for it to end."""
        service, self.service = self.running, None
        left: list[object] = []
        Deferred.fromCoroutine(service.leave()).addBoth(left.append)
        self.network.run_until(lambda: left, limit_seconds=10)
        assert left == [None], left
        if self.disk.full:
            self._forgive()

    def post(self, text: str) -> ChatInfo:
        info = self.running.chat(text)
        self.posted.add(text)
        return info

    @property
    def running(self) -> ArchiveService:
        assert self.service is not None, f"{self.name} does not run"
        return self.service

    @property
    def archive(self) -> Archive:
        return self.running.archive

    def linked_to(self) -> set[str]:
        """Return the addresses of those we have links to."""
        return {peer.address for peer in self.running.info().peers}

    def states(self, text: str) -> list[str]:
        """Return the states that a chat of ours went through, over restarts."""
        return [
            event.state
            for event in self.events
            if isinstance(event, ChatChanged) and event.text == text
        ]

    def _forgive(self) -> None:
        """Hold the node to nothing but what it promised or has on its disk."""
        self.posted &= self.promised | {record.text for record in self.disk.load().own}

    def _wall_clock(self) -> datetime:
        return START + timedelta(seconds=self.network.clock.now)

    def _note(self, event: Event) -> None:
        self.events.append(event)
        self.network.trace(f"{self.name} {event!r}")
        if isinstance(event, ChatChanged) and event.state in ("archived", "confirmed"):
            self._check_stored(event)
            self.promised.add(event.text)
        if isinstance(event, ArchiveGrew):
            # as long as before it can be, if only the order is another one
            least = self._height if event.reorganised else self._height + 1
            assert event.height >= least, f"{self.name} went back to {event.height}"
            self._height = event.height

    def _check_stored(self, event: ChatChanged) -> None:
        assert event.text in texts(self.disk.load().archive), f"{event} is not on the disk"


def make_archives(
    network: Network, count: int, peers: dict[int, Iterable[int]], **settings: float
) -> list[ArchiveNode]:
    """Make nodes, not started yet, numbered from 1; `peers` tells who was told to dial whom."""
    nodes = []
    for number in range(1, count + 1):
        addresses = tuple(f"10.0.0.{peer}" for peer in peers.get(number, ()))
        nodes.append(ArchiveNode(network, number, Settings(peers=addresses, **settings)))
    return nodes


def texts(archive: Archive) -> list[str]:
    """Return the texts of all chats, oldest first."""
    return [archive.chat(index).text.decode("latin-1") for index in range(archive.height)]


def all_equal(nodes: Sequence[ArchiveNode]) -> bool:
    """Tell whether all hold the same archive."""
    return all(node.archive == nodes[0].archive for node in nodes)


def have_same_height(nodes: Sequence[ArchiveNode]) -> bool:
    """Tell whether all hold as many chats."""
    return len({node.archive.height for node in nodes}) == 1


def is_quiet(nodes: Sequence[ArchiveNode]) -> bool:
    """Tell whether nobody mines or has chats to mine."""
    infos = [node.running.info() for node in nodes]
    waiting = any(node.running.waiting for node in nodes)
    return not waiting and not any(info.mining or info.loading for info in infos)


def check_archive(archive: Archive) -> None:
    """Check that an archive is valid and holds nothing twice."""
    invalid = first_invalid(archive.buffer, archive.offsets, 0, archive.height)
    assert invalid is None, f"chat {invalid} is not valid"
    twice = [text for text, count in Counter(texts(archive)).items() if count > 1]
    assert not twice, f"{twice} stand twice in an archive"


def check_nothing_lost(nodes: Sequence[ArchiveNode]) -> None:
    """Check that everybody has every chat that anybody was given, exactly once."""
    expected = {text for node in nodes for text in node.posted | node.promised}
    for node in nodes:
        check_archive(node.archive)
        missing = expected - set(texts(node.archive))
        assert not missing, f"{node.name} has lost {missing}"


def check_stopped(network: Network, nodes: Sequence[ArchiveNode]) -> None:
    """Check that nodes that left have left nothing behind: no timer and no socket."""
    for node in nodes:
        host = network.host(node.ip)
        assert host.getDelayedCalls() == [], f"{node.name}: {host.getDelayedCalls()}"
        reading, writing = host.getReaders(), host.getWriters()
        assert reading == writing == [], f"{node.name}: {reading}, {writing}"

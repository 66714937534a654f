"""One real node in a world: its machine, its disk and its clock, over all lives of its process."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from twisted.python.failure import Failure

from p2pchat.archive.archive import Archive as ArchiveChats
from p2pchat.archive.service import ArchiveService
from p2pchat.config import Config, Connection, Peer, Rendezvous
from p2pchat.errors import RequestError
from p2pchat.events import ChatChanged, DeliveryChanged, Event, MessageReceived, Notice
from p2pchat.history import Bounds
from p2pchat.identity import PeerId, make_peer_id
from p2pchat.node import Node
from tests.simulation.network import Network
from tests.simulation.nodes import SilentLogs
from tests.simulation.reactor import HostReactor
from tests.simulation.world.bounds import OUTBOX, archive, limits
from tests.simulation.world.deliveries import Deliveries
from tests.simulation.world.disk import Disk, DiskHistory

START = datetime(2026, 1, 1, tzinfo=UTC)
#: The rendezvous server, and another one that some worlds have besides.
RENDEZVOUS, SECOND_RENDEZVOUS = "10.0.2.1", "10.0.2.2"

#: How long leaving may take, in seconds, and how long after it something may be left.
LONGEST_LEAVE = 15.0
LINGER = 3.0

#: Where a node is between two lives.
ABSENT, RUNNING, LEAVING = "absent", "running", "leaving"


class Inhabitant:
    """A node that is started, crashed and stopped; `heard` is called with each of its events.

    `sent` has the receiver of every message that was reported as queued, by msg_id, `deliveries`
    all that was told of them. `unshown` are messages that were stored and not shown when it
    crashed, `missed` the peers to which a publication could not be sent, as it said. `posted` are
    the chats that it can be held to.
    """

    def __init__(
        self,
        network: Network,
        number: int,
        nodes: int,
        heard: Callable[["Inhabitant", Event], None],
    ) -> None:
        self.network = network
        self.number = number
        self.name = f"n{number}"
        self.ip = f"10.0.0.{number}"
        self.peer_id: PeerId = make_peer_id(self.name, "CIC")
        self.port = 4000
        self.servers: tuple[str, ...] = (f"{RENDEZVOUS}:8080",)
        self.limits, self.archive_settings = limits(nodes), archive(nodes)
        self.state = ABSENT
        self.node: Node | None = None
        self.history: DiskHistory | None = None
        bounds = Bounds(max_outbox=OUTBOX.max_messages, max_outbox_per_peer=OUTBOX.max_per_peer)
        self.disk = Disk(self.peer_id, bounds, self.wall_clock)
        self.ahead = 0.0  # of the true time, in seconds
        self.drift = 0.0  # seconds a second
        self.crashes = 0
        self.leaving_since = 0.0
        self.height = 0
        self.sent: dict[str, PeerId] = {}
        self.deliveries = Deliveries()
        self.unshown: set[tuple[str, str]] = set()
        self.missed: set[str] = set()
        self.shown: Counter[tuple[str, str]] = Counter()
        self.shown_texts: set[str] = set()
        self.posted: set[str] = set()
        self.promised: set[str] = set()
        self.confirmed: set[str] = set()
        self._fillings_before_leaving = 0
        self.left: Callable[[Inhabitant], None] = lambda _: None
        self._heard = heard

    def __str__(self) -> str:
        return self.name

    @property
    def host(self) -> HostReactor:
        return self.network.host(self.ip)

    @property
    def config(self) -> Config:
        return Config(
            peer=Peer(name=self.name, bind=self.ip, port=self.port),
            rendezvous=Rendezvous(servers=self.servers, embedded=False),
            connection=Connection(discovery_interval=15),
            limits=self.limits,
            archive=self.archive_settings,
            outbox=OUTBOX,
        )

    @property
    def is_running(self) -> bool:
        return self.state == RUNNING and self.node is not None

    @property
    def held_archive(self) -> ArchiveChats | None:
        """The archive in memory, while the node runs."""
        if self.state != RUNNING or self.node is None:
            return None
        return self._service(self.node).archive

    def connected_to(self) -> list[str]:
        """Return to whom there are links, once for each."""
        links = self.node.links() if self.node is not None and self.state == RUNNING else ()
        return [link.peer_id for link in links]

    def link_keys(self) -> list[tuple[str, str, str, int]]:
        """Return what tells each link from any other one, its peer first."""
        links = self.node.links() if self.node is not None and self.state == RUNNING else ()
        now = self.network.clock.now
        keys = ((one, round((now - one.age) * 1000)) for one in links)
        return [(one.peer_id, one.direction, one.address, since) for one, since in keys]

    @property
    def waiting_chats(self) -> int:
        """How many chats wait to be mined."""
        return self._service(self.node).waiting if self.node is not None else 0

    @staticmethod
    def _service(node: Node) -> ArchiveService:
        assert isinstance(node.archive, ArchiveService)
        return node.archive

    def start(self) -> None:
        """Start a process that knows nothing but what is on the disk, unless one runs."""
        if self.state != ABSENT:
            return
        host = self.host
        rng = Random(self.network.random.random())
        self.history = DiskHistory(host, self.peer_id, self.disk, self.wall_clock)
        self.height = 0
        self.state = RUNNING
        self.deliveries.begin()
        self.node = Node(
            *(host, rng, self.wall_clock, self.config, SilentLogs(), lambda: None),
            storage=self.disk.chats,
            history=self.history,
        )
        self.node.subscribe(self._note)
        self.node.privilegedStartService()
        self.node.startService()

    def crash(self) -> None:
        """End the process at once; what it was given and had not stored is gone with it."""
        if self.state == ABSENT:
            return
        self.network.crash(self.ip)
        self.node, self.state = None, ABSENT
        self.crashes += 1
        keys = ((e.source, e.msg_id) for e in self.disk.entries() if e.direction == "in")
        self.unshown.update(key for key in keys if not self.shown[key])
        self._forgive()

    def stop(self) -> None:
        """Leave as a user would; `left` is called a while after that is over."""
        if self.node is None or self.state != RUNNING:
            return
        self.state, self.leaving_since = LEAVING, self.network.clock.now
        self._fillings_before_leaving = self.disk.fillings - self.disk.full
        node, host = self.node, self.host
        node.stopService().addBoth(self._stopped, host)

    def say(self, to: PeerId, text: str) -> None:
        """Send a message, which may be refused."""
        if self.state == RUNNING and self.node is not None:
            sent = self.node.send(to, text)
            sent.addCallbacks(self.deliveries.accepted.add, _refused)

    def publish(self, target: str, text: str) -> str:
        """Publish a text; return its msg_id, or nothing if it is not running."""
        if self.state != RUNNING or self.node is None:
            return ""
        return self.node.publish(target, text)[0]

    def post(self, text: str) -> None:
        """Ask for a chat in the archive, which may be refused."""
        if self.state != RUNNING or self.node is None:
            return
        try:
            self.node.archive.chat(text)
        except RequestError:
            return
        self.posted.add(text)

    def wall_clock(self) -> datetime:
        """Return what this machine takes for the time."""
        return START + timedelta(seconds=self.network.clock.now * (1 + self.drift) + self.ahead)

    def _stopped(self, result: Any, host: HostReactor) -> None:
        self.network.trace(f"{self} has left: {result!r:.200}")
        if isinstance(result, Failure):
            result.raiseException()
        if self.disk.fillings > self._fillings_before_leaving:
            # what it had not stored by now it told its user
            self._forgive()
        host.run_at(self.network.clock.now + LINGER, self._over)

    def _over(self) -> None:
        self.left(self)
        self.node, self.state = None, ABSENT
        self.host.machine.end_process()

    def _forgive(self) -> None:
        """Hold the node to nothing but the chats that it promised or has on its disk."""
        self.deliveries.forgive()
        self.posted &= self.promised | {record.text for record in self.disk.chats.load().own}

    def _note(self, event: Event) -> None:
        if self.network.tracing:
            self.network.trace(f"{self} {event!r}")
        if isinstance(event, MessageReceived):
            self.shown[event.source, event.msg_id] += 1
            self.shown_texts.add(event.text)
        elif isinstance(event, DeliveryChanged):
            if event.state == "queued":
                self.sent[event.msg_id] = PeerId(event.to)
        elif isinstance(event, Notice) and " missed a /pub: " in event.text:
            self.missed.add(event.text.partition(" does not keep up and ")[0])
        elif isinstance(event, ChatChanged) and event.state in ("archived", "confirmed"):
            self.promised.add(event.text)
            if event.state == "confirmed":
                self.confirmed.add(event.text)
        self._heard(self, event)


def _refused(failure: Failure) -> None:
    failure.trap(RequestError)

"""Real nodes on a simulated network, and what must hold of them."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random

from twisted.logger import LogLevel

from p2pchat.config import Archive, Config, Connection, Peer, Rendezvous
from p2pchat.events import DeliveryChanged, Event, MessageReceived, PeerDown, PeerUp
from p2pchat.history import MAX_COUNT, Bounds, Entry
from p2pchat.identity import PeerId, make_peer_id
from p2pchat.node import Node
from p2pchat.store.memory import MemoryHistory
from tests.at_once import at_once
from tests.simulation.network import Network

RENDEZVOUS = "10.0.0.1"
START = datetime(2026, 1, 1, tzinfo=UTC)

#: What is not about the archive goes without it.
WITHOUT = Archive(enabled=False)


class SilentLogs:
    """Stands in for the log file."""

    destination = "-"
    level = LogLevel.info.name

    def set_level(self, level: str) -> None:
        self.level = level


class SimulatedNode:
    """One node on a machine of its own; `events` is all that it ever reported, over restarts."""

    def __init__(
        self, network: Network, number: int, connection: Connection, archive: Archive = WITHOUT
    ) -> None:
        self.network = network
        self.ip = f"10.0.0.{number}"
        self.name = f"n{number}"
        self.peer_id: PeerId = make_peer_id(self.name, "CIC")
        self.events: list[Event] = []
        self.connection = connection
        self.archive = archive
        self.port = 4000
        self.node: Node | None = None
        self.sent: dict[str, tuple[PeerId, str]] = {}
        #: What a disk keeps over restarts; there is none on a machine that never ran.
        self.history: MemoryHistory | None = None
        self.shown: Counter[str] = Counter()

    def start(self) -> None:
        """Start a node, as a new process would: with nothing remembered but what is on the disk."""
        host = self.network.host(self.ip)
        config = Config(
            peer=Peer(name=self.name, port=self.port),
            rendezvous=Rendezvous(host="127.0.0.1" if self.ip == RENDEZVOUS else RENDEZVOUS),
            connection=self.connection,
            archive=self.archive,
        )
        if self.history is None:
            self.history = MemoryHistory(host, self.peer_id, Bounds(), self._wall_clock)
        rng = Random(self.network.random.random())
        self.node = Node(
            *(host, rng, self._wall_clock, config, SilentLogs(), lambda: None),
            history=self.history,
        )
        self.node.subscribe(self._note)
        self.node.privilegedStartService()
        self.node.startService()

    def crash(self) -> None:
        """End the process at once; its disk stays as it is."""
        self.network.crash(self.ip)
        self.node = None

    def stop(self) -> None:
        """Leave as a user would; the network has to run for it to end."""
        assert self.node is not None
        node, self.node = self.node, None
        left: list[object] = []
        node.stopService().addBoth(left.append)
        self.network.run_until(lambda: left, limit_seconds=10)
        assert left == [None], left

    def send(self, other: "SimulatedNode", text: str) -> str:
        assert self.node is not None
        msg_id = at_once(self.node.send(other.peer_id, text))
        self.sent[msg_id] = (other.peer_id, text)
        return msg_id

    @property
    def running(self) -> Node:
        assert self.node is not None, f"{self.name} does not run"
        return self.node

    def connected_to(self) -> set[str]:
        assert self.node is not None
        return {link.peer_id for link in self.node.links()}

    def received(self) -> list[MessageReceived]:
        return [event for event in self.events if isinstance(event, MessageReceived)]

    def deliveries(self, msg_id: str) -> list[str]:
        """Return the states that one message of ours went through."""
        return [
            event.state
            for event in self.events
            if isinstance(event, DeliveryChanged) and event.msg_id == msg_id
        ]

    def outbox(self) -> list[str]:
        """Return the ids of what waits to be delivered, by the disk."""
        if self.history is None:
            return []
        return [entry.msg_id for entry in at_once(self.history.outbox())]

    def ups_and_downs(self, other: "SimulatedNode") -> list[str]:
        return [
            "up" if isinstance(event, PeerUp) else "down"
            for event in self.events
            if isinstance(event, PeerUp | PeerDown) and event.peer_id == other.peer_id
        ]

    def _wall_clock(self) -> datetime:
        return START + timedelta(seconds=self.network.clock.now)

    def _note(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, MessageReceived):
            self.shown[event.msg_id] += 1
        self.network.trace(f"{self.name} {event!r}")


def make_nodes(
    network: Network, count: int, archive: Archive = WITHOUT, **connection: float
) -> list[SimulatedNode]:
    """Make nodes that are not started yet; the first one's machine serves the rendezvous."""
    settings = Connection(**{"discovery_interval": 10, **connection})
    return [SimulatedNode(network, number, settings, archive) for number in range(1, count + 1)]


def all_connected(nodes: Sequence[SimulatedNode]) -> bool:
    """Tell whether each of these nodes has a link to each other one."""
    everybody = {node.peer_id for node in nodes}
    return all(node.connected_to() >= everybody - {node.peer_id} for node in nodes)


def check_honesty(nodes: Sequence[SimulatedNode]) -> None:
    """Check what must hold at any moment, whatever the network did and whoever crashed.

    Nothing is shown twice, over all lives of a process, or under the wrong name; what was reported
    as delivered was received; and what was not is still in the outbox of its sender, so that it
    will be. Nobody stores a message twice.
    """
    senders = {str(node.peer_id): node for node in nodes}
    stored = {node.peer_id: stored_by(node) for node in nodes}
    for node in nodes:
        for event in node.received():
            assert event.msg_id in senders[event.source].sent, f"{event} was never sent"
        assert set(node.shown.values()) <= {1}, f"{node.name} showed something twice"
        assert set(stored[node.peer_id].values()) <= {1}, f"{node.name} stored something twice"
        for msg_id, (to, _) in node.sent.items():
            received = msg_id in stored.get(to, ())
            assert "queued" in node.deliveries(msg_id), f"{msg_id} was never accepted"
            assert received or msg_id in node.outbox(), f"{msg_id} is lost"
            if "delivered" in node.deliveries(msg_id):
                assert received, f"{msg_id} was delivered to nobody"


def check_arrived(nodes: Sequence[SimulatedNode]) -> None:
    """Check what must hold once all of them lived long enough: whatever was accepted has arrived.

    It arrived once, unchanged, was told to be delivered, and nothing is under way any more. It was
    also shown, unless its receiver crashed between storing and showing it; then it is unread.
    """
    for receiver in nodes:
        entries = {e.msg_id: e for e in entries_of(receiver) if e.direction == "in"}
        for sender in nodes:
            sent = {i: text for i, (to, text) in sender.sent.items() if to == receiver.peer_id}
            arrived = {
                i: entry.text for i, entry in entries.items() if entry.source == sender.peer_id
            }
            assert arrived == sent, f"{sender.name} to {receiver.name}: {sent} became {arrived}"
    for node in nodes:
        assert node.outbox() == [], f"{node.name} still has something to send"
        states = {entry.state for entry in entries_of(node) if entry.direction == "out"}
        assert states <= {"delivered"}, f"{node.name}: {states}"


def entries_of(node: SimulatedNode) -> list[Entry]:
    """Return all that a node has stored, oldest first."""
    return at_once(node.history.entries(None, MAX_COUNT)) if node.history is not None else []


def stored_by(node: SimulatedNode) -> Counter[str]:
    """Count what a node has stored of what others said, by msg_id."""
    return Counter(entry.msg_id for entry in entries_of(node) if entry.direction == "in")

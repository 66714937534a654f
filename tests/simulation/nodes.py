"""Real nodes on a simulated network, and what must hold of them."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random

from twisted.logger import LogLevel

from p2pchat.config import Archive, Config, Connection, Peer, Rendezvous
from p2pchat.events import DeliveryChanged, Event, MessageReceived, PeerDown, PeerUp
from p2pchat.identity import PeerId, make_peer_id
from p2pchat.node import Node
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
        self.node: Node | None = None
        self.sent: dict[str, tuple[PeerId, str]] = {}
        self.abandoned: set[str] = set()
        self.shown: Counter[tuple[int, str]] = Counter()
        self._life = 0

    def start(self) -> None:
        """Start a node, as a new process would: with nothing remembered."""
        self._life += 1
        host = self.network.host(self.ip)
        config = Config(
            peer=Peer(name=self.name, port=4000),
            rendezvous=Rendezvous(host="127.0.0.1" if self.ip == RENDEZVOUS else RENDEZVOUS),
            connection=self.connection,
            archive=self.archive,
        )
        rng = Random(self.network.random.random())
        self.node = Node(host, rng, self._wall_clock, config, SilentLogs(), lambda: None)
        self.node.subscribe(self._note)
        self.node.privilegedStartService()
        self.node.startService()

    def crash(self) -> None:
        """End the process at once; nobody is left to tell how its messages ended."""
        self.abandoned |= self.sent.keys()
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
        msg_id = self.node.send(other.peer_id, text)
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
            self.shown[self._life, event.msg_id] += 1
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
    """Check what must hold at any moment, whatever the network did.

    Nothing is shown twice by one process or under the wrong name, and what was reported as
    delivered was received.
    """
    senders = {str(node.peer_id): node for node in nodes}
    received = {event.msg_id: event for node in nodes for event in node.received()}
    for event in received.values():
        assert event.msg_id in senders[event.source].sent, f"{event} was never sent"
    for node in nodes:
        assert set(node.shown.values()) <= {1}, f"{node.name} showed something twice"
        for msg_id, (to, text) in node.sent.items():
            if "delivered" in node.deliveries(msg_id):
                assert msg_id in received, f"{msg_id} was delivered to nobody"
                assert (received[msg_id].to, received[msg_id].text) == (to, text)

"""The base of tests with whole chat services: it makes nodes and peers, and checks what must hold.

Whatever a test does, at its end every node leaves, and then: no timer is left, each delivery went
one of the ways there are, peers came and went in turns, no legacy peer got two lines at once
(2.2), and each goodbye was to somebody (2.9).
"""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chat.messages import ArchiveOffer
from p2pchat.chat.service import ChatService
from p2pchat.config import Config, make_config
from p2pchat.events import DeliveryChanged, Event, MessageReceived, PeerDown, PeerUp
from p2pchat.history import Bounds, History
from p2pchat.identity import Address, make_peer_id
from p2pchat.store.memory import MemoryHistory
from tests.at_once import at_once
from tests.chat.scripted import POLITE, ScriptedLink, ScriptedPeer
from tests.chat.world import World

E = TypeVar("E", bound=Event)

#: leave() must be done by then, in seconds.
LEAVE_BOUND = 4.0


class ChatNode:
    """A chat service on a machine of its own, and all that it reported."""

    def __init__(
        self,
        world: World,
        name: str,
        ip: str,
        sections: dict[str, dict[str, Any]],
        *,
        any_port: bool = False,
        history: History | None = None,
        opens: bool = True,
    ) -> None:
        self.world = world
        peer = {"name": name, "namespace": "CIC", **sections.pop("peer", {})}
        config = make_config({"peer": peer, **sections}, {})
        self.peer_id = make_peer_id(name, config.peer.namespace)
        self.events: list[Event] = []
        self.sent: list[str] = []
        #: Called with each event behind its record, as a front end would be.
        self.listener: Callable[[Event], None] = lambda event: None
        #: What it says of its archive, and what it was told of others, with their IP addresses.
        self.offer: ArchiveOffer | None = None
        self.offered: list[tuple[str, ArchiveOffer]] = []
        #: How often a peer was not where it was last seen.
        self.moves = 0
        machine = world.machine(ip)
        self.history = history if history is not None else self._make_history(machine, config)
        self.chat = ChatService(
            *(machine, Random(name), self._wall_clock),
            *(self.peer_id, config, self.history, self._report),
            offer=lambda: self.offer,
            offered=lambda *offer: self.offered.append(offer),
            moved=self._count_move,
        )
        self.chat.listen(any_port=any_port)
        self.address = Address(ip, self.chat.local.port)
        self.chat.startService()
        self.left: Deferred[None] | None = None
        if opens:
            self.open()

    def open(self) -> None:
        """Let the history be open."""
        opened = at_once(self.history.open())
        self.chat.resume(opened)
        self.chat.remember(at_once(self.history.peers()))

    def _count_move(self) -> None:
        self.moves += 1

    def _report(self, event: Event) -> None:
        self.events.append(event)
        self.listener(event)

    def _make_history(self, machine: Any, config: Config) -> History:
        bounds = Bounds(
            max_outbox=config.outbox.max_messages, max_outbox_per_peer=config.outbox.max_per_peer
        )
        return MemoryHistory(machine, self.peer_id, bounds, self._wall_clock)

    def _wall_clock(self) -> datetime:
        return datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=self.world.now)

    def discovers(self, peer: "ChatNode | ScriptedPeer") -> None:
        self.chat.discovered([(peer.peer_id, peer.address)])

    def sends(self, peer: "ChatNode | ScriptedPeer", text: str) -> str:
        """Send a message and return its id; that it ends is checked when the test does."""
        self.sent.append(at_once(Deferred.fromCoroutine(self.chat.send(peer.peer_id, text))))
        return self.sent[-1]

    def cancels(self, message: int | str) -> bool:
        """Withdraw a message; tell whether there was one to withdraw."""
        return at_once(Deferred.fromCoroutine(self.chat.cancel(message)))

    def leaves(self) -> None:
        self.left = Deferred.fromCoroutine(self.chat.leave())

    def reported(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def texts(self) -> list[str]:
        return [event.text for event in self.reported(MessageReceived)]

    def states(self, msg_id: str) -> list[str]:
        """Return what became of a message, step by step."""
        return [event.state for event in self.reported(DeliveryChanged) if event.msg_id == msg_id]

    def failure(self, msg_id: str) -> str:
        """Return why a message failed."""
        (reason,) = (
            event.reason
            for event in self.reported(DeliveryChanged)
            if event.msg_id == msg_id and event.state == "failed"
        )
        return reason

    @property
    def connected(self) -> list[str]:
        """The peers with a link, by id."""
        return [info.peer_id for info in self.chat.peer_infos() if info.state == "connected"]

    def state_of(self, peer: "ChatNode | ScriptedPeer") -> str:
        (state,) = (i.state for i in self.chat.peer_infos() if i.peer_id == peer.peer_id)
        return state


class ChatCase(SynchronousTestCase):
    """A world, nodes and scripted peers in it, and the checks at its end."""

    def setUp(self) -> None:
        self.world = World()
        self.nodes: list[ChatNode] = []
        self.peers: list[ScriptedPeer] = []

    # What a test says

    def node(
        self,
        name: str = "alice",
        *,
        history: History | None = None,
        opens: bool = True,
        **sections: dict[str, Any],
    ) -> ChatNode:
        """Make a node 10.0.0.N:4000; `connection`, `limits` and so on override the defaults.

        With the `history` of another node it is that one's next life. If it `opens` not, a test
        has to see to that.
        """
        ip = f"10.0.0.{len(self.nodes) + 1}"
        node = ChatNode(self.world, name, ip, sections, history=history, opens=opens)
        self.nodes.append(node)
        return node

    def legacy(self, name: str = "bob", *, listens: bool = True, **options: Any) -> ScriptedPeer:
        """Make a scripted peer 10.0.1.N:4000."""
        options.setdefault("answers", POLITE)
        ip = options.pop("ip", f"10.0.1.{len(self.peers) + 1}")
        peer = ScriptedPeer(self.world, f"{name}@CIC", ip, 4000, **options)
        if listens:
            peer.listen()
        self.peers.append(peer)
        return peer

    def run_for(self, seconds: float) -> None:
        self.world.run(seconds)

    def dialled_by(self, node: ChatNode, peer: ScriptedPeer) -> ScriptedLink:
        """Let a legacy peer dial a node, and the handshake and the first PING be done."""
        link = peer.dial(node.address)
        self.run_for(0.2)
        return link

    def dial(self, node: ChatNode, peer: "ScriptedPeer | ChatNode") -> None:
        """Let a node discover a peer, dial it, and the handshake and the first PING be done."""
        node.discovers(peer)
        self.run_for(3)

    # What holds at the end of every test

    def tearDown(self) -> None:
        for node in self.nodes:
            if node.left is None:
                node.leaves()
        self.run_for(LEAVE_BOUND)
        for node in self.nodes:
            assert node.left is not None
            self.successResultOf(node.left)
        self.run_for(LEAVE_BOUND)
        self.assertEqual(self.world.clock.getDelayedCalls(), [])
        for node in self.nodes:
            self._check_deliveries(node)
            self._check_presence(node)
        self._check_pacing()
        self._check_goodbyes()

    def _check_deliveries(self, node: ChatNode) -> None:
        steps: dict[str, list[str]] = {}
        for event in node.reported(DeliveryChanged):
            steps.setdefault(event.msg_id, []).append(event.state)
        for msg_id in node.sent:
            self.assertIn(steps.pop(msg_id, []), ENDINGS, msg_id)
        self.assertEqual(steps, {}, "a delivery of what nobody sent")

    def _check_presence(self, node: ChatNode) -> None:
        up: dict[str, bool] = {}
        for event in node.events:
            if isinstance(event, PeerUp | PeerDown):
                is_up = isinstance(event, PeerUp)
                self.assertNotEqual(up.get(event.peer_id, False), is_up, f"{event} out of turn")
                up[event.peer_id] = is_up

    def _check_pacing(self) -> None:
        for peer in self.peers:
            for link in peer.links:
                if "agent" not in peer.introduction and link.transport is not None:
                    self._check_one_line_a_segment(link)

    def _check_goodbyes(self) -> None:
        for link in (link for peer in self.peers for link in peer.links if link.transport):
            for bye in (*link.got("BYE"), *link.got("BYE_OK")):
                self.assertRegex(bye["dst"], ".@.", "a goodbye to nobody (2.9)")

    def _check_one_line_a_segment(self, link: ScriptedLink) -> None:
        segments = link.node_end.written
        for _, data in segments:
            self.assertEqual(data.count(b"\n"), 1, "several lines in one segment (2.2)")
        for before, after in itertools.pairwise(segments):
            self.assertGreater(after.time, before.time, "two lines at one instant (2.2)")


#: All ways in which a message to one peer may go while a node lives; what is not delivered stays in
#: the history for its next life. An ACK that comes late is told too.
ENDINGS = [
    ["queued"],
    ["queued", "sent"],
    ["queued", "sent", "delivered"],
    ["queued", "failed"],
    ["queued", "sent", "failed"],
    ["queued", "sent", "failed", "delivered"],
]

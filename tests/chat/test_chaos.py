"""Three nodes on a bad network: whatever happens, each message arrives, and once."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from p2pchat.events import DeliveryChanged, MessageReceived
from tests.chat.cases import ChatCase
from tests.chat.world import World

NAMES = ("ann", "bob", "eve")

_who = st.integers(0, len(NAMES) - 1)
_steps = st.one_of(
    st.tuples(st.just("send"), _who, _who),
    st.tuples(st.just("send"), _who, _who),
    st.tuples(st.just("discover"), _who, _who),
    st.tuples(st.just("reconnect"), _who, st.just(0)),
    st.tuples(st.just("cut"), st.integers(0, 9), st.just(0)),
    st.tuples(st.just("pause"), st.integers(0, 9), _who),
    st.tuples(st.just("wait"), st.integers(0, 4), st.just(0)),
)

#: What to wait, in seconds: less than a latency up to more than any timeout of a message.
WAITS = (0.0, 0.0015, 0.3, 2.0, 6.0)


class Chaos(ChatCase):
    @settings(deadline=None, max_examples=60)
    @given(
        st.lists(_steps, max_size=40),
        st.lists(st.sampled_from([0.001, 0.2]), min_size=12, max_size=12),
    )
    def test_no_message_is_doubled_or_lost(
        self, steps: list[tuple[str, int, int]], latencies: list[float]
    ) -> None:
        self.setUp()
        self.meet(latencies)
        for verb, first, second in steps:
            getattr(self, verb)(first, second)
        self.heal()
        self.run_for(60)
        self.check_messages()
        self.tearDown()

    def meet(self, latencies: list[float]) -> None:
        self.world = World()
        for name in NAMES:
            self.node(name)
        ips = [node.address.host for node in self.nodes]
        pairs = [(a, b) for a in ips for b in ips if a != b]
        for number, pair in enumerate(pairs):
            self.world.latencies[pair] = latencies[2 * number], latencies[2 * number + 1]
        for node in self.nodes:
            node.chat.discovered([(other.peer_id, other.address) for other in self.nodes])

    def send(self, first: int, second: int) -> None:
        sender, receiver = self.nodes[first], self.nodes[second]
        if sender is not receiver:
            sender.sends(receiver, "x")

    def discover(self, first: int, second: int) -> None:
        self.nodes[first].discovers(self.nodes[second])

    def reconnect(self, first: int, _: int) -> None:
        self.nodes[first].chat.reconnect()

    def cut(self, number: int, _: int) -> None:
        alive = [c for c in self.world.connections if not (c.client.closed or c.server.closed)]
        if alive:
            alive[number % len(alive)].client.cut()

    def pause(self, number: int, second: int) -> None:
        """Let one end of a connection read nothing until the network heals."""
        if self.world.connections:
            connection = self.world.connections[number % len(self.world.connections)]
            connection[second % 2].pauseProducing()

    def wait(self, number: int, _: int) -> None:
        self.run_for(WAITS[number])

    def heal(self) -> None:
        for connection in self.world.connections:
            for end in connection:
                end.resumeProducing()
        self.run_for(20)
        for node in self.nodes:
            node.chat.reconnect()

    def check_messages(self) -> None:
        for receiver in self.nodes:
            shown = Counter(event.msg_id for event in receiver.reported(MessageReceived))
            self.assertLessEqual(set(shown.values()), {1}, "a message was shown twice")
        for sender in self.nodes:
            self.assertEqual(sender.chat.pending, 0)
            for event in sender.reported(DeliveryChanged):
                self.assertEqual(self.shown(event.to).count(event.msg_id), 1)
            for msg_id in sender.sent:
                self.assertEqual(sender.states(msg_id), ["queued", "sent", "delivered"])

    def shown(self, peer_id: str) -> list[str]:
        (node,) = (node for node in self.nodes if node.peer_id == peer_id)
        return [event.msg_id for event in node.reported(MessageReceived)]

"""The hall: finding the peer that a name means, waiting for peers, joining the wings."""

from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import RequestError
from p2pchat.events import DeliveryChanged, Event, HistoryOpened, Notice
from p2pchat.history import Bounds, Opened, StoreError
from p2pchat.identity import Address, PeerId, make_peer_id
from p2pchat.naming import MAX_SUGGESTIONS
from p2pchat.node import Node
from p2pchat.opening import RETRY_TIME
from p2pchat.store.memory import MemoryHistory
from tests.at_once import at_once
from tests.simulation.network import Network
from tests.simulation.nodes import START, SimulatedNode, make_nodes


class ResolveTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.network = Network(1)
        self.nodes = make_nodes(self.network, 2)
        for node in self.nodes:
            node.start()
        self.network.run_until(lambda: self.nodes[0].connected_to(), limit_seconds=30)
        self.node: Node = self.nodes[0].node

    def discover(self, *names: str) -> None:
        self.node.discovered(
            [
                (PeerId(name), Address("10.9.9.9", 1000 + number))
                for number, name in enumerate(names)
            ]
        )

    def problem(self, name: str) -> str:
        return str(self.assertRaises(RequestError, self.node.resolve, name))

    def test_by_id_and_by_name(self) -> None:
        self.assertEqual(self.node.resolve("n2@CIC"), "n2@CIC")
        self.assertEqual(self.node.resolve("n2"), "n2@CIC")

    def test_a_connected_one_comes_before_others_of_its_name(self) -> None:
        self.discover("n2@LAB", "carol@LAB", "carol@CIC")
        self.assertEqual(self.node.resolve("n2"), "n2@CIC")
        self.assertIn("ambiguous: carol@CIC, carol@LAB", self.problem("carol"))

    def test_an_id_never_means_a_peer_whose_name_looks_like_it(self) -> None:
        self.discover("bob@CIC@X")
        self.assertEqual(self.node.resolve("bob@CIC"), "bob@CIC")
        self.assertEqual(self.node.resolve("bob@CIC@X"), "bob@CIC@X")

    def test_mistakes(self) -> None:
        self.discover("margaret@LAB")
        self.assertIn("is you", self.problem("n1"))
        self.assertIn("is you", self.problem("n1@CIC"))
        newcomer = "write {}@CIC to leave a message for somebody new"
        nearest = "no peer margret is known; did you mean margaret@LAB? "
        self.assertEqual(self.problem("margret"), nearest + newcomer.format("margret"))
        nothing = "no peer zed is known; /peers lists all; "
        self.assertEqual(self.problem("zed"), nothing + newcomer.format("zed"))
        # whoever has an @ in his name is hardly meant
        self.assertNotIn("write", self.problem("zed@"))
        self.assertIn("\\x1b[2J", self.problem("\x1b[2J"))

    def test_a_whole_id_is_taken_though_nobody_has_heard_of_it(self) -> None:
        self.assertEqual(self.node.resolve("zed@CIC"), "zed@CIC")
        self.assertIn("no peer", self.problem("zed"))

    def test_a_mistake_among_many_long_names_is_cheap(self) -> None:
        names = [make_peer_id(f"{'ab' * 30}{number}", "CIC") for number in range(5000)]
        self.discover(*names)
        self.network.run_until(  # they are noted a few at a time
            lambda: len(self.node.peers()) > MAX_SUGGESTIONS, limit_seconds=1
        )
        self.assertIn("no peer", self.problem("ba" * 30))


class FailingHistory(MemoryHistory):
    """A history that opens at the last of so many attempts."""

    def __init__(self, failures: int) -> None:
        super().__init__(Clock(), PeerId("n1@CIC"), Bounds(), lambda: START)
        self.failures = failures
        self.attempts = 0

    def open(self) -> "Deferred[Opened]":
        self.attempts += 1
        if self.attempts <= self.failures:
            return fail(StoreError("disk full"))
        return super().open()


class OpeningTests(SynchronousTestCase):
    def start(self, failures: int) -> SimulatedNode:
        self.network = Network(4)
        (node,) = make_nodes(self.network, 1)
        self.history = node.history = FailingHistory(failures)
        node.start()
        return node

    def told(self, node: SimulatedNode) -> list[str]:
        return [event.text for event in node.events if isinstance(event, Notice)]

    def opened(self, node: SimulatedNode) -> list[tuple[int, int]]:
        return [(e.unread, e.waiting) for e in node.events if isinstance(e, HistoryOpened)]

    def test_it_is_tried_again_until_it_opens_and_told_once(self) -> None:
        node = self.start(failures=3)
        self.network.advance(4 * RETRY_TIME)
        self.assertEqual(self.history.attempts, 4)
        said = [text for text in self.told(node) if "history" in text]
        self.assertEqual(said, ["the history cannot be opened: disk full; trying again"])
        self.assertEqual(self.opened(node), [(0, 0)])

    def test_a_node_that_leaves_tries_no_more(self) -> None:
        node = self.start(failures=1000)
        self.network.advance(RETRY_TIME / 2)
        node.stop()
        attempts = self.history.attempts
        self.network.advance(3 * RETRY_TIME)
        self.assertEqual(self.history.attempts, attempts)
        self.assertEqual(self.opened(node), [])

    def test_what_is_sent_meanwhile_fails_at_once(self) -> None:
        node = self.start(failures=2)
        sent = node.running.send(PeerId("zed@CIC"), "hello")
        error = self.failureResultOf(sent, RequestError).value
        text = "not sent to zed@CIC: the history cannot be opened: disk full"
        self.assertEqual(str(error), text)
        self.network.advance(3 * RETRY_TIME)
        at_once(node.running.send(PeerId("zed@CIC"), "hello"))
        self.assertEqual(node.running.pending, 1)

    def test_what_waits_is_told_at_the_next_start(self) -> None:
        node = self.start(failures=0)
        at_once(node.running.send(PeerId("zed@CIC"), "hello"))
        node.crash()
        node.start()
        self.assertEqual(self.opened(node), [(0, 0), (0, 1)])

    def test_what_is_too_old_is_known_before_it_fails(self) -> None:
        node = self.start(failures=0)
        at_once(node.running.send(PeerId("zed@CIC"), "hello"))
        node.crash()
        self.network.advance(8 * 86400)
        seen: list[tuple[type[Event], list[str]]] = []
        note = node._note

        def look(event: Event) -> None:
            seen.append((type(event), [entry.text for entry in node.running.left_over]))
            note(event)

        self.patch(node, "_note", look)
        node.start()
        self.assertEqual(seen[:2], [(HistoryOpened, ["hello"]), (DeliveryChanged, [])])
        self.assertEqual(node.events[-2].reason, "no confirmation within 7 days")


class AddresseeTests(SynchronousTestCase):
    """Somebody whom nobody ever saw, but who has a message waiting."""

    def setUp(self) -> None:
        network = Network(5)
        (self.node,) = make_nodes(network, 1)
        self.node.start()
        at_once(self.node.running.send(PeerId("zed@CIC"), "hello"))

    def test_is_known_by_name_at_once(self) -> None:
        self.assertEqual(self.node.running.resolve("zed"), "zed@CIC")

    def test_and_after_a_restart(self) -> None:
        self.node.crash()
        self.node.start()
        self.assertEqual(self.node.running.resolve("zed"), "zed@CIC")

    def test_but_not_because_it_was_refused(self) -> None:
        refused = self.node.running.send(PeerId("yan@CIC"), "x" * 100_000)
        self.failureResultOf(refused, RequestError)
        self.assertRaises(RequestError, self.node.running.resolve, "yan")


class GatheredTests(SynchronousTestCase):
    def test_it_waits_for_discovery_and_for_the_peers_it_shows(self) -> None:
        network = Network(2)
        first, second = make_nodes(network, 2)
        first.start()
        network.advance(5)
        second.start()
        gathered: list[object] = []
        second.node.gathered(30.0).addBoth(gathered.append)
        network.run_until(lambda: gathered, limit_seconds=10)
        self.assertEqual(gathered, [None])
        self.assertEqual(second.connected_to(), {"n1@CIC"})

    def test_it_waits_no_longer_than_it_may(self) -> None:
        network = Network(3)
        lonely = make_nodes(network, 2)[1]  # the rendezvous is on a machine that does not run
        lonely.start()
        gathered: list[object] = []
        lonely.node.gathered(2.0).addBoth(gathered.append)
        network.advance(1.0)
        self.assertEqual(gathered, [])
        network.advance(1.5)
        self.assertEqual(gathered, [None])

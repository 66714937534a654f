"""The hall: finding the peer that a name means, waiting for peers, joining the wings."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import RequestError
from p2pchat.identity import Address, PeerId, make_peer_id
from p2pchat.node import MAX_SUGGESTIONS, Node
from p2pchat.rendezvous.service import Found
from tests.simulation.network import Network
from tests.simulation.nodes import make_nodes


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
                Found(PeerId(name), Address("10.9.9.9", 1000 + number), 60.0)
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
        self.assertIn("no peer bob@CIC is known", self.problem("bob@CIC"))
        self.assertEqual(self.node.resolve("bob@CIC@X"), "bob@CIC@X")

    def test_mistakes(self) -> None:
        self.discover("margaret@LAB")
        self.assertIn("is you", self.problem("n1"))
        self.assertIn("is you", self.problem("n1@CIC"))
        self.assertIn("did you mean margaret@LAB?", self.problem("margret"))
        self.assertNotIn("did you mean", self.problem("zed@CIC"))
        self.assertIn("\\x1b[2J", self.problem("\x1b[2J"))

    def test_a_mistake_among_many_long_names_is_cheap(self) -> None:
        names = [make_peer_id(f"{'ab' * 30}{number}", "CIC") for number in range(5000)]
        self.discover(*names)
        self.assertGreater(len(self.node.peers()), MAX_SUGGESTIONS)
        self.assertIn("no peer", self.problem("ba" * 30))


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

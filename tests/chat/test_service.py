"""The service as the node sees it: its port, and what it shows of peers and links."""

from datetime import UTC, datetime

from p2pchat.errors import StartError
from p2pchat.history import KnownPeer
from p2pchat.identity import Address, PeerId
from tests.chat.cases import ChatCase, ChatNode


class Listening(ChatCase):
    def test_it_tells_where_it_listens(self) -> None:
        self.assertEqual(self.node(peer={"port": 4321}).chat.local, ("0.0.0.0", 4321))
        self.assertEqual(self.node("bob", peer={"bind": "10.0.0.2"}).chat.local[0], "10.0.0.2")

    def test_a_port_that_is_taken_stops_the_start_with_one_clear_line(self) -> None:
        node = self.node()
        error = self.assertRaises(
            StartError, ChatNode, self.world, "bob", node.address.host, {}, any_port=False
        )
        self.assertIn("cannot listen on 0.0.0.0:4000", str(error))
        self.assertIn("--port", str(error))
        self.assertTrue(str(error).isprintable())

    def test_or_a_free_one_is_taken(self) -> None:
        node = self.node()
        other = ChatNode(self.world, "bob", node.address.host, {}, any_port=True)
        self.nodes.append(other)
        self.assertNotEqual(other.address.port, 4000)
        link = self.dialled_by(other, self.legacy("eve"))
        self.assertEqual(link.types[:1], ["HELLO_OK"])


class Snapshots(ChatCase):
    def test_peers_connected_ones_first_then_by_name(self) -> None:
        node, zoe = self.node(), self.legacy("zoe")
        for name in ("eve", "bob"):
            node.discovers(self.legacy(name, listens=False))
        self.dialled_by(node, zoe)
        states = [(info.peer_id, info.state) for info in node.chat.peer_infos()]
        expected = [("zoe@CIC", "connected"), ("bob@CIC", "connecting"), ("eve@CIC", "connecting")]
        self.assertEqual(states, expected)

    def test_what_is_known_of_a_peer(self) -> None:
        node, bob = self.node(), self.legacy()
        self.dial(node, bob)
        bob.link.transport.cut()
        lost_at = self.world.now
        self.run_for(0.5)
        (info,) = node.chat.peer_infos()
        self.assertEqual((info.address, info.addresses), (None, ["10.0.1.1:4000"]))
        self.assertEqual((info.modern, info.rtt.count), (False, 1))
        self.assertApproximates(info.last_seen, self.world.now - lost_at, 0.001)

    def test_a_peer_is_where_its_link_is_wherever_else_it_is_said_to_be(self) -> None:
        node, bob = self.node(), self.legacy()
        self.dial(node, bob)
        node.chat.discovered([(bob.peer_id, Address("10.0.9.9", 4000))])
        (info,) = node.chat.peer_infos()
        self.assertEqual(info.address, "10.0.1.1:4000")
        self.assertEqual(info.addresses, ["10.0.9.9:4000", "10.0.1.1:4000"])

    def test_what_is_known_of_a_link(self) -> None:
        node, bob = self.node(), self.legacy()
        link = self.dialled_by(node, bob)
        link.answers.discard("SEND")
        for number in range(3):
            node.sends(bob, str(number))
        self.run_for(1)
        (info,) = node.chat.link_infos()
        self.assertEqual((info.peer_id, info.direction), ("bob@CIC", "in"))
        self.assertEqual((info.modern, info.agent, info.queued), (False, "", 2))
        self.assertTrue(info.address.startswith("10.0.1.1:"))
        self.assertApproximates(info.age, 1.2, 0.01)

    def test_a_modern_peer_names_its_agent(self) -> None:
        alice, bob = self.node("alice"), self.node("bob")
        self.dial(alice, bob)
        (info,) = bob.chat.link_infos()
        self.assertRegex(info.agent, r"^p2pchat/\d")
        self.assertEqual((info.direction, info.modern), ("in", True))

    def test_known_ids_and_one_peer(self) -> None:
        node, bob = self.node(), self.legacy(listens=False)
        node.discovers(bob)
        self.assertEqual(node.chat.known_ids(), ["bob@CIC"])
        self.assertIsNotNone(node.chat.find(bob.peer_id))
        self.assertIsNone(node.chat.find(node.peer_id))

    def test_who_is_known_by_name_only_is_not_dialled_and_fills_no_table(self) -> None:
        node, bob = self.node(limits={"max_known_peers": 50}), self.legacy(listens=False)
        node.discovers(bob)
        names = [PeerId(f"peer{number}@CIC") for number in range(100)]
        now = datetime(2025, 1, 1, tzinfo=UTC)
        node.chat.remember(KnownPeer(name, (), now) for name in [*names, node.peer_id])
        self.assertEqual([info.peer_id for info in node.chat.peer_infos()], ["bob@CIC"])
        self.assertEqual({*node.chat.known_ids()}, {*names[50:], bob.peer_id})
        self.assertEqual(node.chat.reconnect(), 1)

    def test_silent_connections_are_counted(self) -> None:
        node, bob = self.node(), self.legacy()
        link = bob.dial(node.address, hello=False)
        self.run_for(0.1)
        self.assertEqual(node.chat.handshakes, 1)
        link.say_hello()
        self.run_for(0.1)
        self.assertEqual(node.chat.handshakes, 0)

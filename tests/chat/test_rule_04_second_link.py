"""Rule 2.4: answers that mean "already connected" are no failure, and lead to no retry storm."""

from p2pchat.events import PeerDown, PeerUp
from tests.chat.cases import ChatCase, ChatNode
from tests.chat.scripted import ScriptedPeer

#: All retries of the default backoff fit into this many seconds.
LONG = 120.0


class SecondLink(ChatCase):
    def discovered(self) -> tuple[ChatNode, ScriptedPeer]:
        """Return a node that said HELLO to a peer that has not answered yet."""
        node, peer = self.node(), self.legacy(answers={"BYE"})
        node.discovers(peer)
        self.run_for(2.1)
        self.assertEqual(peer.link.types, ["HELLO"])
        return node, peer

    def assert_not_dialled_again(self, node: ChatNode) -> None:
        dials = len(self.world.dials)
        self.run_for(LONG)
        self.assertEqual(len(self.world.dials), dials)
        self.assertEqual(node.connected, [])

    def test_rule_04_hello_ok_then_end_of_stream(self) -> None:
        node, peer = self.discovered()
        peer.link.say_hello_ok()
        peer.link.close()
        self.assert_not_dialled_again(node)

    def test_rule_04_hello_ok_then_hello_reject(self) -> None:
        node, peer = self.discovered()
        peer.link.say_hello_ok()
        peer.link.send(type="HELLO_REJECT", reason="already connected", peer_id="bob@CIC")
        peer.link.close()
        self.assert_not_dialled_again(node)

    def test_rule_04_hello_ok_and_hello_reject_in_one_read(self) -> None:
        node, peer = self.discovered()
        peer.link.write(
            b'{"type":"HELLO_OK","peer_id":"bob@CIC"}\n'
            b'{"type":"HELLO_REJECT","reason":"dup","peer_id":"bob@CIC"}\n'
        )
        self.run_for(0.1)
        self.assertIn("BYE", peer.link.types)
        self.assert_not_dialled_again(node)

    def test_rule_04_hello_reject_instead_of_hello_ok(self) -> None:
        node, peer = self.discovered()
        peer.link.send(type="HELLO_REJECT", reason="full", peer_id="bob@CIC")
        self.assert_not_dialled_again(node)
        self.assertEqual(node.reported(PeerUp), [])

    def test_rule_04_end_of_stream_instead_of_hello_ok(self) -> None:
        node, peer = self.discovered()
        peer.link.close()
        self.assert_not_dialled_again(node)
        self.assertEqual(node.reported(PeerUp), [])

    def test_rule_04_bye_instead_of_hello_ok(self) -> None:
        node, peer = self.discovered()
        peer.link.send(type="BYE", msg_id="1", reason="full")
        self.assert_not_dialled_again(node)

    def test_rule_04_a_peer_that_spoke_and_then_ended_is_lost_and_dialled_again(self) -> None:
        _, peer = self.discovered()
        peer.link.say_hello_ok()
        peer.link.send(type="PING", msg_id="1")
        self.run_for(0.1)
        peer.link.close()
        self.run_for(3)
        self.assertEqual(len(self.world.dials), 2)

    def test_rule_04_discovery_dials_it_again(self) -> None:
        node, peer = self.discovered()
        peer.link.close()
        self.run_for(LONG)
        peer.answers = {"HELLO", "PING", "BYE"}
        node.discovers(peer)
        self.run_for(3)
        self.assertEqual(node.connected, [peer.peer_id])

    def test_rule_04_the_link_that_we_have_goes_on(self) -> None:
        node, peer = self.node(), self.legacy(answers={"PING", "SEND", "BYE"})
        node.discovers(peer)
        self.run_for(0.4)
        self.dialled_by(node, peer)
        node.chat.reconnect()
        self.run_for(3)
        self.assertEqual(node.connected, [peer.peer_id])
        msg_id = node.sends(peer, "hi")
        self.run_for(1)
        self.assertEqual(node.states(msg_id), ["queued", "sent", "delivered"])
        self.assertEqual(node.reported(PeerDown), [])

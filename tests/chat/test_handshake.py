"""The handshake and its deadline, on links that we accept and on links that we dial."""

from p2pchat.events import PeerUp
from tests.chat.cases import ChatCase

DEADLINE = 5.0


class Deadline(ChatCase):
    def test_who_says_nothing_within_5_seconds_is_closed_with_a_reason(self) -> None:
        node = self.node()
        link = self.legacy().dial(node.address, hello=False)
        self.run_for(DEADLINE - 0.01)
        self.assertEqual((link.types, link.lost), ([], None))
        self.run_for(0.1)
        self.assertEqual(link.types, ["HELLO_REJECT"])
        self.assertEqual(link.lines[0].message["reason"], "no HELLO within 5 s")
        self.assertIsNotNone(link.lost)
        self.assertEqual(node.chat.handshakes, 0)

    def test_half_a_hello_does_not_count(self) -> None:
        node = self.node()
        link = self.legacy().dial(node.address, hello=False)
        for byte in b'{"type":':
            self.run_for(0.6)
            link.write(bytes([byte]))
        self.run_for(DEADLINE - 0.6 * 8 + 0.1)
        self.assertIsNotNone(link.lost)

    def test_a_hello_just_in_time_counts(self) -> None:
        node = self.node()
        link = self.legacy().dial(node.address, hello=False)
        self.run_for(DEADLINE - 0.1)
        link.say_hello()
        self.run_for(60)
        self.assertIsNone(link.lost)
        self.assertEqual(node.connected, ["bob@CIC"])

    def test_a_dialled_peer_that_says_nothing_is_closed_and_dialled_again(self) -> None:
        node, peer = self.node(), self.legacy(answers=())
        node.discovers(peer)
        self.run_for(2.1)
        dialled = self.world.dials[0].time
        self.run_for(DEADLINE)
        (link,) = peer.links
        self.assertEqual(link.types, ["HELLO", "BYE"])
        self.assertEqual(link.lines[1].message["reason"], "no HELLO_OK within 5 s")
        self.assertAlmostEqual(link.lines[1].time - dialled, DEADLINE, places=1)
        self.run_for(3)
        self.assertEqual(len(peer.links), 2)

    def test_the_deadline_comes_from_the_configuration(self) -> None:
        node = self.node(limits={"handshake_timeout": 1})
        link = self.legacy().dial(node.address, hello=False)
        self.run_for(1.1)
        self.assertIsNotNone(link.lost)

    def test_a_handshake_ends_the_deadline(self) -> None:
        alice, bob = self.node("alice"), self.node("bob")
        self.dial(alice, bob)
        self.run_for(10 * DEADLINE)
        self.assertEqual((alice.connected, bob.connected), (["bob@CIC"], ["alice@CIC"]))


class Introductions(ChatCase):
    def test_what_is_reported_of_a_peer(self) -> None:
        node = self.node()
        self.dialled_by(node, self.legacy())
        eve = self.legacy("eve")
        self.dial(node, eve)
        bob_up, eve_up = node.reported(PeerUp)
        self.assertEqual((bob_up.peer_id, bob_up.direction), ("bob@CIC", "in"))
        self.assertTrue(bob_up.address.startswith("10.0.1.1:"))
        self.assertEqual((eve_up.peer_id, eve_up.direction), ("eve@CIC", "out"))
        self.assertEqual(eve_up.address, "10.0.1.2:4000")

    def test_talk_before_hello_is_refused(self) -> None:
        node = self.node()
        for number, line in enumerate(
            (
                b'{"type":"PING","msg_id":"1"}\n',
                b'{"type":"SEND","msg_id":"1","payload":"hi"}\n',
                b'{"type":"HELLO_OK","peer_id":"bob@CIC"}\n',
                b'{"type":"BYE","msg_id":"1"}\n',
                b'{"type":"NEWS"}\n',
            )
        ):
            link = self.legacy(f"peer{number}").dial(node.address, hello=False)
            self.run_for(0.1)
            link.write(line)
            self.run_for(0.1)
            self.assertEqual(link.types, ["HELLO_REJECT"], line)
            self.assertIsNotNone(link.lost)
        self.assertEqual(node.events, [])

    def test_a_dialled_peer_that_says_hello_itself_is_refused(self) -> None:
        node, peer = self.node(), self.legacy(answers=())
        node.discovers(peer)
        self.run_for(2.1)
        peer.link.say_hello()
        self.run_for(0.1)
        self.assertEqual(peer.link.types, ["HELLO", "BYE"])

    def test_a_second_hello_is_no_reason_to_part(self) -> None:
        node = self.node()
        link = self.dialled_by(node, self.legacy())
        link.say_hello()
        link.say_hello(peer_id="eve@CIC")
        link.send(type="SEND", msg_id="1", payload="hi")
        self.run_for(1)
        self.assertIsNone(link.lost)
        self.assertEqual((node.connected, node.texts), (["bob@CIC"], ["hi"]))

    def test_a_second_hello_ok_is_nothing(self) -> None:
        node, peer = self.node(), self.legacy()
        self.dial(node, peer)
        peer.link.say_hello_ok(peer_id="eve@CIC")
        self.run_for(1)
        self.assertEqual((node.connected, peer.link.lost), (["bob@CIC"], None))

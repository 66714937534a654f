"""Rule 2.2: to a legacy peer one line per segment, with pauses; to our own kind a pipeline."""

import itertools

from tests.chat.cases import ChatCase, ChatNode
from tests.chat.scripted import ScriptedLink, ScriptedPeer

GAP = 0.005


class Pacing(ChatCase):
    def setUp(self) -> None:
        super().setUp()
        self.alice = self.node()

    def up(self, **options: object) -> tuple[ChatNode, ScriptedPeer, ScriptedLink]:
        """Return the node, a legacy peer that dialled it, and their link, idle."""
        peer = self.legacy(**options)
        return self.alice, peer, self.dialled_by(self.alice, peer)

    def pauses(self, link: ScriptedLink, kinds: list[str]) -> list[float]:
        """Return the seconds between the last lines, which must be of these types."""
        lines = link.lines[-len(kinds) :]
        self.assertEqual([line.type for line in lines], kinds)
        return [b.time - a.time for a, b in itertools.pairwise(lines)]

    def test_rule_02_one_line_per_segment_to_legacy(self) -> None:
        node, peer, link = self.up()
        for number in range(20):
            node.sends(peer, f"message {number}")
            node.chat.publish("*", f"publication {number}")
        self.run_for(1)
        self.assertEqual(len(link.got("SEND")), 20)
        self.assertEqual(len(link.got("PUB")), 20)
        for _, data in link.node_end.written:
            self.assertEqual((data.count(b"\n"), data[-1:]), (1, b"\n"))

    def test_rule_02_nagle_is_off_on_both_kinds_of_link(self) -> None:
        _, _, accepted = self.up()
        self.assertTrue(accepted.node_end.no_delay)
        peer = self.legacy("eve")
        self.dial(self.alice, peer)
        self.assertTrue(peer.link.node_end.no_delay)

    def test_rule_02_nothing_behind_hello_until_hello_ok(self) -> None:
        node, peer = self.node("zoe"), self.legacy(answers=())
        node.discovers(peer)
        self.run_for(2.1)
        node.sends(peer, "waits")
        node.chat.publish("*", "nobody is there")
        self.run_for(2)
        self.assertEqual(peer.link.types, ["HELLO"])
        peer.link.say_hello_ok()
        self.run_for(0.1)
        self.assertEqual(peer.link.types[1], "PING")

    def test_rule_02_nothing_for_100_ms_behind_hello_ok(self) -> None:
        node, peer = self.alice, self.legacy()
        link = peer.dial(node.address)
        self.run_for(0.01)
        node.sends(peer, "hi")
        link.send(type="PING", msg_id="1")
        self.run_for(1)
        first, second = link.lines[:2]
        self.assertEqual(first.type, "HELLO_OK")
        self.assertAlmostEqual(second.time - first.time, 0.1, places=4)

    def test_rule_02_after_send_nothing_until_its_ack(self) -> None:
        node, peer, link = self.up(answers={"HELLO", "PING", "BYE"})
        first, second = node.sends(peer, "1"), node.sends(peer, "2")
        self.run_for(2)
        self.assertEqual([m["msg_id"] for m in link.got("SEND")], [first])
        link.send(type="ACK", msg_id="another")
        self.run_for(0.5)
        self.assertEqual(len(link.got("SEND")), 1, "an ACK of something else ends no pause")
        link.send(type="ACK", msg_id=first)
        self.run_for(0.1)
        self.assertEqual([m["msg_id"] for m in link.got("SEND")], [first, second])

    def test_rule_02_or_for_5_seconds(self) -> None:
        node, peer, link = self.up(answers={"HELLO", "PING", "BYE"})
        node.sends(peer, "1")
        node.sends(peer, "2")
        self.run_for(6)
        (pause,) = self.pauses(link, ["SEND", "SEND"])
        self.assertAlmostEqual(pause, 5.0, places=4)

    def test_rule_02_after_ping_nothing_until_its_pong(self) -> None:
        node, peer = self.alice, self.legacy(answers={"HELLO", "SEND", "BYE"})
        link = peer.dial(node.address)
        self.run_for(1)
        node.sends(peer, "waits")
        self.run_for(1)
        self.assertEqual(link.types, ["HELLO_OK", "PING"])
        link.send(type="PONG", msg_id=link.lines[-1].message["msg_id"])
        self.run_for(0.1)
        self.assertEqual(link.types, ["HELLO_OK", "PING", "SEND"])

    def test_rule_02_5_ms_after_pub_ack_and_pong(self) -> None:
        node, _, link = self.up()
        node.chat.publish("*", "1")
        node.chat.publish("*", "2")
        self.run_for(0.1)
        self.assertAlmostEqual(self.pauses(link, ["PUB", "PUB"])[0], GAP, places=4)
        lines = b'{"type":"SEND","msg_id":"1"}\n{"type":"PING","msg_id":"2"}\n'
        link.write(lines + b'{"type":"SEND","msg_id":"3"}\n')
        self.run_for(0.1)
        pauses = self.pauses(link, link.types[-3:])
        self.assertEqual(sorted(link.types[-3:]), ["ACK", "ACK", "PONG"])
        for pause in pauses:
            self.assertAlmostEqual(pause, GAP, places=4)

    def test_rule_02_goodbye_right_behind_a_message_is_a_segment_of_its_own(self) -> None:
        node, peer, link = self.up(answers={"HELLO", "PING", "BYE"})
        node.sends(peer, "last words")
        self.run_for(0)
        node.leaves()
        self.run_for(0.1)
        (pause,) = self.pauses(link, ["SEND", "BYE"])
        self.assertAlmostEqual(pause, GAP, places=4)

    def test_rule_02_to_our_own_kind_everything_is_pipelined(self) -> None:
        alice, bob = self.alice, self.node("bob")
        self.dial(alice, bob)
        (connection,) = self.world.connections
        before = len(connection.client.written)
        for number in range(100):
            alice.sends(bob, str(number))
        self.run_for(0.1)
        self.assertEqual(len(connection.client.written), before + 1)
        self.assertEqual(bob.texts, [str(number) for number in range(100)])
        self.assertEqual(alice.chat.pending, 0)

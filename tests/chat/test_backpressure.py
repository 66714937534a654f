"""Peers that do not keep up: the sender is told, memory is bounded, everybody else goes on."""

from typing import Any

from twisted.internet.error import ConnectionDone

from p2pchat.chat import inbox
from p2pchat.chat.protocol import LEAVE_TIMEOUT
from p2pchat.chat.wire import MAX_REPLIES
from p2pchat.errors import RequestError
from p2pchat.events import DeliveryChanged, Notice, PeerDown
from tests.chat.cases import ChatCase, ChatNode
from tests.chat.pipe import KERNEL, End
from tests.chat.scripted import ScriptedLink, ScriptedPeer


class Sender(ChatCase):
    """Our own queue towards a peer that does not read."""

    def stuck(self, **limits: Any) -> tuple[ChatNode, ScriptedPeer, ScriptedLink]:
        """Return a node, and a modern peer on a link that it does not read."""
        node, peer = self.node(limits=limits), self.legacy("stuck")
        peer.introduction["agent"] = "p2pchat/9"
        link = self.dialled_by(node, peer)
        link.stop_reading()
        return node, peer, link

    def send_until_refused(self, node: ChatNode, peer: ScriptedPeer, text: str) -> tuple[int, str]:
        """Send until a message is refused; return how many were taken, and the reason."""
        for count in range(20_000):
            try:
                node.sends(peer, text)
            except RequestError as error:
                return count, str(error)
            self.run_for(0)
        raise AssertionError("it takes anything")

    def test_the_limit_in_messages_tells_the_sender(self) -> None:
        node, peer, _ = self.stuck(queue_messages=50)
        count, reason = self.send_until_refused(node, peer, "x" * 1000)
        self.assertLessEqual(count, 50 + 2 * KERNEL // 1000)
        self.assertIn("stuck@CIC does not keep up", reason)
        self.assertIn("50 messages", reason)

    def test_the_limit_in_bytes_tells_the_sender(self) -> None:
        node, peer, link = self.stuck(queue_bytes=100_000)
        count, reason = self.send_until_refused(node, peer, "x" * 10_000)
        self.assertLessEqual(count * 10_000, 100_000 + 3 * KERNEL)
        self.assertIn("does not keep up", reason)
        self.assertLessEqual(link.node_end.unread, 3 * KERNEL)

    def test_a_refused_message_is_not_under_way(self) -> None:
        node, peer, _ = self.stuck(queue_messages=5)
        self.send_until_refused(node, peer, "x" * 10_000)
        pending = node.chat.pending
        with self.assertRaises(RequestError):
            node.sends(peer, "x" * 10_000)
        self.assertEqual(node.chat.pending, pending)

    def test_the_limit_of_all_that_is_under_way(self) -> None:
        node, peer = self.node(limits={"max_pending": 3}), self.legacy(listens=False)
        node.discovers(peer)
        for _ in range(3):
            node.sends(peer, "waits")
        with self.assertRaises(RequestError):
            node.sends(peer, "one too many")
        self.run_for(6)
        node.sends(peer, "room again")

    def test_a_publication_skips_it_says_so_and_reaches_the_others(self) -> None:
        node, peer, _ = self.stuck(queue_messages=5)
        other = self.dialled_by(node, self.legacy("other"))
        self.send_until_refused(node, peer, "x" * 10_000)
        self.assertEqual(node.chat.publish("*", "hi")[1], 1)
        self.run_for(0.1)
        self.assertEqual(len(other.got("PUB")), 1)
        self.assertIn("stuck@CIC does not keep up", node.reported(Notice)[-1].text)

    def test_it_is_closed_as_dead_and_all_messages_to_it_end(self) -> None:
        node, peer, link = self.stuck(queue_messages=50)
        self.send_until_refused(node, peer, "x" * 10_000)
        self.run_for(100)
        self.assertTrue(link.node_end.closed)
        self.assertIn("does not answer", node.reported(PeerDown)[0].reason)
        self.assertEqual(node.chat.pending, 0)

    def test_a_peer_that_reads_again_while_we_hang_up_gets_all_and_a_clean_end(self) -> None:
        node, peer, link = self.stuck()
        for _ in range(30):
            node.sends(peer, "x" * 10_000)
        self.run_for(0.1)
        node.leaves()
        self.run_for(LEAVE_TIMEOUT + 0.5)
        self.assertIsNone(link.lost)
        link.transport.resumeProducing()
        self.run_for(0.1)
        self.assertIsInstance(link.lost, ConnectionDone)

    def test_when_it_reads_again_all_of_it_arrives(self) -> None:
        node, peer, link = self.stuck()
        ids = [node.sends(peer, "x" * 10_000) for _ in range(100)]
        self.run_for(1)
        link.transport.resumeProducing()
        self.run_for(2)
        self.assertEqual([m["msg_id"] for m in link.got("SEND")], ids)
        self.assertEqual(
            len([e for e in node.reported(DeliveryChanged) if e.state == "delivered"]), 100
        )

    def test_messages_that_waited_for_a_link_that_can_not_take_them_all_are_all_told_of(
        self,
    ) -> None:
        node, peer = self.node(limits={"queue_messages": 3}), self.legacy()
        node.discovers(peer)
        ids = [node.sends(peer, str(number)) for number in range(5)]
        self.run_for(10)
        self.assertEqual([node.states(msg_id)[-1] for msg_id in ids[:3]], ["delivered"] * 3)
        for msg_id in ids[3:]:
            if node.states(msg_id)[-1] == "failed":
                self.assertNotIn("not connected", node.failure(msg_id), "it was connected")


class Reader(ChatCase):
    """Peers that write more than we show, or that never read our answers."""

    def test_who_never_reads_its_answers_is_not_read_any_further(self) -> None:
        node = self.node()
        peer = self.legacy("flood")
        peer.introduction["agent"] = "p2pchat/9"
        link = self.dialled_by(node, peer)
        link.stop_reading()
        lines = b'{"type":"PING","msg_id":"1"}\n' * 2000
        for _ in range(30):
            link.write(lines)
            self.run_for(0.01)
        end: End = link.node_end
        written = b"".join(data for _, data in end.written).count(b"PONG")
        (info,) = node.chat.link_infos()
        self.assertEqual(info.queued, 0)
        self.assertLessEqual(written, MAX_REPLIES + 2 * 2000)
        self.assertGreater(link.transport.unread, 10 * len(lines), "the rest waits on its side")
        self.run_for(100)
        self.assertTrue(end.closed)

    def test_a_burst_is_acknowledged_in_order_before_it_is_shown(self) -> None:
        node = self.node()
        peer = self.legacy("burst")
        peer.introduction["agent"] = "p2pchat/9"
        link = self.dialled_by(node, peer)
        count = 1000
        link.write(
            b"".join(
                b'{"type":"SEND","msg_id":"%d","payload":"%d"}\n' % (n, n) for n in range(count)
            )
        )
        acknowledged: list[int] = []

        def note_the_first(event: object) -> None:
            if not acknowledged:
                acknowledged.append(len(link.got("ACK")))

        node.listener = note_the_first
        self.run_for(1)
        numbers = [str(number) for number in range(count)]
        self.assertEqual([m["msg_id"] for m in link.got("ACK")], numbers)
        self.assertEqual(node.texts, numbers)
        self.assertEqual(acknowledged, [count])

    def test_a_reader_behind_is_not_read_until_it_is_less_behind(self) -> None:
        self.patch(inbox, "HIGH_WATER", 100)
        self.patch(inbox, "LOW_WATER", 50)
        node = self.node()
        link = self.dialled_by(node, self.legacy())
        lines = b'{"type":"SEND","msg_id":"%d","payload":"x","require_ack":false}\n'
        sent = 0
        for _ in range(5):
            link.write(b"".join(lines % n for n in range(sent, sent + 90)))
            sent += 90
        self.run_for(1)
        self.assertEqual(len(node.texts), sent, "paused and resumed, nothing is lost")

    def test_what_was_taken_is_shown_even_if_we_leave_at_once(self) -> None:
        node = self.node()
        link = self.dialled_by(node, self.legacy())
        lines = b'{"type":"SEND","msg_id":"%d","payload":"x","require_ack":false}\n'
        node.listener = lambda event: node.leaves() if len(node.texts) == 1 else None
        link.write(b"".join(lines % n for n in range(500)))
        self.run_for(3)
        self.assertEqual(len(node.texts), 500)

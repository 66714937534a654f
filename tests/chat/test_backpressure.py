"""Peers that do not keep up: the sender is told, memory is bounded, everybody else goes on."""

from typing import Any

from twisted.internet.error import ConnectionDone

from p2pchat.chat import inbox, wire
from p2pchat.chat.closing import LEAVE_TIMEOUT
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

    def sends_many(self, node: ChatNode, peer: ScriptedPeer, count: int, text: str) -> list[str]:
        """Send message by message, the link getting its turn behind each."""
        ids = []
        for _ in range(count):
            ids.append(node.sends(peer, text))
            self.run_for(0)
        return ids

    def queued(self, node: ChatNode) -> int:
        """Return how many messages the only link has in its queue."""
        (info,) = node.chat.link_infos()
        return info.queued

    def test_what_a_link_holds_is_bounded_in_messages_and_the_rest_waits_stored(self) -> None:
        node, peer, _ = self.stuck(queue_messages=50)
        self.sends_many(node, peer, 500, "x" * 1000)
        self.assertEqual((self.queued(node), node.chat.pending), (50, 500))
        self.assertLess(node.chat.on_the_way, 50 + 2 * KERNEL // 1000)

    def test_and_in_bytes(self) -> None:
        node, peer, link = self.stuck(queue_bytes=100_000)
        self.sends_many(node, peer, 100, "x" * 10_000)
        self.assertLess(self.queued(node), 10)
        self.assertEqual(node.chat.pending, 100)
        self.assertLessEqual(link.node_end.unread, 3 * KERNEL)

    def test_the_limit_of_all_that_waits_for_a_peer_tells_the_sender(self) -> None:
        node, peer, _ = self.stuck()
        node = self.node("ann", outbox={"max_per_peer": 3, "max_messages": 5})
        ids = self.sends_many(node, peer, 3, "waits")
        error = self.assertRaises(RequestError, node.sends, peer, "one too many")
        self.assertIn("3 messages wait for stuck@CIC", str(error))
        self.assertEqual(node.chat.pending, 3)
        other = self.legacy(listens=False)
        self.sends_many(node, other, 2, "to another")
        error = self.assertRaises(RequestError, node.sends, other, "one too many in all")
        self.assertIn("5 messages wait", str(error))
        node.cancels(ids[0])
        node.sends(peer, "room again")

    def test_a_publication_skips_it_says_so_and_reaches_the_others(self) -> None:
        node, peer, _ = self.stuck(queue_messages=5)
        other = self.dialled_by(node, self.legacy("other"))
        self.sends_many(node, peer, 50, "x" * 10_000)
        self.assertEqual(node.chat.publish("*", "hi")[1], 1)
        self.run_for(0.1)
        self.assertEqual(len(other.got("PUB")), 1)
        self.assertIn("stuck@CIC does not keep up", node.reported(Notice)[-1].text)

    def test_it_is_closed_as_dead_and_all_messages_to_it_wait_for_another_link(self) -> None:
        node, peer, link = self.stuck(queue_messages=50)
        ids = self.sends_many(node, peer, 100, "x" * 10_000)
        self.run_for(100)
        self.assertTrue(link.node_end.closed)
        self.assertIn("does not answer", node.reported(PeerDown)[0].reason)
        self.assertEqual((node.chat.pending, node.chat.on_the_way), (100, 0))
        again = self.dialled_by(node, peer)
        self.run_for(5)
        self.assertEqual([m["msg_id"] for m in again.got("SEND")], ids)
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

    def test_messages_that_waited_for_a_link_with_little_room_all_go_in_order(self) -> None:
        node, peer = self.node(limits={"queue_messages": 3}), self.legacy()
        node.discovers(peer)
        ids = [node.sends(peer, str(number)) for number in range(20)]
        self.run_for(10)
        self.assertEqual([m["msg_id"] for m in peer.link.got("SEND")], ids)
        self.assertEqual(node.chat.pending, 0)


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

    def test_who_waits_for_our_paced_answers_is_not_dead(self) -> None:
        self.patch(wire, "MAX_REPLIES", 1000)
        node = self.node(connection={"ping_interval": 1.0})
        link = self.dialled_by(node, self.legacy())
        line = b'{"type":"SEND","msg_id":"%d","payload":"x"}\n'
        for start in range(0, 5000, 250):
            link.write(b"".join(line % n for n in range(start, start + 250)))
        self.run_for(60)
        self.assertIsNone(link.lost)
        self.assertEqual(len(link.got("ACK")), 5000)

    def test_who_stopped_reading_before_that_is(self) -> None:
        self.patch(wire, "MAX_REPLIES", 1000)
        node = self.node(connection={"ping_interval": 1.0})
        link = self.dialled_by(node, self.legacy())
        link.stop_reading()
        line = b'{"type":"SEND","msg_id":"%d","payload":"x"}\n'
        for start in range(0, 5000, 250):
            link.write(b"".join(line % n for n in range(start, start + 250)))
        self.run_for(60)
        self.assertTrue(link.node_end.closed)

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

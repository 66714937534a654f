"""The transport of one link: paced and joined writes, and a peer that does not read."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chat.link import Ending
from p2pchat.chat.messages import Pub, Send
from p2pchat.chat.outbound import BATCH_BYTES
from p2pchat.chat.wire import MAX_REPLIES
from p2pchat.errors import QueueFullError
from tests.chat.bare import SETTINGS, Bare, talking


class Writing(SynchronousTestCase):
    def test_nagle_is_off(self) -> None:
        self.assertTrue(talking().socket.no_delay)

    def test_what_is_queued_in_one_turn_goes_to_our_own_kind_in_one_write(self) -> None:
        bare = talking(modern=True)
        for number in range(3):
            bare.link.queue(Send(str(number)))
        self.assertEqual(bare.socket.writes, [])
        bare.run(0.0)
        self.assertEqual(len(bare.socket.writes), 1)
        self.assertEqual([line["msg_id"] for line in bare.lines], ["0", "1", "2"])

    def test_and_to_a_legacy_peer_one_by_one(self) -> None:
        bare = talking()
        for number in range(3):
            bare.link.queue(Send(str(number), require_ack=False))
        for count, pause in ((1, 0.0), (2, 0.005), (3, 0.005)):
            bare.run(pause)
            self.assertEqual(len(bare.socket.writes), count)

    def test_one_write_is_bounded(self) -> None:
        bare = talking(modern=True)
        for number in range(9):
            bare.link.queue(Send(str(number), payload="x" * 10_000))
        bare.run(0.0)
        self.assertEqual(len(bare.lines), 9)
        self.assertLess(max(map(len, bare.socket.writes)), BATCH_BYTES + 2 * 10_000)

    def test_the_owner_hears_of_each_send_when_it_is_written(self) -> None:
        bare = talking()
        bare.link.queue(Send("1"))
        bare.link.queue(Send("2"))
        bare.run(0.0)
        self.assertEqual([m.msg_id for m in bare.owner.sent], ["1"])
        bare.receives({"type": "ACK", "msg_id": "1"})
        self.assertEqual([m.msg_id for m in bare.owner.sent], ["1", "2"])

    def test_whoever_hears_of_it_may_queue_more(self) -> None:
        for modern in (True, False):
            bare = talking(modern=modern)
            bare.owner.written = lambda link, message: link.queue(Pub(f"behind {message.msg_id}"))
            for msg_id in ("1", "2"):
                bare.link.queue(Send(msg_id, require_ack=False))
                bare.run(1.0)
            ids = [line["msg_id"] for line in bare.lines]
            self.assertEqual(ids, ["1", "behind 1", "2", "behind 2"])


class StuckPeer(SynchronousTestCase):
    """The other side reads nothing: the transport is full after one more write."""

    def stuck(self) -> Bare:
        bare = talking(modern=True)
        bare.socket.stuck = True
        bare.link.queue(Send("fills the transport"))
        bare.run(0.0)
        bare.socket.writes.clear()
        return bare

    def test_our_messages_wait_up_to_the_limit_in_messages(self) -> None:
        bare = self.stuck()
        for number in range(SETTINGS.queue_messages):
            bare.link.queue(Send(str(number)))
        with self.assertRaises(QueueFullError):
            bare.link.queue(Send("one too many"))
        bare.run(1.0)
        self.assertEqual(bare.socket.writes, [])
        self.assertEqual(bare.link.queued, SETTINGS.queue_messages)

    def test_our_messages_wait_up_to_the_limit_in_bytes(self) -> None:
        bare = self.stuck()
        taken = 0
        with self.assertRaises(QueueFullError):
            for number in range(SETTINGS.queue_messages):
                bare.link.queue(Send(str(number), payload="x" * 10_000))
                taken += 1
        self.assertEqual(taken, SETTINGS.queue_bytes // 10_100)

    def test_all_of_it_leaves_when_there_is_room_again(self) -> None:
        bare = self.stuck()
        for number in range(50):
            bare.link.queue(Send(str(number)))
        bare.run(1.0)
        bare.socket.drain()
        self.assertEqual([line["msg_id"] for line in bare.lines], [str(n) for n in range(50)])

    def test_it_is_read_no_further_when_too_many_replies_wait(self) -> None:
        bare = self.stuck()
        ping = b'{"type":"PING","msg_id":"1"}\n'
        for _ in range(100):
            bare.reads(ping * 2000)
        self.assertFalse(bare.socket.reading)
        waiting = bare.link._outbound.replies
        self.assertGreater(waiting, MAX_REPLIES)
        self.assertLessEqual(waiting, MAX_REPLIES + 2000)
        bare.socket.drain()
        self.assertTrue(bare.socket.reading)
        self.assertEqual(len(bare.lines), waiting)

    def test_it_is_closed_as_dead(self) -> None:
        bare = self.stuck()
        bare.run(95.0)
        self.assertIs(bare.ending.ending, Ending.DEAD)
        self.assertEqual(bare.clock.getDelayedCalls(), [])

    def test_a_slow_legacy_reader_is_read_again_when_half_of_the_replies_are_gone(self) -> None:
        bare = talking()
        ping = b'{"type":"PING","msg_id":"1"}\n'
        for _ in range(6):
            bare.reads(ping * 2000)
        self.assertFalse(bare.socket.reading)
        bare.run(15.0)
        self.assertFalse(bare.socket.reading)
        bare.run(30.0)
        self.assertTrue(bare.socket.reading)


class Pausing(SynchronousTestCase):
    def test_its_owner_may_stop_reading_and_go_on(self) -> None:
        bare = talking()
        bare.link.pause()
        self.assertFalse(bare.socket.reading)
        bare.link.pause()
        bare.link.resume()
        self.assertTrue(bare.socket.reading)
        bare.link.resume()
        self.assertTrue(bare.socket.reading)

    def test_each_reason_to_pause_counts(self) -> None:
        bare = talking(modern=True)
        bare.socket.stuck = True
        bare.link.queue(Send("1"))
        bare.run(0.0)
        bare.link.pause()
        bare.link.dataReceived(b'{"type":"PING","msg_id":"1"}\n' * (MAX_REPLIES + 1))
        bare.link.resume()
        self.assertFalse(bare.socket.reading)
        bare.socket.drain()
        self.assertTrue(bare.socket.reading)

"""What waits to be written: order, bounds, and the pauses of a legacy link (2.2)."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chat.codec import encode
from p2pchat.chat.messages import Ack, Bye, Hello, HelloOk, Message, Ping, Pong, Pub, Send
from p2pchat.chat.outbound import (
    BATCH_BYTES,
    GAP,
    GAP_AFTER_HELLO_OK,
    MAX_REPLIES_IN_A_ROW,
    Outbound,
)
from p2pchat.errors import LocalProtocolError, QueueFullError

ANSWER_TIMEOUT = 5.0


def outbound(
    *, pipelined: bool = False, max_messages: int = 100, max_bytes: int = 1_000_000
) -> Outbound:
    """Return an empty queue of a link whose handshake is done."""
    queue = Outbound(max_messages=max_messages, max_bytes=max_bytes, answer_timeout=ANSWER_TIMEOUT)
    queue.pipelined = pipelined
    queue.open = True
    return queue


def taken(queue: Outbound, now: float) -> list[Message]:
    return [message for message, _ in queue.take(now)]


class Legacy(SynchronousTestCase):
    def assert_pause(self, first: Message, pause: float) -> None:
        """Check that after `first` nothing is let go for exactly `pause` seconds."""
        queue = outbound()
        queue.put_first(first)
        queue.put(Send("next"))
        self.assertEqual(taken(queue, 10.0), [first])
        self.assertEqual(queue.wake_at(), 10.0 + pause)
        self.assertEqual(taken(queue, 10.0 + pause - 0.001), [])
        self.assertEqual(taken(queue, 10.0 + pause), [Send("next")])

    def test_the_pause_after_each_type(self) -> None:
        self.assertEqual((GAP, GAP_AFTER_HELLO_OK), (0.005, 0.1))
        for message, pause in (
            (HelloOk("alice@CIC"), 0.1),
            (Pub("1"), 0.005),
            (Ack("1"), 0.005),
            (Pong("1"), 0.005),
            (Send("1", require_ack=False), 0.005),
            (Send("1"), ANSWER_TIMEOUT),
            (Ping("1"), ANSWER_TIMEOUT),
        ):
            self.assert_pause(message, pause)

    def test_a_flood_of_questions_does_not_keep_us_from_speaking(self) -> None:
        queue = outbound()
        queue.put(Send("ours", require_ack=False))
        order: list[Message] = []
        for step in range(2 * MAX_REPLIES_IN_A_ROW):
            queue.reply(Pong(str(step)))
            order += taken(queue, step * 2 * GAP)
        self.assertEqual(order.index(Send("ours", require_ack=False)), MAX_REPLIES_IN_A_ROW)
        self.assertEqual(len(order), 2 * MAX_REPLIES_IN_A_ROW)
        self.assertEqual(queue.replies, 1)

    def test_an_answer_ends_the_pause_and_another_answer_does_not(self) -> None:
        for awaited in (Send("1"), Ping("1")):
            queue = outbound()
            queue.put_first(awaited)
            queue.put(Send("2"))
            taken(queue, 0.0)
            queue.answered("other")
            queue.answered("")
            self.assertEqual(taken(queue, 1.0), [])
            queue.answered("1")
            self.assertEqual(taken(queue, 1.0), [Send("2")])

    def test_an_answer_that_comes_late_does_not_end_the_next_pause(self) -> None:
        queue = outbound()
        queue.put(Send("1"))
        queue.put(Send("2"))
        queue.put(Send("3"))
        taken(queue, 0.0)
        self.assertEqual(taken(queue, ANSWER_TIMEOUT), [Send("2")])
        queue.answered("1")
        self.assertEqual(taken(queue, ANSWER_TIMEOUT + 1), [])

    def test_nothing_leaves_behind_hello_before_it_is_open(self) -> None:
        queue = outbound()
        queue.open = False
        queue.put_first(Hello("alice@CIC"))
        queue.put(Send("1"))
        queue.reply(Ack("2"))
        self.assertEqual(taken(queue, 0.0), [Hello("alice@CIC")])
        self.assertIsNone(queue.wake_at())
        self.assertEqual(taken(queue, 100.0), [])
        queue.open = True
        self.assertEqual(taken(queue, 100.0), [Ack("2")])

    def test_goodbye_does_not_wait_for_an_answer_but_never_shares_a_segment(self) -> None:
        queue = outbound()
        queue.put(Send("1"))
        queue.put(Send("dropped"))
        taken(queue, 0.0)
        queue.finish(Bye("9"))
        self.assertEqual(taken(queue, 0.0), [], "one line a segment holds for BYE as well")
        self.assertEqual(queue.wake_at(), GAP)
        self.assertEqual(taken(queue, GAP), [Bye("9")])
        self.assertIsNone(queue.wake_at())

    def test_a_ping_that_waits_is_not_said_ahead_of_the_goodbye(self) -> None:
        """It would not wait for the PONG to the one before."""
        queue = outbound()
        queue.put_first(Ping("1", ""))
        queue.put_first(Ping("2", ""))
        self.assertEqual(taken(queue, 10.0), [Ping("1", "")])
        bye = Bye("3", "a", "b", "")
        queue.finish(bye)
        self.assertEqual(taken(queue, 10.0 + GAP), [bye])

    def test_goodbye_keeps_the_pause_behind_hello_ok(self) -> None:
        queue = outbound()
        queue.put_first(HelloOk("alice@CIC"))
        taken(queue, 0.0)
        queue.finish(Bye("9"))
        self.assertEqual(taken(queue, GAP_AFTER_HELLO_OK - 0.001), [])
        self.assertEqual(taken(queue, GAP_AFTER_HELLO_OK), [Bye("9")])


class Pipelined(SynchronousTestCase):
    def test_everything_leaves_at_once_in_order(self) -> None:
        queue = outbound(pipelined=True)
        queue.put(Send("1"))
        queue.put(Pub("2"))
        queue.reply(Ack("3"))
        queue.put_first(Ping("4"))
        self.assertEqual(taken(queue, 0.0), [Ping("4"), Ack("3"), Send("1"), Pub("2")])
        self.assertIsNone(queue.wake_at())

    def test_one_write_is_bounded(self) -> None:
        queue = outbound(pipelined=True)
        for number in range(20):
            queue.put(Send(str(number), payload="x" * 10_000))
        batch = queue.take(0.0)
        self.assertGreaterEqual(sum(len(data) for _, data in batch), BATCH_BYTES)
        self.assertLess(len(batch), 20)
        self.assertEqual(len(batch) + len(queue.take(0.0)) + len(queue.take(0.0)), 20)


class Bounds(SynchronousTestCase):
    def test_messages(self) -> None:
        queue = outbound(max_messages=2)
        queue.put(Send("1"))
        queue.put(Send("2"))
        with self.assertRaises(QueueFullError):
            queue.put(Send("3"))
        self.assertEqual(len(queue), 2)
        queue.take(0.0)
        queue.put(Send("3"))

    def test_a_publication_is_not_withdrawn_and_what_is_makes_room(self) -> None:
        line = len(encode(Send("1")))
        queue = outbound(max_messages=2, max_bytes=2 * line + 10)
        queue.put(Pub("1"))
        queue.put(Send("2"))
        self.assertFalse(queue.withdraw("1"))
        self.assertTrue(queue.withdraw("2"))
        self.assertFalse(queue.withdraw("2"))
        queue.put(Send("3"))
        self.assertEqual(len(queue), 2)

    def test_bytes(self) -> None:
        size = len(encode(Send("1", payload="x" * 100)))
        queue = outbound(max_bytes=2 * size)
        queue.put(Send("1", payload="x" * 100))
        queue.put(Send("2", payload="x" * 100))
        with self.assertRaises(QueueFullError):
            queue.put(Send("3"))
        queue.take(0.0)
        queue.put(Send("3"))
        with self.assertRaises(QueueFullError):
            queue.put(Send("4", payload="x" * 100))

    def test_what_can_not_be_sent_takes_no_room(self) -> None:
        queue = outbound(max_messages=1)
        with self.assertRaises(LocalProtocolError):
            queue.put(Send("1", payload="\ud800"))
        queue.put(Send("2"))

    def test_replies_and_handshake_are_not_counted(self) -> None:
        queue = outbound(max_messages=1)
        for number in range(10):
            queue.reply(Ack(str(number)))
            queue.put_first(Ping(str(number)))
        queue.put(Send("1"))
        self.assertEqual((len(queue), queue.replies), (1, 10))

    def test_what_was_dropped_at_the_end_makes_room_for_nothing(self) -> None:
        queue = outbound(max_messages=5)
        queue.put(Send("1"))
        queue.finish(Bye("9"))
        self.assertEqual(len(queue), 0)
        self.assertEqual(taken(queue, 0.0), [Bye("9")])


class PublicationAsSend(SynchronousTestCase):
    def test_it_waits_until_the_program_has_shown_itself_and_all_else_passes_it(self) -> None:
        queue = outbound(max_messages=4)
        queue.put(Pub("1"))
        queue.put(Send("2"))
        queue.put(Pub("3"))
        queue.put(Send("4", require_ack=False))
        self.assertEqual(taken(queue, 0.0), [Send("2")])
        queue.answered("2")
        self.assertEqual(taken(queue, 0.0), [Send("4", require_ack=False)])
        self.assertEqual(taken(queue, 10.0), [])
        self.assertIsNone(queue.wake_at(), "until something is read there is nothing to do")
        self.assertEqual(len(queue), 2)
        queue.put(Send("5"))
        queue.put(Pub("6"))
        with self.assertRaises(QueueFullError):
            queue.put(Pub("7"))
        queue.learn()
        order = [message for at in range(20, 24) for message in taken(queue, at)]
        self.assertEqual(order, [Pub("1"), Pub("3"), Send("5")])
        self.assertEqual(taken(queue, 23.0 + ANSWER_TIMEOUT), [Pub("6")])

    def test_those_that_wait_go_with_the_goodbye(self) -> None:
        queue = outbound()
        queue.put(Pub("1"))
        self.assertEqual(taken(queue, 0.0), [])
        queue.finish(Bye("9"))
        self.assertEqual(len(queue), 0)
        self.assertEqual(taken(queue, 1.0), [Bye("9")])
        queue.learn()
        self.assertEqual(taken(queue, 2.0), [])

    def test_it_is_decided_when_its_turn_comes(self) -> None:
        queue = outbound()
        queue.put(Pub("1", "alice@CIC", "#CIC", "hi"))
        queue.put(Pub("2", "alice@CIC", "*", "hi"))
        queue.habits.pub_as_send_to = "bob@CIC"
        self.assertEqual(
            taken(queue, 0.0) + taken(queue, 1.0),
            [
                Send("1", "alice@CIC", "bob@CIC", "[#CIC] hi", require_ack=False),
                Send("2", "alice@CIC", "bob@CIC", "[*] hi", require_ack=False),
            ],
        )

    def test_the_bytes_written_are_those_of_the_send(self) -> None:
        queue = outbound()
        queue.habits.pub_as_send_to = "bob@CIC"
        queue.put(Pub("1", "alice@CIC", "*", "hi"))
        ((message, data),) = queue.take(0.0)
        self.assertEqual(data, encode(message))

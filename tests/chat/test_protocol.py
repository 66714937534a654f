"""One link alone: what it survives, what ends it, and that its end comes within bounds."""

import json

from twisted.internet.error import ConnectionDone
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chat.closing import LEAVE_TIMEOUT
from p2pchat.chat.codec import MAX_LINE
from p2pchat.chat.framing import MAX_BAD_LINES
from p2pchat.chat.link import Ending
from p2pchat.chat.messages import Send
from p2pchat.chat.session import Role
from p2pchat.chat.wire import HANG_UP_TIMEOUT
from tests.chat.bare import ME, Bare, hello, hello_ok, talking


def send(msg_id: str, **fields: object) -> dict[str, object]:
    return {"type": "SEND", "msg_id": msg_id, "payload": "x", **fields}


class BadLines(SynchronousTestCase):
    def test_a_talking_link_survives_a_few(self) -> None:
        bare = talking()
        for _ in range(MAX_BAD_LINES):
            bare.receives(b"garbage\n")
        bare.receives(send("1"))
        bare.run(0.1)
        self.assertEqual(bare.types, ["ACK"])
        self.assertTrue(bare.link.talking)

    def test_one_more_ends_it_with_a_reason(self) -> None:
        bare = talking()
        bare.receives(*[b"garbage\n"] * (MAX_BAD_LINES + 1))
        bare.run(HANG_UP_TIMEOUT + LEAVE_TIMEOUT)
        self.assertEqual(bare.types, ["BYE"])
        self.assertIn("not a message", bare.lines[0]["reason"])
        self.assertIs(bare.ending.ending, Ending.BROKEN)

    def test_what_was_said_before_and_behind_a_bad_line_in_one_read_counts(self) -> None:
        bare = talking()
        bare.receives(send("1"), b"garbage\n", send("2"))
        self.assertEqual([m.msg_id for m in bare.owner.talk], ["1", "2"])

    def test_what_was_taken_before_the_last_straw_is_acknowledged(self) -> None:
        bare = talking(modern=True)
        bare.receives(send("1"), *[b"garbage\n"] * (MAX_BAD_LINES + 1), send("unheard"))
        bare.run(HANG_UP_TIMEOUT)
        self.assertEqual([m.msg_id for m in bare.owner.talk], ["1"])
        self.assertIn("1", [line["msg_id"] for line in bare.lines if line["type"] == "ACK"])

    def test_a_whole_read_of_garbage_is_logged_in_a_few_lines(self) -> None:
        for bare in (Bare(), talking()):
            with capturedLogs() as events:
                bare.reads(b"x\n" * 30_000)
            self.assertLessEqual(len(events), MAX_BAD_LINES + 2)

    def test_blank_lines_are_nothing(self) -> None:
        bare = talking()
        bare.reads(b"\n\r\n  \n" * 30)
        bare.run(1.0)
        self.assertTrue(bare.link.talking)
        self.assertEqual(bare.types, [])


class Length(SynchronousTestCase):
    def line_of(self, size: int, end: bytes = b"\n") -> bytes:
        empty = len(json.dumps(send("1", payload=""))) + len(end)
        return json.dumps(send("1", payload="x" * (size - empty))).encode() + end

    def test_a_line_of_exactly_the_limit_is_taken(self) -> None:
        for end in (b"\n", b"\r\n"):
            bare = talking()
            bare.reads(self.line_of(MAX_LINE, end))
            self.assertEqual(len(bare.owner.talk), 1)

    def test_one_byte_more_ends_the_link(self) -> None:
        bare = talking()
        bare.reads(self.line_of(MAX_LINE + 1))
        bare.run(HANG_UP_TIMEOUT)
        self.assertEqual(bare.owner.talk, [])
        self.assertIs(bare.ending.ending, Ending.BROKEN)
        self.assertIn(str(MAX_LINE), bare.lines[-1]["reason"])

    def test_who_broke_the_protocol_is_read_no_further(self) -> None:
        bare = Bare()
        bare.receives(hello(ME))
        self.assertFalse(bare.socket.reading)
        self.assertFalse(bare.socket.disconnecting, "its BYE still waits for a segment of its own")

    def test_a_line_without_end_is_not_kept(self) -> None:
        bare = talking()
        for _ in range(32):
            bare.reads(b"x" * 32768)
            self.assertLessEqual(len(bare.link._buffer), MAX_LINE)
        bare.run(HANG_UP_TIMEOUT)
        self.assertIs(bare.ending.ending, Ending.BROKEN)

    def test_nothing_is_kept_behind_bye(self) -> None:
        bare = talking()
        bare.socket.stuck = True
        bare.link.queue(Send("1"))
        bare.run(0.0)  # the transport is full from here on
        bare.receives({"type": "BYE", "msg_id": "9"})
        for _ in range(10):
            bare.reads(b"x" * 65536)
            self.assertLessEqual(len(bare.link._buffer), MAX_LINE)

    def test_nor_what_came_with_the_end_in_one_read(self) -> None:
        for end in (b'{"type":"BYE","msg_id":"9"}\n', b'{"type":"BYE_OK","msg_id":"9"}\n'):
            bare = talking()
            if b"OK" in end:
                bare.link.leave(Ending.WE_LEFT, "leaving")
            bare.reads(end + b"x" * 40_000)
            self.assertEqual(bare.link._buffer, b"")


class Ends(SynchronousTestCase):
    def test_bye_is_answered_and_the_link_closed(self) -> None:
        bare = talking()
        bare.receives({"type": "BYE", "msg_id": "9", "reason": "tired\x1b"})
        bare.run(0.1)
        self.assertEqual([(line["type"], line["msg_id"]) for line in bare.lines], [("BYE_OK", "9")])
        self.assertEqual(bare.ending, (Ending.PEER_LEFT, "tired\\x1b"))

    def test_what_was_said_before_bye_in_one_read_is_acknowledged_before_bye_ok(self) -> None:
        for modern in (False, True):
            bare = talking(modern=modern)
            bare.receives(send("1"), {"type": "BYE", "msg_id": "9"}, send("unheard"))
            bare.run(0.1)
            self.assertEqual(bare.types, ["ACK", "BYE_OK"])
            self.assertEqual([m.msg_id for m in bare.owner.talk], ["1"])

    def test_an_end_of_ours_comes_within_its_bound_whatever_the_other_side_does(self) -> None:
        for stuck in (False, True):
            bare = talking()
            bare.socket.stuck = stuck
            bare.link.leave(Ending.WE_LEFT, "leaving")
            bare.run(LEAVE_TIMEOUT + HANG_UP_TIMEOUT)
            self.assertIs(bare.ending.ending, Ending.WE_LEFT)
            self.assertEqual(bare.clock.getDelayedCalls(), [])

    def test_the_answer_to_bye_comes_within_the_same_bound(self) -> None:
        bare = talking()
        bare.socket.stuck = True
        bare.link.queue(Send("1"))
        bare.run(0.0)
        bare.receives({"type": "BYE", "msg_id": "9"})
        bare.run(LEAVE_TIMEOUT + HANG_UP_TIMEOUT)
        self.assertIs(bare.ending.ending, Ending.PEER_LEFT)
        self.assertEqual(bare.clock.getDelayedCalls(), [])

    def test_a_dialled_link_that_its_owner_leaves_at_once_ends_within_the_bound(self) -> None:
        bare = Bare(Role.DIALLER, refuses=True)
        bare.receives(hello_ok())
        bare.run(LEAVE_TIMEOUT + HANG_UP_TIMEOUT)
        self.assertIs(bare.ending.ending, Ending.DUPLICATE)
        self.assertEqual(bare.clock.getDelayedCalls(), [])

    def test_leaving_twice_says_bye_once(self) -> None:
        bare = talking()
        bare.link.leave(Ending.WE_LEFT, "leaving")
        bare.link.leave(Ending.DUPLICATE, "duplicate")
        bare.run(0.5)
        bare.link.leave(Ending.DUPLICATE, "duplicate")
        bare.run(LEAVE_TIMEOUT + HANG_UP_TIMEOUT)
        self.assertEqual(bare.types, ["BYE"])
        self.assertIs(bare.ending.ending, Ending.WE_LEFT)

    def test_bye_from_both_sides_at_once(self) -> None:
        bare = talking()
        bare.link.leave(Ending.WE_LEFT, "leaving")
        bare.receives({"type": "BYE", "msg_id": "9"})
        bare.run(0.1)
        self.assertEqual(bare.types, ["BYE", "BYE_OK"])
        self.assertIs(bare.ending.ending, Ending.WE_LEFT)

    def test_how_a_lost_connection_is_judged(self) -> None:
        lost, clean = talking(), talking()
        lost.socket.lose()
        clean.socket.lose(ConnectionDone())
        self.assertIs(lost.ending.ending, Ending.LOST)
        self.assertEqual(clean.ending, (Ending.LOST, "closed without BYE"))

    def test_a_connection_lost_in_any_state_leaves_no_timer(self) -> None:
        for bare in (Bare(), Bare(Role.DIALLER), talking(), talking(modern=True)):
            bare.socket.lose()
            self.assertEqual(bare.clock.getDelayedCalls(), [])
            self.assertEqual(len(bare.owner.endings), 1)

    def test_an_owner_may_do_anything_to_a_link_that_is_gone(self) -> None:
        bare = talking()
        bare.socket.lose()
        bare.link.leave(Ending.WE_LEFT, "leaving")
        bare.link.queue(Send("1"))
        bare.link.acknowledge(["1"])
        bare.link.ping()
        bare.link.drop("silent")
        bare.link.pause()
        bare.link.resume()
        self.assertEqual(bare.clock.getDelayedCalls(), [])
        self.assertEqual(len(bare.owner.endings), 1)


class Facts(SynchronousTestCase):
    def test_what_a_link_tells_of_itself(self) -> None:
        bare = talking(modern=True)
        self.assertEqual((bare.link.peer, bare.link.agent), ("bob@CIC", "p2pchat/9"))
        self.assertEqual((bare.link.role, bare.link.modern), (Role.LISTENER, True))
        bare.link.queue(Send("1"))
        self.assertEqual(bare.link.queued, 1)
        bare.run(0.0)
        self.assertEqual(bare.link.queued, 0)

    def test_when_it_was_heard_last(self) -> None:
        bare = Bare()
        bare.run(2.0)
        bare.receives(hello())
        self.assertEqual(bare.link.heard_at, 2.0)

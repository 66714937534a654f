"""Messages taken but not yet shown: in order, in slices, and with a bound."""

from datetime import UTC, datetime
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chat.inbox import (
    HIGH_WATER,
    HIGH_WATER_TEXT,
    HOLD_PAUSE,
    HOLD_TIME,
    LOW_WATER,
    SLICE_WHILE_BUSY,
    Inbox,
    Taken,
)
from p2pchat.chat.messages import Send
from p2pchat.identity import PeerId


class FakeLink:
    """Knows whether it is paused."""

    def __init__(self) -> None:
        self.paused = False

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False


class InboxTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.shown: list[str] = []
        self.storing = False
        self.inbox = Inbox(self.clock, self.show, lambda: self.storing)

    def show(self, taken: Taken) -> None:
        self.shown.append(taken[2].msg_id)

    def put(self, count: int, link: Any) -> None:
        for number in range(count):
            taken = (datetime(2025, 1, 1, tzinfo=UTC), PeerId("bob@CIC"), Send(str(number)), 0)
            self.inbox.put(taken, link)

    def turns(self) -> int:
        """Let the reactor run until nothing is to be shown; return how many turns it took."""
        count = 0
        while self.clock.calls:
            self.turn()
            count += 1
        return count

    def turn(self) -> None:
        """Run what waits, and not what that puts off to the next turn."""
        call = self.clock.calls.pop(0)
        call.called = 1
        call.func(*call.args, **call.kw)

    def test_little_is_shown_while_messages_are_stored_and_that_for_a_moment(self) -> None:
        self.storing = True
        self.put(1000, FakeLink())
        self.clock.advance(0)
        self.clock.advance(HOLD_PAUSE)
        self.assertEqual(len(self.shown), 2)
        self.storing = False
        self.clock.advance(HOLD_PAUSE)
        self.assertGreater(len(self.shown), 2 + SLICE_WHILE_BUSY)
        self.turns()
        self.assertEqual(len(self.shown), 1000)

    def test_who_keeps_storing_does_not_keep_messages_from_the_screen(self) -> None:
        self.storing = True
        self.put(1000, FakeLink())
        while self.clock.seconds() < HOLD_TIME:
            self.clock.advance(HOLD_PAUSE)
        self.assertLess(len(self.shown), 100)
        self.turns()
        self.assertEqual(len(self.shown), 1000)

    def test_a_full_inbox_is_not_held(self) -> None:
        self.storing = True
        self.put(LOW_WATER + 10, FakeLink())
        self.turn()
        self.assertEqual(len(self.shown), SLICE_WHILE_BUSY)

    def test_nothing_is_shown_while_a_read_is_worked_on(self) -> None:
        self.put(3, FakeLink())
        self.assertEqual(self.shown, [])
        self.turns()
        self.assertEqual(self.shown, ["0", "1", "2"])

    def test_the_reactor_gets_its_turn_within_a_burst(self) -> None:
        self.put(1000, FakeLink())
        self.assertGreater(self.turns(), 10)
        self.assertEqual(self.shown, [str(number) for number in range(1000)])

    def test_long_texts_pause_a_link_as_many_messages_do(self) -> None:
        link = FakeLink()
        text = "x" * 30_000
        fitting = HIGH_WATER_TEXT // len(text)
        for number in range(fitting + 1):
            self.assertFalse(link.paused)
            taken = (
                datetime(2025, 1, 1, tzinfo=UTC),
                PeerId("bob@CIC"),
                Send(str(number), "", "", text),
                0,
            )
            self.inbox.put(taken, link)
        self.assertTrue(link.paused)
        self.turns()
        self.assertFalse(link.paused)
        self.assertEqual(len(self.shown), fitting + 1)

    def test_links_are_paused_at_the_high_and_resumed_at_the_low_water_mark(self) -> None:
        first, second = FakeLink(), FakeLink()
        self.put(HIGH_WATER, first)
        self.assertFalse(first.paused)
        self.put(1, first)
        self.put(1, second)
        self.assertTrue(first.paused)
        self.assertFalse(second.paused, "it said one word, and others filled the inbox")
        self.put(HIGH_WATER // 2, second)
        self.assertTrue(second.paused)
        while len(self.shown) < HIGH_WATER - LOW_WATER:
            self.turn()
        self.turns()
        self.assertFalse(first.paused or second.paused)

    def test_drain_shows_all_and_leaves_no_timer(self) -> None:
        self.put(100, FakeLink())
        self.inbox.drain()
        self.assertEqual(len(self.shown), 100)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.inbox.drain()

"""Who waits for the history to open, and in which order and number it is let in."""

from typing import Any, cast

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chat.opening import MAX_WAITING, MAX_WAITING_TEXT, Opening
from p2pchat.errors import QueueFullError
from p2pchat.history import StoreError


class Mood:
    """Whether somebody is impatient, and how often that was asked."""

    def __init__(self, impatient: bool) -> None:
        self.asked = 0
        self._impatient = impatient

    def __bool__(self) -> bool:
        self.asked += 1
        return self._impatient


class Doors(SynchronousTestCase):
    def setUp(self) -> None:
        self.opening = Opening()
        self.let_in: list[str] = []

    def waits(self, name: str, count: int = 1, text: int = 0) -> "Deferred[None]":
        return self.opening.wait(count, text).addCallback(lambda _: self.let_in.append(name))

    def test_who_waits_is_let_in_in_order_and_later_ones_at_once(self) -> None:
        self.waits("1")
        self.waits("2").addCallback(lambda _: self.waits("4"))
        self.waits("3")
        self.assertEqual((self.let_in, self.opening.is_open), ([], False))
        self.opening.open()
        self.waits("5")
        self.assertEqual((self.let_in, self.opening.is_open), (["1", "2", "3", "4", "5"], True))

    def test_if_it_never_opens_all_are_turned_away(self) -> None:
        waiting = self.waits("1")
        self.opening.give_up()
        self.failureResultOf(waiting, StoreError)
        self.failureResultOf(self.waits("2"), StoreError)
        self.opening.open()
        self.failureResultOf(self.waits("3"), StoreError)
        self.assertEqual(self.let_in, [])

    def test_who_is_impatient_is_turned_away_when_it_could_not_be_opened(self) -> None:
        patient = self.waits("1")
        waiting = self.opening.wait(impatient=True)
        self.assertNoResult(waiting)
        self.opening.failed("disk full")
        for impatient in (waiting, self.opening.wait(impatient=True)):
            error = self.failureResultOf(impatient, StoreError).value
            self.assertEqual(str(error), "disk full")
        self.assertNoResult(patient)
        self.opening.open()
        self.successResultOf(self.opening.wait(impatient=True))
        self.assertEqual(self.let_in, ["1"])

    def test_among_many_nobody_is_asked_again_and_again(self) -> None:
        """With each of the impatient all who came before were looked through."""
        moods = [Mood(number % 2 == 0) for number in range(100)]
        turned_away: list[Any] = []
        for mood in moods:
            waiting = self.opening.wait(impatient=cast(bool, mood))
            waiting.addErrback(turned_away.append)
        self.opening.failed("disk full")
        self.assertEqual(len(turned_away), 50)
        self.assertLess(max(mood.asked for mood in moods), 5)

    def test_who_is_turned_away_may_call_another_one_off(self) -> None:
        first, second = (self.opening.wait(impatient=True) for _ in range(2))
        first.addErrback(lambda failure: second.cancel())
        self.opening.failed("disk full")
        self.failureResultOf(second, CancelledError)

    def test_once_open_it_stays_open(self) -> None:
        self.opening.open()
        self.opening.give_up()
        self.waits("1")
        self.assertEqual(self.let_in, ["1"])

    def test_so_many_and_so_much_text_may_wait(self) -> None:
        for bound in ((MAX_WAITING, 0), (1, MAX_WAITING_TEXT)):
            self.opening = Opening()
            first = self.waits("1", *bound)
            self.failureResultOf(self.waits("2", 1, 1), QueueFullError)
            first.cancel()
            self.failureResultOf(first, CancelledError)
            self.assertNoResult(self.waits("3", *bound))

    def test_who_does_not_wait_any_more_is_not_let_in(self) -> None:
        first, _ = self.waits("1"), self.waits("2")
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.opening.open()
        self.assertEqual(self.let_in, ["2"])

"""Asking several servers at once."""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.rendezvous.asking import PATIENCE, when_asked


class AskingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.questions = [Deferred() for _ in range(3)]
        self.done = when_asked(self.clock, self.questions)

    def test_nobody_to_ask(self) -> None:
        self.successResultOf(when_asked(self.clock, []))

    def test_all_are_over(self) -> None:
        for question in self.questions:
            self.assertNoResult(self.done)
            question.callback(None)
        self.successResultOf(self.done)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_the_slowest_is_not_waited_for(self) -> None:
        self.clock.advance(100.0)
        self.assertNoResult(self.done)
        self.questions[1].callback(None)
        self.clock.advance(PATIENCE / 2)
        self.assertNoResult(self.done)
        self.clock.advance(PATIENCE / 2)
        self.successResultOf(self.done)
        for late in (self.questions[0], self.questions[2]):
            late.callback(None)

    def test_one_that_fails_is_over_too_and_keeps_its_error(self) -> None:
        self.questions[0].errback(ZeroDivisionError())
        self.failureResultOf(self.questions[0], ZeroDivisionError)
        self.clock.advance(PATIENCE)
        self.successResultOf(self.done)

    def test_who_gives_up_waiting_leaves_no_timer(self) -> None:
        self.questions[0].callback(None)
        self.done.addErrback(lambda _: None)
        self.done.cancel()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.questions[1].callback(None)
        self.assertEqual(self.clock.getDelayedCalls(), [])

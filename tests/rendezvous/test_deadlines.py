"""One timer for all deadlines of a kind."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.rendezvous.deadlines import Deadlines


class DeadlinesTests(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.late = []
        self.deadlines = Deadlines(self.clock, 5.0, self.expired)

    def expired(self, one):
        self.late.append((one, self.clock.seconds()))

    def test_each_is_told_when_its_time_is_over(self):
        for one in "abc":
            self.deadlines.begin(one)
            self.clock.advance(1)
        self.clock.pump([1] * 10)
        self.assertEqual(self.late, [("a", 5), ("b", 6), ("c", 7)])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_who_is_in_time_is_not_told(self):
        for one in "abc":
            self.deadlines.begin(one)
        self.deadlines.end("a")
        self.deadlines.end("c")
        self.clock.advance(10)
        self.assertEqual(self.late, [("b", 10)])
        self.deadlines.end("b")

    def test_there_is_one_timer_at_the_most(self):
        self.assertEqual(self.clock.getDelayedCalls(), [])
        for one in range(1000):
            self.deadlines.begin(one)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        for one in range(1000):
            self.deadlines.end(one)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_whoever_is_told_may_begin_again_and_end_others(self):
        def expired(one):
            self.expired(one)
            deadlines.end("b")
            if len(self.late) == 1:
                deadlines.begin(one)

        deadlines = Deadlines(self.clock, 5.0, expired)
        deadlines.begin("a")
        deadlines.begin("b")
        self.clock.pump([5, 5, 5])
        self.assertEqual(self.late, [("a", 5), ("a", 10)])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_who_breaks_does_not_cost_the_others_their_end(self):
        def expired(one):
            self.expired(one)
            if one == "a":
                raise ZeroDivisionError

        deadlines = Deadlines(self.clock, 5.0, expired)
        for one in "abc":
            deadlines.begin(one)
        with self.assertRaises(ZeroDivisionError):
            self.clock.advance(5)
        self.clock.advance(0)
        self.assertEqual(self.late, [("a", 5), ("b", 5), ("c", 5)])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    @settings(deadline=None)
    @given(
        st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["begin", "end"]), st.integers(0, 7)))
    )
    def test_is_what_a_timer_for_each_would_be(self, steps):
        self.setUp()
        timers, expected = {}, []

        def late(one):
            del timers[one]
            expected.append((one, self.clock.seconds()))

        for one, step, halves in steps:
            if step == "begin" and one not in timers:
                timers[one] = self.clock.callLater(5.0, late, one)
                self.deadlines.begin(one)
            elif step == "end":
                self.deadlines.end(one)
                if one in timers:
                    timers.pop(one).cancel()
            for _ in range(halves):
                self.clock.advance(0.5)
        self.clock.pump([0.5] * 20)
        self.assertEqual(sorted(self.late), sorted(expected))
        self.assertEqual(self.clock.getDelayedCalls(), [])

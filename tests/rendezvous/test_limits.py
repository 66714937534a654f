"""Sliding windows and the rate limit."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.rendezvous.limits import RateLimiter, SlidingWindow, Verdict

ADMITTED = Verdict(True)
CLOSED = Verdict(False)


class SlidingWindowTests(SynchronousTestCase):
    @settings(deadline=None)
    @given(st.lists(st.floats(0, 30), max_size=60), st.integers(1, 5))
    def test_never_more_than_the_limit_in_any_span(self, pauses, limit):
        window, now, times = SlidingWindow(limit, 60), 0.0, []
        for pause in pauses:
            now += pause
            if window.wait(now) <= 0:
                window.add(now)
                times.append(now)
        for start in times:
            self.assertLessEqual(sum(start <= time < start + 60 for time in times), limit)

    @settings(deadline=None)
    @given(st.integers(1, 5))
    def test_waiting_as_long_as_told_is_enough_and_no_less(self, limit):
        window = SlidingWindow(5, 60)
        for second in range(5):
            window.add(float(second))
        wait = window.wait(4.0, limit)
        self.assertEqual(wait, 60.0 - (limit - 1))
        self.assertEqual(window.wait(4.0 + wait, limit), 0.0)
        self.assertGreater(window.wait(4.0 + wait - 0.1, limit), 0.0)

    def test_what_is_taken_back_did_not_happen(self):
        window = SlidingWindow(1, 60)
        window.add(0.0)
        window.take_back()
        self.assertEqual(window.wait(0.0), 0.0)
        window.take_back()

    def test_a_clock_that_is_set_back_locks_nobody_out(self):
        window = SlidingWindow(1, 60)
        window.add(5000.0)
        self.assertEqual(window.wait(1000.0), 0.0)


class RateLimiterTests(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.limiter = self.make_limiter()

    def make_limiter(self, **changes):
        options = {"limit": 50, "span": 60.0, "block_time": 60.0, "max_sources": 100}
        return RateLimiter(self.clock.seconds, **(options | changes))

    def judge(self, times, ip="10.0.0.1"):
        return [self.limiter.verdict(ip) for _ in range(times)]

    def test_fifty_are_admitted_and_the_next_is_closed(self):
        self.assertEqual(self.judge(51), [ADMITTED] * 50 + [CLOSED])

    def test_further_ones_are_told_how_long_until_the_block_ends(self):
        self.judge(51)
        self.assertEqual(self.judge(1), [Verdict(False, 60.0)])
        self.clock.advance(59.5)
        self.assertEqual(self.judge(1), [Verdict(False, 0.5)])
        self.clock.advance(0.5)
        self.assertEqual(self.judge(51), [ADMITTED] * 50 + [CLOSED])

    def test_at_the_door_as_many_are_admitted_and_who_is_not_is_not_counted(self):
        self.assertEqual([self.limiter.admit("10.0.0.1") for _ in range(51)], [True] * 50 + [False])
        self.clock.advance(60)
        self.assertTrue(self.limiter.admit("10.0.0.1"))
        self.assertEqual(self.judge(50), [ADMITTED] * 49 + [CLOSED])
        self.assertFalse(self.limiter.admit("10.0.0.1"))

    def test_being_told_does_not_prolong_the_block(self):
        self.judge(51)
        for _ in range(30):
            self.clock.advance(2)
            last = self.judge(10)
        self.assertEqual(last, [ADMITTED] * 10)

    def test_the_window_slides(self):
        self.judge(25)
        self.clock.advance(40)
        self.judge(25)
        self.clock.advance(20)
        self.assertEqual(self.judge(26), [ADMITTED] * 25 + [CLOSED])

    def test_each_ip_counts_for_itself(self):
        self.judge(60)
        self.assertEqual(self.judge(1, "10.0.0.2"), [ADMITTED])

    def test_a_flood_of_ips_does_not_grow_the_table(self):
        for number in range(1000):
            self.judge(1, f"10.0.{number // 256}.{number % 256}")
            self.assertLessEqual(len(self.limiter), 100)

    def test_who_came_last_is_remembered_when_the_table_is_full(self):
        self.limiter = self.make_limiter(max_sources=2)
        self.judge(51, "10.0.0.1")
        self.judge(1, "10.0.0.2")
        self.judge(1, "10.0.0.1")
        self.judge(1, "10.0.0.3")
        self.assertFalse(self.limiter.verdict("10.0.0.1").admitted)

    def test_who_was_not_seen_for_long_is_forgotten(self):
        self.judge(1, "10.0.0.1")
        self.clock.advance(121)
        self.judge(1, "10.0.0.2")
        self.assertEqual(len(self.limiter), 1)

    def test_a_clock_that_is_set_back_does_not_prolong_a_block(self):
        self.clock.advance(5000)
        self.judge(51)
        self.clock.rightNow = 1000.0
        self.assertEqual(self.judge(1), [ADMITTED])

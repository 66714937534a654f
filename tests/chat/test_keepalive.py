"""PINGs without answer, and round trip times."""

import tracemalloc

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.api import RttInfo
from p2pchat.chat.keepalive import RTT_SAMPLES, KeepAlive, RttStats


class KeepAliveTests(SynchronousTestCase):
    def test_dead_after_two_pings_without_answer(self) -> None:
        keepalive = KeepAlive()
        keepalive.pinged("1")
        self.assertFalse(keepalive.dead)
        keepalive.pinged("2")
        self.assertTrue(keepalive.dead)

    def test_what_we_did_not_read_does_not_count(self) -> None:
        keepalive = KeepAlive()
        keepalive.pinged("1")
        keepalive.pinged("2")
        keepalive.excuse()
        keepalive.pinged("3")
        self.assertFalse(keepalive.dead)
        keepalive.pinged("4")
        self.assertTrue(keepalive.dead)

    def test_any_answer_revives(self) -> None:
        keepalive = KeepAlive()
        keepalive.pinged("1")
        keepalive.pinged("2")
        keepalive.written("1", 1.0)
        self.assertIsNotNone(keepalive.ponged("1", 2.0))
        self.assertFalse(keepalive.dead)
        self.assertEqual(keepalive.unanswered, 0)

    def test_a_pong_to_no_ping_of_ours_counts_for_nothing(self) -> None:
        keepalive = KeepAlive()
        keepalive.pinged("1")
        keepalive.pinged("2")
        self.assertIsNone(keepalive.ponged("other", 1.0))
        self.assertTrue(keepalive.dead)

    def test_a_second_pong_to_the_same_ping_is_not_measured(self) -> None:
        keepalive = KeepAlive()
        keepalive.pinged("1")
        keepalive.written("1", 1.0)
        self.assertEqual(keepalive.ponged("1", 1.5), 0.5)
        self.assertIsNone(keepalive.ponged("1", 9.0))

    def test_waiting_in_our_own_queue_is_not_measured(self) -> None:
        keepalive = KeepAlive()
        keepalive.pinged("1")
        keepalive.written("1", 100.0)
        self.assertEqual(keepalive.ponged("1", 100.25), 0.25)

    def test_pings_that_nobody_answers_are_forgotten(self) -> None:
        keepalive = KeepAlive()
        for number in range(1000):
            keepalive.pinged(str(number))
        self.assertIsNone(keepalive.ponged("0", 1.0))
        self.assertIsNotNone(keepalive.ponged("999", 1.0))


class Statistics(SynchronousTestCase):
    def of(self, *seconds: float) -> RttInfo:
        stats = RttStats()
        for value in seconds:
            stats.add(value)
        return stats.info()

    def test_none(self) -> None:
        self.assertEqual(self.of(), RttInfo(0))

    def test_one(self) -> None:
        self.assertEqual(self.of(0.25), RttInfo(1, 250.0, 250.0, 250.0, 250.0))

    def test_many_in_milliseconds(self) -> None:
        info = self.of(*(number / 1000 for number in range(101)))
        self.assertEqual(info.count, 101)
        for value, expected in ((info.last, 100), (info.mean, 50), (info.p50, 50), (info.p95, 95)):
            self.assertAlmostEqual(value, expected)

    def test_they_are_numbers_and_no_objects(self) -> None:
        stats = RttStats()
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        for number in range(2 * RTT_SAMPLES):
            stats.add(number / 7)
        kept, _ = tracemalloc.get_traced_memory()
        self.assertLess(kept, 16 * RTT_SAMPLES)
        last = stats.info().last
        assert last is not None
        self.assertAlmostEqual(last, 1000 * (2 * RTT_SAMPLES - 1) / 7)

    def test_only_the_newest_are_kept_and_all_are_counted(self) -> None:
        info = self.of(*([9.0] * 10 + [1.0] * RTT_SAMPLES))
        self.assertEqual((info.count, info.mean), (RTT_SAMPLES + 10, 1000.0))

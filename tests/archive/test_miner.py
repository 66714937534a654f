"""Searching in threads: found, given up, failed, and no thread left behind."""

from unittest.mock import patch

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.python.threadable import isInIOThread
from twisted.trial.unittest import SynchronousTestCase, TestCase

from p2pchat.archive import kernel, miner
from p2pchat.archive.kernel import ALIGNMENT, tries_a_look
from p2pchat.archive.miner import Miner
from tests.archive.mined import code_for, easy_proof
from tests.archive.threads import ThreadedClock

PREFIX = b"\x05hello"


class MinerCase(SynchronousTestCase):
    threads = 1

    def setUp(self):
        self.enterContext(easy_proof())
        self.clock = ThreadedClock()
        self.miner = Miner(self.clock, self.threads)
        self.codes = []

    def search(self, prefix=PREFIX, start=0):
        self.miner.search(prefix, start, self.codes.append)

    def replace_search(self, search):
        """Let another function search."""
        replaced = patch.object(miner, "search", search)
        replaced.start()
        self.addCleanup(replaced.stop)

    def stop(self):
        stopped = []
        self.miner.stop().addBoth(stopped.append)
        return stopped


class OneThreadTests(MinerCase):
    def test_what_is_found(self):
        self.assertFalse(self.miner.mining)
        self.search(start=7 << 64)
        self.assertTrue(self.miner.mining)
        self.assertEqual(self.codes, [])
        self.clock.finish()
        self.assertEqual(self.codes, [code_for(PREFIX, 7 << 64)])
        self.assertFalse(self.miner.mining)

    def test_what_is_given_up_is_not_heard_of(self):
        self.search()
        self.miner.cancel()
        self.assertFalse(self.miner.mining)
        self.clock.finish()
        self.assertEqual(self.codes, [])

    def test_thread_that_is_given_up_tries_nothing_more(self):
        looks = []

        def search(prefix, stop, start):
            looks.append(stop())
            self.miner.cancel()
            looks.append(stop())

        self.replace_search(search)
        self.search()
        self.clock.finish()
        self.assertEqual(looks, [False, True])

    def test_what_is_found_while_it_is_given_up_is_not_heard_of(self):
        def search(prefix, stop, start):
            self.miner.cancel()
            return bytes(16)

        self.replace_search(search)
        self.search()
        self.clock.finish()
        self.assertEqual(self.codes, [])

    def test_another_search_takes_its_place(self):
        self.search()
        self.search(b"\x05other")
        self.assertEqual(len(self.clock.threads), 2)
        self.clock.finish()
        self.assertEqual(self.codes, [])
        self.assertTrue(self.miner.mining)
        self.clock.finish()
        self.assertEqual(self.codes, [code_for(b"\x05other", 0)])

    def test_whoever_hears_of_one_may_search_at_once(self):
        self.miner.search(PREFIX, 0, lambda _: self.search(b"\x05other"))
        self.clock.finish_all()
        self.assertEqual(self.codes, [code_for(b"\x05other", 0)])

    def test_rate_is_that_of_the_looks_so_far(self):
        """Not of the time from asking for a thread until the reactor hears of its end."""
        seen = []

        def search(prefix, stop, start):
            for _ in range(2):
                stop()
                self.clock.advance(0.5)
            stop()
            seen.append((self.miner.tries, self.miner.rate))
            return (start + 2 * tries_a_look() + 5).to_bytes(16, "big")

        self.replace_search(search)
        self.assertEqual((self.miner.rate, self.miner.tries), (0, 0))
        self.search(start=7 << 64)
        self.clock.advance(100)
        self.assertEqual((self.miner.rate, self.miner.tries), (0, 0))
        self.clock.finish()
        self.assertEqual(seen, [(2 * tries_a_look(), 2 * tries_a_look())])
        self.assertEqual((self.miner.rate, self.miner.tries), (2 * tries_a_look() + 6, 0))

    def test_tries_of_a_search_that_is_given_up_count_for_the_rate(self):
        def search(prefix, stop, start):
            stop()
            self.clock.advance(2)
            stop()
            self.miner.cancel()

        self.replace_search(search)
        self.search()
        self.clock.finish()
        self.assertEqual(self.miner.rate, tries_a_look() / 2)

    def test_search_that_fails_is_logged_and_over(self):
        self.search(prefix=None)
        self.clock.finish()
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)
        self.assertFalse(self.miner.mining)
        self.assertEqual(self.stop(), [None])
        self.search()
        self.clock.finish()
        self.assertEqual(len(self.codes), 1)

    def test_search_that_fails_when_it_is_given_up_harms_no_other(self):
        self.search(prefix=None)
        self.search()
        self.clock.finish()
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)
        self.assertTrue(self.miner.mining)
        self.clock.finish()
        self.assertEqual(len(self.codes), 1)

    def test_stopped_when_no_thread_searches(self):
        self.assertEqual(self.stop(), [None])
        self.search()
        self.search()
        stopped = self.stop()
        self.clock.finish()
        self.assertEqual(stopped, [])
        self.clock.finish()
        self.assertEqual(stopped, [None])
        self.assertEqual(self.codes, [])
        self.assertFalse(self.miner.mining)


class ThreeThreadsTests(MinerCase):
    threads = 3

    def test_each_tries_codes_of_its_own(self):
        for thread in range(3):
            self.codes.clear()
            self.search(start=5 << 64)
            self.assertEqual(len(self.clock.threads), 3)
            self.clock.finish(thread)
            self.clock.finish_all()
            self.assertEqual(self.codes, [code_for(PREFIX, (5 << 64) + (thread << 56))])

    def test_first_one_that_finds_it_ends_the_others(self):
        stops = []

        def search(prefix, stop, start):
            stops.append(stop())
            return bytes(16)

        self.replace_search(search)
        for first in range(3):
            self.search()
            self.clock.finish(first)
            self.assertFalse(self.miner.mining)
            self.clock.finish_all()
            self.assertEqual(len(self.codes), first + 1)
        self.assertEqual(stops, [False, True, True] * 3)

    def test_rate_is_that_of_all_threads_together(self):
        def search(prefix, stop, start):
            stop()
            self.clock.advance(0.5)
            if self.clock.threads:
                self.clock.finish()  # others meanwhile
            return (start // ALIGNMENT * ALIGNMENT + 999).to_bytes(16, "big")

        self.replace_search(search)
        self.search(start=10)
        self.clock.finish()
        # the last one to begin, which alone ended in time, tried so often in half a second
        self.assertEqual(self.miner.rate, 1000 / 0.5 * 3)
        self.assertEqual(len(self.codes), 1)

    def test_one_that_fails_ends_all(self):
        self.search(prefix=None)
        self.clock.finish()
        self.assertFalse(self.miner.mining)
        self.clock.finish_all()
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 3)


class RealThreadTests(TestCase):
    """On threads that run meanwhile."""

    async def test_stop_ends_threads_that_search(self):
        self.patch(kernel, "_zeros", 4)
        codes = []
        searching = Miner(reactor, 3)
        for _ in range(2):
            searching.search(PREFIX, 0, codes.append)
        await searching.stop()
        self.assertEqual(codes, [])
        self.assertFalse(searching.mining)

    async def test_what_is_found_is_heard_of_in_the_reactor(self):
        self.enterContext(easy_proof())
        heard, found = [], Deferred()

        def hear(code):
            heard.append(isInIOThread())
            found.callback(code)

        searching = Miner(reactor, 2)
        searching.search(PREFIX, 0, hear)
        code = await found
        self.assertIn(code, [code_for(PREFIX, thread << 56) for thread in range(2)])
        self.assertEqual(heard, [True])
        await searching.stop()

"""The rate limit in Redis: the rule of the one in memory, shared."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.rendezvous.limits import DEFAULT_LIMITS, RateLimiter, Verdict, make_limiter
from p2pchat.rendezvous.redis_client import RedisAwayError
from p2pchat.rendezvous.redis_limiter import JUDGE_TIME, RedisLimiter
from tests.rendezvous.backends import RedisBackend

ADMITTED = Verdict(True)
CLOSED = Verdict(False)


class OddClient:
    """A client whose Redis answers as a test says."""

    def __init__(self, answer):
        self.answer = answer
        self.runs = 0

    async def run(self, script, keys, *arguments):
        self.runs += 1
        return await self.answer()


class RedisLimiterTests(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.backend = RedisBackend(self)
        self.limiter = self.backend.limiter(self.clock)

    def judge(self, times=1, ip="10.0.0.1", limiter=None):
        told = []
        for _ in range(times):
            (limiter or self.limiter).judge(ip, told.append)
        return told

    def test_fifty_are_admitted_the_next_is_closed_and_then_it_is_told_for_how_long(self):
        self.assertEqual(self.judge(51), [ADMITTED] * 50 + [CLOSED])
        self.clock.advance(0.5)
        self.assertEqual(self.judge(), [Verdict(False, 59.5)])
        self.clock.advance(59.5)
        self.assertEqual(self.judge(51), [ADMITTED] * 50 + [CLOSED])

    def test_the_window_slides(self):
        self.judge(25)
        self.clock.advance(40)
        self.judge(25)
        self.clock.advance(20)
        self.assertEqual(self.judge(26), [ADMITTED] * 25 + [CLOSED])

    def test_two_servers_count_together(self):
        other = self.backend.limiter(self.clock)
        for _ in range(25):
            self.assertEqual(self.judge() + self.judge(limiter=other), [ADMITTED] * 2)
        self.assertEqual(self.judge(limiter=other), [CLOSED])
        self.assertEqual(self.judge(), [Verdict(False, 60.0)])
        self.assertEqual(self.judge(ip="10.0.0.2"), [ADMITTED])

    def test_who_is_blocked_costs_redis_nothing(self):
        self.judge(51)
        other = self.backend.limiter(self.clock)
        runs = self.backend.client.runs
        self.judge(20)
        self.assertEqual(self.backend.client.runs, runs)
        self.judge(20, limiter=other)
        self.assertEqual(self.backend.client.runs, runs + 1)

    def test_a_clock_that_is_set_back_does_not_prolong_a_block(self):
        self.clock.advance(5000)
        self.judge(51)
        self.clock.rightNow = 1000.0
        self.assertEqual(self.judge(), [ADMITTED])

    def test_nor_does_it_make_those_count_who_will_come(self):
        self.clock.advance(5000)
        self.judge(50)
        self.clock.rightNow = 1000.0
        self.assertEqual(self.judge(51), [ADMITTED] * 50 + [CLOSED])

    def test_it_leaves_nothing_behind(self):
        self.judge(51)
        self.judge(3, "10.0.0.2")
        keys = self.backend.server.ask("KEYS", "*")
        self.assertEqual(len(keys), 2)
        for key in keys:
            self.assertTrue(0 < self.backend.server.ask("PTTL", key) <= 60_000, key)

    @settings(max_examples=30, deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 40), st.sampled_from("ab")), max_size=40))
    def test_it_is_the_rule_of_the_one_in_memory(self, connections):
        self.backend.server.ask("FLUSHALL")
        clock = Clock()
        rule = {"limit": 3, "span": 10.0, "block_time": 7.0, "max_sources": 100}
        plain = RateLimiter(clock.seconds, **rule)
        shared = [
            RedisLimiter(clock, self.backend.client, plain, redis_time=clock.seconds, **rule)
            for _ in range(2)
        ]
        for number, (eighths, ip) in enumerate(connections):
            clock.advance(eighths / 8)
            expected = [plain.verdict(ip)]
            self.assertEqual(self.judge(1, ip, shared[number % 2]), expected)


class WithoutRedisTests(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.told = []

    def limiter(self, client, **changes):
        limits = DEFAULT_LIMITS
        rule = {
            "limit": limits.rate_limit,
            "span": limits.rate_window,
            "block_time": limits.block_time,
            "max_sources": limits.max_sources,
        }
        fallback = make_limiter(self.clock.seconds, limits)
        return RedisLimiter(self.clock, client, fallback, **rule | changes)

    def test_at_the_door_it_cannot_tell_and_nobody_is_asked(self):
        client = OddClient(None)
        self.assertFalse(self.limiter(client).admit("10.0.0.1"))
        self.assertEqual(client.runs, 0)

    def test_while_it_is_away_the_server_counts_for_itself(self):
        async def away():
            raise RedisAwayError("away")

        limiter = self.limiter(OddClient(away))
        for _ in range(51):
            limiter.judge("10.0.0.1", self.told.append)
        self.assertEqual(self.told, [ADMITTED] * 50 + [CLOSED])

    def test_while_it_is_slow_too_and_it_is_told_once(self):
        answers = []

        async def slow():
            answers.append(Deferred())
            return await answers[-1]

        limiter = self.limiter(OddClient(slow))
        limiter.judge("10.0.0.1", self.told.append)
        self.clock.advance(JUDGE_TIME - 0.01)
        self.assertEqual(self.told, [])
        self.clock.advance(0.01)
        self.assertEqual(self.told, [ADMITTED])
        answers[0].callback(-1)
        self.assertEqual(self.told, [ADMITTED])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_while_it_answers_what_was_not_asked(self):
        for answer in (b"0", None, [0]):

            async def odd(answer=answer):
                return answer

            self.limiter(OddClient(odd)).judge("10.0.0.1", self.told.append)
        self.assertEqual(self.told, [ADMITTED] * 3)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_an_error_of_ours_is_logged_and_locks_nobody_out(self):
        async def broken():
            raise KeyError("ours")

        self.limiter(OddClient(broken)).judge("10.0.0.1", self.told.append)
        self.assertEqual(self.told, [ADMITTED])
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    def test_a_flood_of_blocked_ips_does_not_grow_the_table(self):
        async def blocked():
            return -1

        client = OddClient(blocked)
        limiter = self.limiter(client, max_sources=10)
        for number in range(100):
            limiter.judge(f"10.0.0.{number}", self.told.append)
        self.assertEqual(len(limiter._blocked), 10)
        limiter.judge("10.0.0.99", self.told.append)
        self.assertEqual(client.runs, 100)

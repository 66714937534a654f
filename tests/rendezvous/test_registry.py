"""The registry in memory, and all of them against a model."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.rendezvous.messages import Register
from p2pchat.rendezvous.registry import MemoryRegistry
from tests.rendezvous.at_once import result_of
from tests.rendezvous.backends import MemoryBackend, RedisBackend, SqliteBackend
from tests.rendezvous.registry_machine import check_against_model


class EveryRegistryTests(SynchronousTestCase):
    """Each does what the model does; the ones that are kept, through restarts too."""

    def test_in_memory(self):
        check_against_model(MemoryBackend(self), examples=100)

    def test_in_a_file(self):
        check_against_model(SqliteBackend(self), examples=25)

    def test_in_redis(self):
        check_against_model(RedisBackend(self), examples=30)


class MemoryRegistryTests(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.registry = MemoryRegistry(self.clock.seconds)

    def test_lives_until_its_ttl_is_over_and_no_longer(self):
        result_of(self.registry.register("10.0.0.1", Register("CIC", "ana", 4000, 60)))
        self.clock.advance(59.9)
        (peer,) = result_of(self.registry.find(None)).peers
        self.assertEqual(peer.expires_in, 0)
        self.clock.advance(0.1)
        self.assertEqual(result_of(self.registry.find(None)).peers, [])

    def lines(self):
        return [result_of(self.registry.find(namespace)).line() for namespace in ("CIC", None)]

    def test_lists_the_seconds_that_are_left_when_the_present_one_ends(self):
        self.clock.advance(0.25)
        result_of(self.registry.register("10.0.0.1", Register("CIC", "ana", 4000, 60)))
        for moment, left in ((0.25, 59), (0.75, 59), (1.0, 59), (1.5, 58), (60.0, 0), (60.125, 0)):
            self.clock.advance(moment - self.clock.seconds())
            (peer,) = result_of(self.registry.find("CIC")).peers
            self.assertEqual(peer.expires_in, left, moment)
            for line in self.lines():
                self.assertIn(b'"expires_in": %d}' % left, line)
        self.clock.advance(0.125)
        self.assertEqual(self.lines(), [b'{"status": "OK", "peers": []}\n'] * 2)

    def test_whoever_asks_in_the_same_second_gets_the_same_line(self):
        result_of(self.registry.register("10.0.0.1", Register("CIC", "ana", 4000, 60)))
        before = self.lines()
        self.clock.advance(0.9)
        self.assertNotEqual(self.lines(), before)
        before = self.lines()
        self.clock.advance(0.1)
        for line, kept in zip(self.lines(), before, strict=True):
            self.assertIs(line, kept)

    def test_what_changes_within_a_second_is_listed_as_it_is(self):
        self.clock.advance(0.25)
        result_of(self.registry.register("10.0.0.1", Register("CIC", "ana", 4000, 1)))
        result_of(self.registry.register("10.0.0.1", Register("lab", "eve", 4000, 1)))
        self.clock.advance(0.875)
        for change, shown in (
            (lambda: None, b'"port": 4000, "name": "ana"'),
            (lambda: self.register("ana", 4001), b'"port": 4001, "name": "ana"'),
            (lambda: self.register("bob", 4002), b'"port": 4002, "name": "bob"'),
            (lambda: self.register("bob", 4002, 9), b'"ttl": 9, "expires_in": 8}'),
        ):
            change()
            for line in self.lines():
                self.assertIn(shown, line)
        self.assertEqual(result_of(self.registry.unregister("10.0.0.1", "CIC", "ana", None)), 1)
        for line in self.lines():
            self.assertNotIn(b"ana", line)
        self.assertIn(b"eve", self.lines()[1])
        self.clock.advance(0.125)
        self.assertNotIn(b"eve", self.lines()[1])

    def register(self, name, port, ttl=1):
        result_of(self.registry.register("10.0.0.1", Register("CIC", name, port, ttl)))

    def test_nobody_fills_the_memory_with_questions(self):
        for number in range(100):
            result_of(self.registry.find(f"nobody {number}")).line()
        self.assertEqual(len(self.registry._lines), 0)

    def test_who_registers_for_ever_leaves_nothing_behind(self):
        for _ in range(10_000):
            result_of(self.registry.register("10.0.0.1", Register("CIC", "ana", 4000, 86400)))
            self.clock.advance(1)
        self.assertLess(len(self.registry._expiries), 2000)
        self.assertEqual(len(result_of(self.registry.find(None)).peers), 1)

    def test_who_comes_and_goes_for_ever_leaves_nothing_behind(self):
        for _ in range(10_000):
            self.register("ana", 4000, 86400)
            result_of(self.registry.unregister("10.0.0.1", "CIC", "ana", None))
            self.clock.advance(1)
        self.assertLess(len(self.registry._expiries), 2000)

    def test_to_register_again_costs_no_memory_and_may_shorten_the_time(self):
        for ttl in (5, 60, 60, 7):
            self.register("ana", 4000, ttl)
        self.assertEqual(len(self.registry._expiries), 2)
        self.clock.advance(6.5)
        self.assertEqual(len(result_of(self.registry.find(None)).peers), 1)
        self.clock.advance(0.5)
        self.assertEqual(result_of(self.registry.find(None)).peers, [])
        self.clock.advance(60)
        self.assertEqual(result_of(self.registry.find(None)).peers, [])
        self.assertEqual(self.registry._expiries, [])

    def test_who_came_and_went_leaves_nothing_behind(self):
        for number in range(100):
            ip, namespace = f"10.0.0.{number}", f"lab{number}"
            result_of(self.registry.register(ip, Register(namespace, "ana", 4000, 60)))
            if number % 2:
                result_of(self.registry.unregister(ip, namespace, None, None))
        self.clock.advance(60)
        self.assertEqual(result_of(self.registry.find(None)).peers, [])
        self.assertEqual((self.registry._by_ip, self.registry._rolls), ({}, {}))

    def test_a_clock_that_is_set_back_prolongs_nothing_it_shows(self):
        self.clock.advance(5000)
        result_of(self.registry.register("10.0.0.1", Register("CIC", "ana", 4000, 60)))
        self.clock.rightNow = 1000.0
        (peer,) = result_of(self.registry.find(None)).peers
        self.assertEqual(peer.expires_in, 60)

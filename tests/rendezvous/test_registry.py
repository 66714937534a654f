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

    def test_who_registers_for_ever_leaves_nothing_behind(self):
        for _ in range(10_000):
            result_of(self.registry.register("10.0.0.1", Register("CIC", "ana", 4000, 86400)))
            self.clock.advance(1)
        self.assertLess(len(self.registry._expiries), 2000)
        self.assertEqual(len(result_of(self.registry.find(None)).peers), 1)

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

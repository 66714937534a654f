"""The registry in memory, against the plainest model of one."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.rendezvous.messages import Register
from p2pchat.rendezvous.registry import MemoryRegistry, RegistryFullError
from p2pchat.rendezvous.replies import Listed

MAX_ENTRIES = 6
MAX_PER_IP = 4

ips = st.sampled_from(["10.0.0.1", "10.0.0.2", "::1"])
namespaces = st.sampled_from(["CIC", "lab"])
names = st.sampled_from(["ana", "bob", "eve"])
ports = st.sampled_from([4000, 4001])


def result_of(coroutine):
    """Run a coroutine that waits for nothing."""
    results = []
    Deferred.fromCoroutine(coroutine).addBoth(results.append)
    (result,) = results
    if hasattr(result, "raiseException"):
        result.raiseException()
    return result


class RegistryMachine(RuleBasedStateMachine):
    """The model is a dict that is scanned for everything."""

    def __init__(self):
        super().__init__()
        self.clock = Clock()
        self.registry = MemoryRegistry(
            self.clock.seconds, max_entries=MAX_ENTRIES, max_per_ip=MAX_PER_IP
        )
        self.model = {}

    def live(self):
        now = self.clock.seconds()
        return {key: term for key, term in self.model.items() if term[2] > now}

    @rule(ip=ips, namespace=namespaces, name=names, port=ports, ttl=st.integers(1, 30))
    def register(self, ip, namespace, name, port, ttl):
        self.model = self.live()
        key = (ip, namespace, name)
        of_ip = sum(ip == other for other, _, _ in self.model)
        full = len(self.model) >= MAX_ENTRIES or of_ip >= MAX_PER_IP
        try:
            result_of(self.registry.register(ip, Register(namespace, name, port, ttl)))
        except RegistryFullError:
            assert full
            assert key not in self.model
        else:
            assert not full or key in self.model
            self.model[key] = (port, ttl, self.clock.seconds() + ttl)

    @rule(
        ip=ips,
        namespace=namespaces,
        name=st.none() | names,
        port=st.none() | ports,
    )
    def unregister(self, ip, namespace, name, port):
        gone = [
            key
            for key, term in self.live().items()
            if key[:2] == (ip, namespace) and name in (None, key[2]) and port in (None, term[0])
        ]
        assert result_of(self.registry.unregister(ip, namespace, name, port)) == len(gone)
        for key in gone:
            del self.model[key]

    @rule(seconds=st.floats(0, 20))
    def pass_time(self, seconds):
        self.clock.advance(seconds)

    @invariant()
    def finds_what_the_model_has(self):
        now = self.clock.seconds()
        for namespace in (None, "CIC", "lab", "nobody"):
            expected = [
                Listed(ip, term[0], name, space, term[1], int(term[2] - now))
                for (ip, space, name), term in self.live().items()
                if namespace in (None, space)
            ]
            assert result_of(self.registry.find(namespace)) == expected

    @invariant()
    def knows_the_ips_that_the_model_has(self):
        known = {ip for ip, _, _ in self.live()}
        for ip in ("10.0.0.1", "10.0.0.2", "::1", "10.0.0.3"):
            assert result_of(self.registry.knows(ip)) == (ip in known)


class MemoryRegistryTests(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.registry = MemoryRegistry(self.clock.seconds)

    def test_does_what_the_model_does(self):
        run_state_machine_as_test(
            RegistryMachine,
            settings=settings(max_examples=100, stateful_step_count=30, deadline=None),
        )

    def test_lives_until_its_ttl_is_over_and_no_longer(self):
        result_of(self.registry.register("10.0.0.1", Register("CIC", "ana", 4000, 60)))
        self.clock.advance(59.9)
        self.assertEqual([peer.expires_in for peer in result_of(self.registry.find(None))], [0])
        self.clock.advance(0.1)
        self.assertEqual(result_of(self.registry.find(None)), [])

    def test_who_registers_for_ever_leaves_nothing_behind(self):
        for _ in range(10_000):
            result_of(self.registry.register("10.0.0.1", Register("CIC", "ana", 4000, 86400)))
            self.clock.advance(1)
        self.assertLess(len(self.registry._expiries), 2000)
        self.assertEqual(len(result_of(self.registry.find(None))), 1)

    def test_who_came_and_went_leaves_nothing_behind(self):
        for number in range(100):
            ip, namespace = f"10.0.0.{number}", f"lab{number}"
            result_of(self.registry.register(ip, Register(namespace, "ana", 4000, 60)))
            if number % 2:
                result_of(self.registry.unregister(ip, namespace, None, None))
        self.clock.advance(60)
        self.assertEqual(result_of(self.registry.find(None)), [])
        for index in (self.registry._by_ip, self.registry._by_namespace):
            self.assertEqual(index._keys, {})

    def test_a_clock_that_is_set_back_prolongs_nothing_it_shows(self):
        self.clock.advance(5000)
        result_of(self.registry.register("10.0.0.1", Register("CIC", "ana", 4000, 60)))
        self.clock.rightNow = 1000.0
        (peer,) = result_of(self.registry.find(None))
        self.assertEqual(peer.expires_in, 60)

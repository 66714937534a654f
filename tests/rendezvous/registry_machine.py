"""A registry against the plainest model of one: a dict that is scanned for everything."""

from collections import Counter
from math import ceil, floor

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)
from twisted.internet.task import Clock

from p2pchat.rendezvous import replies
from p2pchat.rendezvous.messages import Register
from p2pchat.rendezvous.registry import RegistryFullError
from p2pchat.rendezvous.replies import Listed
from tests.rendezvous.at_once import result_of

MAX_ENTRIES = 6
MAX_PER_IP = 4

ips = st.sampled_from(["10.0.0.1", "fe80::1%d", "::1"])
# some that would be alike if they were not kept apart with care
namespaces = st.sampled_from(["CIC", '","', "ç 🎉"])
names = st.sampled_from(["ana", "50%d", '\\"', '","'])
ports = st.sampled_from([4000, 4001])


def check_against_model(backend, examples):
    """Do what comes to mind with registries of a backend; AssertionError where they differ."""

    class Machine(RegistryMachine):
        pass

    Machine.backend = backend
    run_state_machine_as_test(
        Machine, settings=settings(max_examples=examples, stateful_step_count=30, deadline=None)
    )


class RegistryMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.clock = Clock()
        self.registry = self.backend.begin(
            self.clock, max_entries=MAX_ENTRIES, max_per_ip=MAX_PER_IP
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

    @rule(eighths=st.integers(0, 160))
    def pass_time(self, eighths):
        self.clock.advance(eighths / 8)

    @rule()
    def restart(self):
        self.registry = self.backend.restart(self.registry)

    @invariant()
    def finds_what_the_model_has(self):
        now = self.clock.seconds()
        for namespace in (None, "CIC", '","', "ç 🎉", "nobody", "\ud800"):
            expected = [
                Listed(ip, term[0], name, space, term[1], max(0, floor(term[2]) - ceil(now)))
                for (ip, space, name), term in self.live().items()
                if namespace in (None, space)
            ]
            found = result_of(self.registry.find(namespace))
            assert sorted(found.peers, key=repr) == sorted(expected, key=repr)
            assert found.line() == replies.listing(found.peers)
            assert found.has_loopback == any(peer.ip == "::1" for peer in expected)

    @invariant()
    def knows_the_ips_that_the_model_has(self):
        known = {ip for ip, _, _ in self.live()}
        for ip in ("10.0.0.1", "fe80::1%d", "::1", "10.0.0.3"):
            assert result_of(self.registry.knows(ip)) == (ip in known)

    @invariant()
    def counts_namespaces_as_the_model_does(self):
        counts = Counter(namespace for _, namespace, _ in self.live())
        assert result_of(self.registry.census()) == counts

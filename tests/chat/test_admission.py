"""Who may come in: bounds that hold whatever happens, and nobody is kept out by silent ones."""

from dataclasses import dataclass
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chat.factory import Admission
from p2pchat.identity import Address

IPS = ["10.0.0.1", "10.0.0.2", "10.0.0.3"]


@dataclass(eq=False)
class FakeLink:
    address: Address


def link(ip: str = IPS[0]) -> Any:
    return FakeLink(Address(ip, 1))


class AdmissionTests(SynchronousTestCase):
    def test_links_of_one_address_are_bounded(self) -> None:
        admission = Admission(100, max_links_per_ip=2, max_handshakes_per_ip=10)
        links = [link(), link()]
        for each in links:
            self.assertTrue(admission.admits(IPS[0]))
            admission.enter(each)
            admission.spoke(each)
        self.assertFalse(admission.admits(IPS[0]))
        self.assertTrue(admission.admits(IPS[1]))
        admission.left(links[0])
        self.assertTrue(admission.admits(IPS[0]))

    def test_at_the_bound_a_silent_one_makes_room_and_the_bound_holds(self) -> None:
        admission = Admission(100, max_links_per_ip=2, max_handshakes_per_ip=10)
        speaker, silent = link(), link()
        admission.enter(speaker)
        admission.spoke(speaker)
        admission.enter(silent)
        self.assertTrue(admission.admits(IPS[0]))
        self.assertIs(admission.enter(link()), silent)

    def test_links_in_all_are_bounded(self) -> None:
        admission = Admission(2, max_links_per_ip=10, max_handshakes_per_ip=10)
        for ip in IPS[:2]:
            admission.enter(link(ip))
        self.assertFalse(admission.admits(IPS[2]))

    def test_the_oldest_silent_one_makes_room(self) -> None:
        admission = Admission(100, 100, max_handshakes_per_ip=2)
        first, second, third, fourth = link(), link(), link(), link()
        self.assertIsNone(admission.enter(first))
        self.assertIsNone(admission.enter(second))
        self.assertIs(admission.enter(third), first)
        self.assertIs(admission.enter(fourth), second, "the one after it goes next, not it again")
        self.assertEqual(admission.silent, 2)

    def test_who_speaks_is_not_evicted(self) -> None:
        admission = Admission(100, 100, max_handshakes_per_ip=1)
        speaker = link()
        admission.enter(speaker)
        admission.spoke(speaker)
        self.assertIsNone(admission.enter(link()))

    def test_is_dialling_tells_of_silent_ones_only(self) -> None:
        admission = Admission(100, 100, 100)
        caller = link()
        self.assertFalse(admission.is_dialling(IPS[0]))
        admission.enter(caller)
        self.assertTrue(admission.is_dialling(IPS[0]))
        self.assertFalse(admission.is_dialling(IPS[1]))
        admission.spoke(caller)
        self.assertFalse(admission.is_dialling(IPS[0]))

    def test_a_link_that_never_entered_takes_nothing_with_it(self) -> None:
        admission = Admission(1, 1, 1)
        admission.left(link())
        admission.enter(link())
        self.assertFalse(admission.admits(IPS[1]))


class AdmissionModel(RuleBasedStateMachine):
    """Links enter, speak and go; those that are told to make room take their time to go."""

    MAX_LINKS, MAX_PER_IP, MAX_SILENT = 8, 4, 2

    def __init__(self) -> None:
        super().__init__()
        self.admission = Admission(self.MAX_LINKS, self.MAX_PER_IP, self.MAX_SILENT)
        self.links: list[Any] = []
        self.spoken: list[Any] = []
        self.evicted: list[Any] = []

    def of(self, ip: str, links: list[Any]) -> int:
        return sum(each.address.host == ip for each in links)

    @rule(ip=st.sampled_from(IPS))
    def enters(self, ip: str) -> None:
        silent = [
            each for each in self.links if each.address.host == ip and each not in self.spoken
        ]
        full = len(self.links) == self.MAX_LINKS or self.of(ip, self.links) == self.MAX_PER_IP
        assert self.admission.admits(ip) == (not full or bool(silent))
        if full and not silent:
            return
        self.links.append(link(ip))
        evicted = self.admission.enter(self.links[-1])
        if full or len(silent) == self.MAX_SILENT:
            assert evicted is silent[0], "the oldest silent one of this address makes room"
            self.links.remove(evicted)
            self.evicted.append(evicted)
        else:
            assert evicted is None

    @rule(data=st.data())
    def speaks(self, data: st.DataObject) -> None:
        silent = [each for each in self.links if each not in self.spoken]
        if silent:
            self.spoken.append(data.draw(st.sampled_from(silent)))
            self.admission.spoke(self.spoken[-1])

    @rule(data=st.data())
    def leaves(self, data: st.DataObject) -> None:
        leaving = [*self.links, *self.evicted]
        if not leaving:
            return
        gone = data.draw(st.sampled_from(leaving))
        self.admission.left(gone)
        for group in (self.links, self.spoken, self.evicted):
            if gone in group:
                group.remove(gone)

    @invariant()
    def bounds_hold(self) -> None:
        assert len(self.links) <= self.MAX_LINKS
        assert self.admission.silent == len(self.links) - len(self.spoken)
        for ip in IPS:
            assert self.of(ip, self.links) <= self.MAX_PER_IP
            assert self.of(ip, self.links) - self.of(ip, self.spoken) <= self.MAX_SILENT


class AdmissionMachine(SynchronousTestCase):
    def test_the_bounds_hold(self) -> None:
        run_state_machine_as_test(
            AdmissionModel,
            settings=settings(deadline=None, max_examples=60, stateful_step_count=30),
        )

"""Verifying in rounds: a slice of each link in turn, a turn of the reactor for each."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.archive.rounds import SLICE, VerifyingRounds


class FakeLink:
    """Has so many slices to verify; in `trouble` it cannot.

    It is `assembling` when so many slices are left.
    """

    def __init__(self, name: str, slices: int, log: list[str]) -> None:
        self.name = name
        self.slices = slices
        self.trouble = False
        self.dropped = False
        self.sizes: set[int] = set()
        self.parts = 0
        self._log = log

    @property
    def assembling(self) -> bool:
        return 0 < self.slices <= self.parts

    def verify(self, size: int) -> bool:
        if self.trouble:
            raise ZeroDivisionError
        self._log.append(self.name)
        self.sizes.add(size)
        self.slices -= 1
        return self.slices > 0

    def drop(self, reason: str) -> None:
        self.dropped = True


class RoundsCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.log: list[str] = []
        self.checked: list[str] = []
        self.rounds = VerifyingRounds(self.clock, lambda link: self.checked.append(link.name))
        self.links = {name: FakeLink(name, 3, self.log) for name in "abc"}

    def add(self, *names: str) -> None:
        for name in names:
            self.rounds.add(self.links[name])

    def turns(self, count: int) -> list[str]:
        """Return whose slices are verified in the next turns."""
        before = len(self.log)
        for _ in range(count):
            # advance() would run all turns at once, as no time passes between them
            if self.clock.calls:
                call = self.clock.calls.pop(0)
                call.called = 1
                call.func(*call.args, **call.kw)
        return self.log[before:]


class RoundsTests(RoundsCase):
    def test_each_in_turn_one_slice_a_turn(self) -> None:
        self.add("a", "b", "c")
        self.assertEqual(self.log, [])
        self.assertEqual(self.turns(1), ["a"])
        self.assertEqual(self.turns(8), [*"bcabcabc"])
        self.assertEqual(self.checked, self.log)
        self.assertEqual(self.links["a"].sizes, {SLICE})

    def test_no_timer_runs_while_there_is_nothing_to_do(self) -> None:
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.add("a")
        self.turns(10)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.add("b")
        self.assertEqual(self.turns(10), [*"bbb"])

    def test_who_comes_later_is_next_in_line(self) -> None:
        self.add("a", "b")
        self.turns(1)
        self.add("c", "a")
        self.assertEqual(self.turns(3), [*"bac"])

    def test_who_is_gone_is_left_out(self) -> None:
        self.add("a", "b", "c")
        self.rounds.discard(self.links["b"])
        self.rounds.discard(self.links["b"])
        self.assertEqual(self.turns(4), [*"acac"])
        for name in "abc":
            self.rounds.discard(self.links[name])
        self.assertEqual(self.turns(2), [])

    def test_stopped_nothing_goes_on(self) -> None:
        self.add("a", "b")
        self.turns(1)
        self.rounds.stop()
        self.rounds.stop()
        self.assertEqual(self.turns(5), [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_one_that_fails_is_dropped_and_the_others_go_on(self) -> None:
        self.add("a", "b", "c")
        self.links["a"].trouble = True
        self.assertRaises(ZeroDivisionError, self.turns, 1)
        self.assertTrue(self.links["a"].dropped)
        self.assertEqual(self.turns(10), [*"bcbcbc"])


class AssemblingTests(RoundsCase):
    """One at a time puts its archive together."""

    def assemble(self, **parts: int) -> None:
        for name, count in parts.items():
            self.links[name].parts = count

    def test_one_after_the_other(self) -> None:
        self.assemble(a=2, b=2)
        self.add("a", "b", "c")
        self.assertEqual(self.turns(20), [*"abcacabcb"])

    def test_none_starts_a_part_while_another_has_some_left(self) -> None:
        self.assemble(a=3, b=3, c=3)
        self.add("a", "b", "c")
        self.assertEqual(self.turns(20), [*"aaabbbccc"])

    def test_who_is_gone_lets_the_next_one(self) -> None:
        self.assemble(a=3, b=3)
        self.add("a", "b")
        self.turns(1)
        self.rounds.discard(self.links["a"])
        self.assertEqual(self.turns(20), [*"bbb"])

    def test_who_fails_lets_the_next_one(self) -> None:
        self.assemble(a=3, b=3)
        self.add("a", "b")
        self.turns(1)
        self.links["a"].trouble = True
        self.assertRaises(ZeroDivisionError, self.turns, 1)
        self.assertEqual(self.turns(20), [*"bbb"])

    def test_who_is_closed_lets_the_next_one(self) -> None:
        self.assemble(a=3, b=3)
        self.add("a", "b")
        self.turns(1)
        self.links["a"].slices = 1
        self.assertEqual(self.turns(20), [*"abbb"])

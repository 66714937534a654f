"""A few rounds of the harness: it runs, and finds nothing. `python -m tests.faults` does many."""

from twisted.trial.unittest import SynchronousTestCase

from tests.faults.__main__ import summary
from tests.faults.rounds import run_rounds

ROUNDS = 6


class FaultsTests(SynchronousTestCase):
    def test_nothing_is_lost_or_doubled(self) -> None:
        told: list[str] = []
        outcome = run_rounds(ROUNDS, 1, told.append)
        self.assertEqual(outcome.rounds, ROUNDS)
        self.assertGreaterEqual(outcome.kills, ROUNDS)
        self.assertGreater(outcome.promised, ROUNDS)
        self.assertGreaterEqual(outcome.messages, outcome.promised)
        self.assertTrue(outcome.is_good, f"{summary(outcome, 1)}\n{outcome.findings}\n{told}")

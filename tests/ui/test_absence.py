"""Where what is unread begins."""

from datetime import timedelta

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.ui.absence import Absence
from tests.ui.fakes import NOON


def at(seconds: float):
    return NOON + timedelta(seconds=seconds)


class AbsenceTests(SynchronousTestCase):
    def test_the_first_message_of_a_long_absence(self) -> None:
        absence = Absence(NOON)
        found = [absence.begins_unread(at(seconds)) for seconds in (0, 59, 60, 61, 9999)]
        self.assertEqual(found, [False, False, True, False, False])

    def test_a_line_ends_it(self) -> None:
        absence = Absence(NOON)
        self.assertTrue(absence.begins_unread(at(60)))
        absence.end(at(100))
        self.assertFalse(absence.begins_unread(at(159)))
        self.assertTrue(absence.begins_unread(at(160)))

    def test_a_clock_that_is_set_back(self) -> None:
        self.assertFalse(Absence(NOON).begins_unread(at(-3600)))

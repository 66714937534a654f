"""Points of time as a user writes them."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.ui.times import date_of, local, read_time
from tests.ui.fakes import NOON

EAST = timezone(timedelta(hours=13))  # where it is tomorrow already


class TimeTests(SynchronousTestCase):
    def test_times(self) -> None:
        cases = {
            "14:30": datetime(2025, 3, 2, 1, 30, tzinfo=UTC),
            "9:05": datetime(2025, 3, 1, 20, 5, tzinfo=UTC),
            "9:05:07": datetime(2025, 3, 1, 20, 5, 7, tzinfo=UTC),
            "2026-11-22": datetime(2026, 11, 21, 11, 0, tzinfo=UTC),
            "2026-11-22 14:30": datetime(2026, 11, 22, 1, 30, tzinfo=UTC),
            "2026-11-22T14:30:05": datetime(2026, 11, 22, 1, 30, 5, tzinfo=UTC),
            "2026-11-22T14:30:00Z": datetime(2026, 11, 22, 14, 30, tzinfo=UTC),
            "2026-11-22 14:30+02:00": datetime(2026, 11, 22, 12, 30, tzinfo=UTC),
        }
        for text, expected in cases.items():
            self.assertEqual(read_time(text, NOON, EAST), expected, text)

    def test_without_a_zone_it_is_this_machines(self) -> None:
        here = datetime(2026, 11, 22, 14, 30).astimezone(UTC)
        self.assertEqual(read_time("2026-11-22 14:30", NOON, None), here)
        now = datetime(2026, 11, 22, 10, 0).astimezone(UTC)
        self.assertEqual(read_time("14:30", now, None), here)

    def test_what_is_no_time(self) -> None:
        for text in ("", "x", "25:00", "12:60", "2026-13-01", "٣:30", "0001-01-01", "12:30 x"):
            self.assertRaises(ValueError, read_time, text, NOON, EAST)

    @given(st.text(max_size=30) | st.datetimes(timezones=st.timezones()).map(str))
    def test_nothing_but_a_value_error_is_raised(self, text: str) -> None:
        for zone in (None, EAST, UTC):
            try:
                found = read_time(text, NOON, zone)
            except ValueError:
                continue
            self.assertEqual(found.utcoffset(), timedelta(0))


class LocalTests(SynchronousTestCase):
    def test_the_time_of_a_zone(self) -> None:
        self.assertEqual(local(NOON, EAST).hour, 1)
        self.assertEqual(local(NOON, None), NOON)

    def test_what_no_zone_has_is_shown_in_utc(self) -> None:
        first = datetime(1, 1, 1, tzinfo=UTC)
        last = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
        self.assertEqual(local(first, timezone(timedelta(hours=-5))), first)
        self.assertEqual(local(last, EAST), last)

    def test_a_year_has_four_digits(self) -> None:
        self.assertEqual(date_of(datetime(1, 2, 3, tzinfo=UTC), UTC), "0001-02-03")

    @given(st.datetimes(timezones=st.just(UTC)))
    def test_it_never_fails(self, time: datetime) -> None:
        for zone in (None, EAST, UTC, timezone(timedelta(hours=-12))):
            self.assertEqual(local(time, zone), time)

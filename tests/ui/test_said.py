"""What was said, as lines."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.history import Entry, Found
from p2pchat.text import is_printable, visible
from p2pchat.ui.said import EXCERPT, dated_lines, found_line
from p2pchat.ui.styled import MATCH, marked, plain
from tests.ui.fakes import NOON
from tests.ui.test_views import HOSTILE


def entry(text: str, **changes) -> Entry:
    """Make a message of bob's, as it is kept."""
    fields = {"msg_id": "1", "source": "bob@CIC", "to": "alice@CIC", "time": NOON, **changes}
    return Entry(text=text, **{"kind": "send", "direction": "in", **fields})


def shown(text: str, *marks: tuple[int, int]) -> str:
    """The text in the line of a message found."""
    return marked(found_line(Found(entry(text), list(marks)), UTC)).partition(": ")[2]


class FoundTests(SynchronousTestCase):
    def test_a_short_text_is_whole(self) -> None:
        self.assertEqual(shown("a bc d", (0, 1), (2, 4)), "«a» «bc» d")
        self.assertEqual(shown("a bc d"), "a bc d")

    def test_a_long_text_is_cut_around_the_first_match(self) -> None:
        text = "x" * 1000 + "found" + "y" * 1000 + "found"
        line = shown(text, (1000, 1005), (2005, 2010))
        self.assertEqual(line, "…" + "x" * 80 + "«found»" + "y" * (EXCERPT - 85) + "…")

    def test_a_match_at_the_beginning_or_the_end(self) -> None:
        self.assertTrue(shown("found" + "y" * 1000, (0, 5)).startswith("«found»y"))
        self.assertTrue(shown("x" * 1000 + "found", (1000, 1005)).endswith("x«found»"))

    @example("a\x1b\u202eb", 1, 3)
    @given(HOSTILE, st.integers(0, 50), st.integers(0, 50))
    def test_nothing_is_lost_and_nothing_hostile_comes_through(self, text, first, last) -> None:
        marks = [(first, last)] if first < last <= len(text) else []
        fragments = found_line(Found(entry(text), marks), UTC)
        self.assertTrue(is_printable(plain(fragments)))
        self.assertTrue(plain(fragments).endswith(": " + visible(text)))
        found = [part for style, part in fragments if style == MATCH]
        self.assertEqual(found, [visible(text[start:end]) for start, end in marks])


class DatedTests(SynchronousTestCase):
    def test_days_are_those_of_the_zone(self) -> None:
        entries = [entry("a"), entry("b", time=NOON + timedelta(hours=11))]
        for hours, rules in ((0, 1), (2, 2)):
            zone = timezone(timedelta(hours=hours))
            lines = [plain(line) for line in dated_lines(entries, zone)]
            self.assertEqual(sum(line.startswith("────") for line in lines), rules, lines)

    def test_no_time_is_too_early_or_too_late_to_be_shown(self) -> None:
        for hours in (-12, 0, 14):
            zone = timezone(timedelta(hours=hours))
            times = (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, tzinfo=UTC))
            for time, year in zip(times, ("0001-01-01", "9999-12-31"), strict=True):
                found = entry("hi", time=time)
                lines = [plain(line) for line in dated_lines([found], zone)]
                self.assertIn(year, lines[0])
                self.assertTrue(plain(found_line(Found(found, []), zone)).startswith(year))

"""Tables by display width, and units."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.ui.tables import (
    data_size,
    duration,
    figure,
    milliseconds,
    plural,
    table,
    timed,
    width,
)

WIDE = st.sampled_from(["a", "é", "e\u0301", "日本", "😀", "👩\u200d👧", "🇧🇷", ""])


class TableTests(SynchronousTestCase):
    def test_columns_are_as_wide_as_their_widest_cell(self) -> None:
        lines = table(("peer", "state"), [("日本@CIC", "up"), ("b", "known")])
        self.assertEqual(lines, ["peer      state", "日本@CIC  up", "b         known"])

    @given(st.lists(WIDE, min_size=1))
    def test_the_second_column_begins_at_one_place(self, cells: list[str]) -> None:
        lines = table(("x", "|"), [(cell, "|") for cell in cells])
        places = {width(line.partition("|")[0]) for line in lines}
        self.assertEqual(len(places), 1)

    def test_width_of_what_no_terminal_can_show(self) -> None:
        self.assertEqual(width("a\x07"), 2)

    def test_durations(self) -> None:
        cases = {
            -1.0: "0 s",
            0.9: "0 s",
            43.7: "43 s",
            60: "1 min",
            302: "5 min 2 s",
            3600 * 3 + 650: "3 h 10 min",
            86400 * 2 + 3600 * 4 + 5: "2 d 4 h",
        }
        for seconds, expected in cases.items():
            self.assertEqual(duration(seconds), expected)

    def test_figures(self) -> None:
        self.assertEqual(milliseconds(None), "-")
        self.assertEqual(milliseconds(43.21), "43.2 ms")
        self.assertEqual(plural(1, "peer"), "1 peer")
        self.assertEqual(plural(0, "peer"), "0 peers")

    def test_sizes(self) -> None:
        cases = {
            0: "0 B",
            1023: "1023 B",
            1024: "1 KiB",
            1536: "1.5 KiB",
            70_000: "68 KiB",
            64 << 20: "64 MiB",
            3 << 30: "3 GiB",
            5000 << 30: "5000 GiB",
        }
        for count, expected in cases.items():
            self.assertEqual(data_size(count), expected)

    def test_rough_figures(self) -> None:
        cases = {
            0.0: "0",
            812.4: "812",
            1000.0: "1 thousand",
            480_123.0: "480 thousand",
            1_310_720.0: "1.3 million",
            25e6: "25 million",
        }
        for value, expected in cases.items():
            self.assertEqual(figure(value), expected)

    def test_times_taken(self) -> None:
        cases = {
            0.0: "under 0.01 s",
            0.05: "0.05 s",
            0.204: "0.2 s",
            3.14: "3.1 s",
            59.4: "59 s",
            75.0: "1 min 15 s",
        }
        for seconds, expected in cases.items():
            self.assertEqual(timed(seconds), expected)

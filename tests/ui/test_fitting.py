"""How much text one reply shows."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.ui.fitting import MAX_TEXT, fitting


class FittingTests(SynchronousTestCase):
    def test_as_many_as_fit(self) -> None:
        half = "x" * (MAX_TEXT // 2)
        self.assertEqual(fitting([half] * 3, str), [half] * 2)
        self.assertEqual(fitting([half, half + "x", ""], str), [half])

    def test_one_in_any_case(self) -> None:
        self.assertEqual(fitting(["x" * (MAX_TEXT + 1), ""], str), ["x" * (MAX_TEXT + 1)])
        self.assertEqual(fitting([], str), [])

    @given(st.lists(st.integers(0, MAX_TEXT // 2), max_size=20))
    def test_they_are_the_first_ones_and_one_more_would_be_too_many(self, sizes) -> None:
        found = fitting(sizes, lambda size: "x" * size)
        self.assertEqual(found, sizes[: len(found)])
        self.assertLessEqual(sum(found), MAX_TEXT)
        if len(found) < len(sizes):
            self.assertGreater(sum(sizes[: len(found) + 1]), MAX_TEXT)

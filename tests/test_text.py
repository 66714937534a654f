"""Text from outside is made harmless, and honest text stays as it was typed."""

import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.text import is_printable, visible

#: What must never reach a terminal: it moves the cursor, hides text or turns its direction.
HOSTILE = [
    *map(chr, range(0x20)),
    *map(chr, range(0x7F, 0xA0)),
    *"\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff\ufff9\ufffa\ufffb",
    # what takes no room: two names that differ in it look the same
    *"\xad\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b\u2060\u2064\u206a\u206f\u3164\uffa0",
    "\ud800",
    "\udfff",
]

anything = st.text(st.characters())


class Visible(SynchronousTestCase):
    def test_every_hostile_character_becomes_its_escape(self) -> None:
        for char in HOSTILE:
            shown = visible(f"a{char}b")
            self.assertNotIn(char, shown)
            self.assertRegex(shown, r"^a\\(x[0-9a-f]{2}|u[0-9a-f]{4})b$")
            self.assertFalse(is_printable(char))

    def test_the_escapes_are_the_usual_ones(self) -> None:
        self.assertEqual(visible("\x1b[2J\n\u202e\x9b"), "\\x1b[2J\\x0a\\u202e\\x9b")

    def test_honest_text_stays(self) -> None:
        for text in (
            "",
            "plain",
            "  two  blanks ",
            "reunião",
            "🙂👩‍👩‍👧",
            "שלום",
            "日本語",
            "a\u200fb",
            "\\x1b",
        ):
            self.assertEqual(visible(text), text)
            self.assertTrue(is_printable(text))

    @settings(deadline=None, max_examples=100)
    @given(anything)
    def test_what_is_shown_is_printable_and_showing_it_again_changes_nothing(
        self, text: str
    ) -> None:
        shown = visible(text)
        self.assertTrue(is_printable(shown))
        self.assertEqual(visible(shown), shown)
        self.assertEqual(shown == text, is_printable(text))

    @settings(deadline=None, max_examples=100)
    @given(anything)
    def test_no_control_character_and_no_half_character_survives(self, text: str) -> None:
        categories = {unicodedata.category(char) for char in visible(text)}
        self.assertFalse(categories & {"Cc", "Cs", "Zl", "Zp"})

    def test_a_limit_cuts_and_says_so(self) -> None:
        self.assertEqual(visible("x" * 10, 10), "x" * 10)
        self.assertEqual(visible("x" * 11, 10), "x" * 9 + "…")

    @settings(deadline=None, max_examples=100)
    @given(anything, st.integers(1, 30))
    def test_a_limit_bounds_what_is_shown_of_the_text(self, text: str, limit: int) -> None:
        self.assertLessEqual(len(visible(text, limit)), 6 * limit)

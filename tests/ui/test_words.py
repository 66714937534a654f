"""Words of a command line, and their quotes."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.ui.words import UsageError, no_word, only_word, quoted, shown, split_word

NAMES = st.text(min_size=1).filter(lambda name: "\n" not in name)


class WordTests(SynchronousTestCase):
    def test_word_ends_at_the_first_blank(self) -> None:
        cases = {
            "": ("", ""),
            "bob": ("bob", ""),
            "bob ": ("bob", ""),
            "bob hi": ("bob", "hi"),
            "  bob hi": ("bob", "hi"),
            "bob  hi ": ("bob", " hi "),
            "bob\thi": ("bob", "hi"),
            'bob"s hi': ('bob"s', "hi"),
            "a\u00a0b c": ("a\u00a0b", "c"),
            '"anna b" hi': ("anna b", "hi"),
            '"anna b"  hi': ("anna b", " hi"),
            '"anna b"': ("anna b", ""),
            '"a \\"b\\" \\\\" hi': ('a "b" \\', "hi"),
            '"" x': ("", "x"),
        }
        for text, expected in cases.items():
            self.assertEqual(split_word(text), expected, text)

    def test_quotes_must_close_before_a_blank(self) -> None:
        for text in ('"bob', '"bob"x', '"bob\\"', '"'):
            self.assertRaises(UsageError, split_word, text)

    @given(NAMES, st.text())
    def test_a_quoted_name_is_one_word_and_the_rest_is_kept(self, name: str, rest: str) -> None:
        self.assertEqual(split_word(f"{quoted(name)} {rest}"), (name, rest))

    def test_quotes_only_where_needed(self) -> None:
        self.assertEqual(quoted("bob@CIC"), "bob@CIC")
        self.assertEqual(quoted("anna b"), '"anna b"')
        self.assertEqual(quoted(""), '""')

    def test_only_one_word(self) -> None:
        self.assertEqual(only_word(" info "), "info")
        self.assertEqual(only_word(""), "")
        self.assertRaises(UsageError, only_word, "info debug")

    def test_no_word(self) -> None:
        no_word(" \t")
        self.assertRaises(UsageError, no_word, " x")

    def test_a_name_cannot_look_like_a_message(self) -> None:
        self.assertEqual(shown("bob@CIC: hi"), '"bob@CIC: hi"')
        self.assertEqual(shown("bob\u202e@CIC"), "bob\\u202e@CIC")
        self.assertEqual(shown("bob\u2003x"), '"bob\u2003x"')

    def test_a_long_name_is_cut(self) -> None:
        self.assertEqual(len(shown("x" * 1000)), 160)

"""Pasted text, and completion that is asked for."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.ui.completion import Candidate
from p2pchat.ui.keys import AskingCompleter, one_line


class PasteTests(SynchronousTestCase):
    def test_what_is_pasted_becomes_one_line(self) -> None:
        cases = {
            "a": "a",
            "a\n": "a",
            "a\r\nb\rc\nd\r\n": "a b c d",
            "  a  b\n\n  c": "  a  b    c",
            "a\tb": "a b",
            "\na": " a",
        }
        for text, expected in cases.items():
            self.assertEqual(one_line(text), expected)

    @given(st.text(st.sampled_from("a \n\r\t")))
    def test_nothing_in_it_can_send(self, text: str) -> None:
        self.assertFalse(set(one_line(text)) & set("\r\n\t"))


class CompleterTests(SynchronousTestCase):
    def test_candidates_become_completions(self) -> None:
        asked = []

        def ask(before_cursor, answer) -> None:
            asked.append(before_cursor)
            answer([Candidate("bob ", 2, "bob@CIC")])
            answer([])

        async def complete() -> list:
            completer = AskingCompleter(ask)
            document, event = Document("/msg bo later", 7), CompleteEvent()
            self.assertEqual(list(completer.get_completions(document, event)), [])
            return [found async for found in completer.get_completions_async(document, event)]

        [found] = asyncio.run(complete())
        self.assertEqual(asked, ["/msg bo"])
        self.assertEqual(
            (found.text, found.start_position, found.display_meta_text), ("bob ", -2, "bob@CIC")
        )

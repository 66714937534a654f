"""What a half-typed line can become."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.ui.catalogue import COMMANDS
from p2pchat.ui.completion import Candidate, candidates
from p2pchat.ui.words import split_word
from tests.ui.fakes import FakeNode


class CompletionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.node = FakeNode("bob@CIC", "carol@LAB", "carol@CIC", "anna b@LAB", "a@b@CIC")

    def texts(self, before_cursor: str) -> list[str]:
        return [found.text for found in candidates(before_cursor, self.node)]

    def completed(self, before_cursor: str) -> list[str]:
        """The whole lines that the candidates make."""
        found = candidates(before_cursor, self.node)
        return [before_cursor[: len(before_cursor) - one.length] + one.text for one in found]

    def test_commands(self) -> None:
        cases = {
            "/": [entry.rstrip() for entry in COMMANDS],
            "/p": ["/peers", "/pub"],
            "/PU": ["/pub"],
            "/x": [],
        }
        for text, expected in cases.items():
            self.assertEqual([found.rstrip() for found in self.texts(text)], expected, text)
        self.assertEqual(self.texts("/pub"), ["/pub "])
        self.assertEqual(self.texts("/quit"), ["/quit"])
        self.assertEqual(self.texts("/conn"), ["/conn", "/connect "])

    def test_peers_by_name_where_it_is_unique_else_by_id(self) -> None:
        cases = {
            "/msg ": ["bob ", "carol@LAB ", "carol@CIC ", '"anna b" ', "a@b@CIC "],
            "/msg b": ["bob "],
            "/msg BO": ["bob "],
            "/msg bob@": ["bob@CIC "],
            "/msg car": ["carol@LAB ", "carol@CIC "],
            "/msg a@": ["a@b@CIC "],
            '/msg "an': ['"anna b" '],
            '/msg "anna b@': ['"anna b@LAB" '],
            "/msg x": [],
        }
        for text, expected in cases.items():
            self.assertEqual(self.texts(text), expected, text)

    def test_a_candidate_replaces_what_was_typed(self) -> None:
        self.assertEqual(self.completed("/msg bo"), ["/msg bob "])
        self.assertEqual(self.completed('/msg  "an'), ['/msg  "anna b" '])
        self.assertEqual(self.completed("  /msg car")[0], "  /msg carol@LAB ")

    def test_what_is_completed_reads_as_that_peer(self) -> None:
        for line in self.completed("/msg "):
            name, rest = split_word(line.removeprefix("/msg "))
            self.assertEqual(self.node.resolve(name).partition("@")[0], name.partition("@")[0])
            self.assertEqual(rest, "")

    def test_targets_are_our_namespace_and_those_of_peers(self) -> None:
        for command in ("/pub", "/peers"):
            self.assertEqual(self.texts(f"{command} "), ["* ", "#CIC ", "#LAB "])
            self.assertEqual(self.texts(f"{command} #l"), ["#LAB "])

    def test_levels_and_commands(self) -> None:
        self.assertEqual(self.texts("/log w"), ["WARNING "])
        self.assertEqual(self.texts("/help re"), ["reconnect ", "req "])

    def test_nothing_else(self) -> None:
        for text in (
            "",
            "bo",
            "//p",
            "/conn ",
            "/chat ",
            "/hist ",
            "/connect ",
            "/msg bob b",
            '/msg "bob" ',
            "/xyzzy b",
            "a /p",
        ):
            self.assertEqual(self.texts(text), [], text)

    def test_notes_tell_more(self) -> None:
        self.assertEqual(
            candidates("/msg bo", self.node), [Candidate("bob ", 2, "bob@CIC connected")]
        )

"""What a half-typed line can become."""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.identity import PeerId
from p2pchat.ui.catalogue import COMMANDS
from p2pchat.ui.completion import MAX_CANDIDATES, Candidate, candidates
from p2pchat.ui.recollection import Recollection
from p2pchat.ui.words import split_word
from tests.ui.fakes import NOON, FakeNode, received


class CompletionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.node = FakeNode("bob@CIC", "carol@LAB", "carol@CIC", "anna b@LAB", "a@b@CIC")
        self.recollection = Recollection(Clock(), self.node)

    def texts(self, before_cursor: str) -> list[str]:
        return [found.text for found in candidates(before_cursor, self.node, self.recollection)]

    def completed(self, before_cursor: str) -> list[str]:
        """The whole lines that the candidates make."""
        found = candidates(before_cursor, self.node, self.recollection)
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

    def remember(self, *peer_ids: str) -> None:
        for peer_id in peer_ids:
            self.node.history.peer_seen(PeerId(peer_id), [], NOON)
        self.successResultOf(Deferred.fromCoroutine(self.recollection.refresh()))

    def test_peers_of_old_come_last_and_count_for_short_names(self) -> None:
        self.remember("bob@CIC", "bo@OLD", "bob@OLD", "carl@OLD")
        self.assertEqual(self.texts("/msg bo"), ["bob@CIC ", "bo ", "bob@OLD "])
        self.assertEqual(self.texts("/msg bob@o"), ["bob@OLD "])
        found = candidates("/msg carl", self.node, self.recollection)
        self.assertEqual(found, [Candidate("carl ", 4, "carl@OLD last contact 2025-03-01")])

    def test_who_was_relayed_under_a_name_that_nobody_can_have_is_not_offered(self) -> None:
        for number, name in enumerate(["ev\u202ee@CIC", "ev\x1b[2J@CIC", "eva", "", "eve@CIC"]):
            self.node.history.keep(received(f"r{number}", sender=PeerId(name), relayed=True))
        self.remember()
        self.assertEqual(self.texts("/msg ev"), ["eve "])
        self.assertNotIn('"" ', self.texts("/history "))

    def test_very_many_are_not_all_offered(self) -> None:
        self.remember(*(f"peer{number}@CIC" for number in range(300)))
        self.assertEqual(len(self.texts("/msg peer")), MAX_CANDIDATES)
        self.assertEqual(self.texts("/msg peer299"), ["peer299 "])

    def test_conversations_are_peers_and_targets(self) -> None:
        self.assertEqual(self.texts("/history b"), ["bob "])
        self.assertEqual(self.texts("/history #"), ["#CIC ", "#LAB "])
        self.assertEqual(self.texts("/history bob "), [])

    def test_what_can_be_withdrawn(self) -> None:
        self.node.history.queue(PeerId("bob@CIC"), "a1", "hi\x1b" + "x" * 99, NOON)
        Deferred.fromCoroutine(self.recollection.refresh("/cancel "))
        [found] = candidates("/cancel ", self.node, self.recollection)
        self.assertEqual(found.text, "1 ")
        self.assertTrue(found.note.startswith("→ bob@CIC: hi\\x1bxxx"))
        self.assertLess(len(found.note), 60)

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
            "/search ",
            "/export ",
            "/unread ",
            '/msg "bob" ',
            "/xyzzy b",
            "a /p",
        ):
            self.assertEqual(self.texts(text), [], text)

    def test_notes_tell_more(self) -> None:
        self.assertEqual(
            candidates("/msg bo", self.node, self.recollection),
            [Candidate("bob ", 2, "bob@CIC connected")],
        )

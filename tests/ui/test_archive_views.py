"""Events of the archive as lines for people."""

from typing import get_args

from hypothesis import given
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.events import ChatState
from p2pchat.text import is_printable
from p2pchat.ui.marks import MARKS
from p2pchat.ui.styled import plain
from p2pchat.ui.views import event_lines
from tests.ui.archive_events import chat_changed, grew, peer_changed
from tests.ui.test_views import HOSTILE


def lines(event) -> list[str]:
    return [plain(line) for line in event_lines(event)]


class GrowthTests(SynchronousTestCase):
    def test_new_chats_read_like_messages_with_their_height_and_who_passed_them_on(self) -> None:
        self.assertEqual(
            lines(grew(12, "hello", "you all")),
            ["⛓ 11 via 192.0.2.7: hello", "⛓ 12 via 192.0.2.7: you all"],
        )

    def test_where_there_may_be_more_that_is_said(self) -> None:
        texts = [f"text {number}" for number in range(20)]
        found = lines(grew(1000, *texts))
        self.assertEqual(found[0], "· 1000 chats now, via 192.0.2.7; the newest of them:")
        self.assertEqual(found[1], "⛓ 981 via 192.0.2.7: text 0")
        self.assertEqual(found[-1], "⛓ 1000 via 192.0.2.7: text 19")
        self.assertEqual(len(found), 21)
        self.assertEqual(len(lines(grew(1000, *texts[1:]))), 19)

    def test_a_reorganisation_is_told_in_plain_words(self) -> None:
        self.assertEqual(
            lines(grew(12, "hello", reorganised=True, dropped=3)),
            [
                "! another archive, via 192.0.2.7, replaced our last 3 chats; it has 12 chats",
                "⛓ 12 via 192.0.2.7: hello",
            ],
        )
        [line, _] = lines(grew(12, "hello", reorganised=True, dropped=1))
        self.assertIn("replaced our last chat; it has", line)

    def test_what_the_file_had_is_one_line(self) -> None:
        self.assertEqual(
            lines(grew(12, "a", "b", source="file")),
            ["· the archive has 12 chats, read from its file"],
        )

    def test_what_we_mined_is_told_by_the_event_of_the_chat(self) -> None:
        self.assertEqual(lines(grew(12, "hello", source="mined")), [])

    def test_a_text_cannot_look_like_another_line(self) -> None:
        [line] = lines(grew(12, "a\n⛓ 13 via 192.0.2.8: b\x1b[2J\u202e", source="\x1b]0;x"))
        self.assertEqual(line, "⛓ 12 via \\x1b]0;x: a\\x0a⛓ 13 via 192.0.2.8: b\\x1b[2J\\u202e")


class ChatTests(SynchronousTestCase):
    def test_every_state(self) -> None:
        cases = {
            "mining": "… ⛓ hello (mining)",
            "archived": "✓ ⛓ hello (in the archive at height 12)",
            "confirmed": "✓✓ ⛓ hello (in the archive at height 12, confirmed by 1 peer)",
            "displaced": "↻ ⛓ hello (displaced by a longer archive, mined again)",
        }
        self.assertEqual(set(cases), set(get_args(ChatState)))
        for state, expected in cases.items():
            confirmations = int(state == "confirmed")
            event = chat_changed(state, 12, confirmations=confirmations)
            self.assertEqual(lines(event), [expected])

    def test_only_the_first_confirmation_is_shown(self) -> None:
        self.assertEqual(lines(chat_changed("confirmed", 12, confirmations=2)), [])

    def test_every_state_has_a_mark(self) -> None:
        self.assertLessEqual(set(get_args(ChatState)), set(MARKS))


class PeerTests(SynchronousTestCase):
    def test_every_state(self) -> None:
        cases = [
            (peer_changed("connected"), "+ archive peer 192.0.2.7"),
            (peer_changed("connected", 12), "+ archive peer 192.0.2.7, 12 chats"),
            (peer_changed("lost", 12), "- archive peer 192.0.2.7 is gone"),
            (peer_changed("lost", reason="x\n"), "- archive peer 192.0.2.7 is gone: x\\x0a"),
            (
                peer_changed("paused", 12, reason="3 worthless archives"),
                "! archive peer 192.0.2.7 is paused: 3 worthless archives",
            ),
        ]
        for event, expected in cases:
            self.assertEqual(lines(event), [expected])


class HostilityTests(SynchronousTestCase):
    @given(HOSTILE)
    def test_nothing_hostile_comes_through(self, text: str) -> None:
        events = [
            grew(20, *[text] * 20, source=text, tip=text, reorganised=True, dropped=1),
            *(chat_changed(state, 1, text=text) for state in get_args(ChatState)),
            *(
                peer_changed(state, 1, address=text, reason=text)
                for state in ("connected", "lost", "paused")
            ),
        ]
        for event in events:
            for line in lines(event):
                self.assertTrue(is_printable(line), line)

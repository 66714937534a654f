"""Events and replies as lines for people."""

from datetime import UTC, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pchat import events
from p2pchat.events import (
    DeliveryChanged,
    Event,
    HistoryOpened,
    MessageReceived,
    Notice,
    PeerDown,
    PeerUp,
    Ready,
)
from p2pchat.text import is_printable
from p2pchat.ui.commands import Reply, failure
from p2pchat.ui.said import delivery_line
from p2pchat.ui.styled import plain, stamped
from p2pchat.ui.views import event_line, event_lines, reply_lines
from tests.ui.archive_events import chat_changed, grew, peer_changed
from tests.ui.fakes import NOON


def message(text: str, **changes) -> MessageReceived:
    """Make a message from bob to us."""
    fields = {"msg_id": "1", "source": "bob@CIC", "to": "alice@CIC", "kind": "send", **changes}
    return MessageReceived(time=NOON, text=text, **fields)


EVENTS = [
    (
        Ready(time=NOON, peer_id="alice@CIC", host="0.0.0.0", port=4000),
        "· alice@CIC listens on 0.0.0.0:4000; try /help",
    ),
    (
        PeerUp(time=NOON, peer_id="bob@CIC", direction="in", address="10.0.0.1:9", modern=True),
        "+ bob@CIC dialled us from 10.0.0.1:9",
    ),
    (
        PeerUp(time=NOON, peer_id="bob@CIC", direction="out", address="10.0.0.1:9", modern=False),
        "+ bob@CIC answers at 10.0.0.1:9, legacy",
    ),
    (PeerDown(time=NOON, peer_id="bob@CIC", reason="goodbye"), "- bob@CIC is gone: goodbye"),
    (message("hi   there é 😀"), "bob@CIC: hi   there é 😀"),
    (message("hi", kind="pub", to="#CIC"), "bob@CIC to #CIC: hi"),
    (message("hi", relayed=True), "[relayed, unverified] bob@CIC: hi"),
    (message("one\ntwo\x1b[2J\u202e"), "bob@CIC: one\\x0atwo\\x1b[2J\\u202e"),
    (message("hi", source="bob@CIC: x"), '"bob@CIC: x": hi'),
    (DeliveryChanged(time=NOON, msg_id="1", to="bob@CIC", state="queued"), "… → bob@CIC"),
    (DeliveryChanged(time=NOON, msg_id="1", to="bob@CIC", state="sent"), "✓ → bob@CIC"),
    (DeliveryChanged(time=NOON, msg_id="1", to="bob@CIC", state="delivered"), "✓✓ → bob@CIC"),
    (
        DeliveryChanged(time=NOON, msg_id="1", to="bob@CIC", state="failed", reason="no ACK"),
        "✗ → bob@CIC (not delivered: no ACK)",
    ),
    (grew(12, "hello"), "⛓ 12 via 192.0.2.7: hello"),
    (chat_changed("archived", 12), "✓ ⛓ hello (in the archive at height 12)"),
    (peer_changed("connected", 12), "+ archive peer 192.0.2.7, 12 chats"),
    (Notice(time=NOON, level="info", text="a\nb"), "· a\\x0ab"),
    (
        HistoryOpened(time=NOON, unread=3, waiting=1),
        "· 3 unread (/unread), 1 message waiting to be delivered (/outbox)",
    ),
    (Notice(time=NOON, level="warning", text="a"), "! a"),
    (Notice(time=NOON, level="error", text="a"), "!! a"),
]

#: A list of characters, because st.text leaves lone surrogates out.
HOSTILE = st.lists(st.characters() | st.sampled_from("\x1b\n\r\x9b\u202e\u2028\ud800")).map("".join)


class Later(Event, frozen=True, kw_only=True, tag="later"):
    """An event that views do not know yet."""


class EventTests(SynchronousTestCase):
    def test_events_read_well(self) -> None:
        for event, expected in EVENTS:
            self.assertEqual([plain(line) for line in event_lines(event)], [expected])

    def test_every_event_has_a_line_of_its_own(self) -> None:
        ours = {kind for kind in vars(events).values() if kind in Event.__subclasses__()}
        self.assertEqual({type(event) for event, _ in EVENTS}, ours)
        self.assertEqual(plain(event_line(Later(time=NOON))), "· Later")

    @given(HOSTILE)
    def test_nothing_hostile_comes_through(self, text: str) -> None:
        hostile = [
            Ready(time=NOON, peer_id=text, host=text, port=1),
            PeerUp(time=NOON, peer_id=text, direction="in", address=text, modern=True),
            PeerDown(time=NOON, peer_id=text, reason=text),
            message(text, source=text, to=text, kind="pub", relayed=True),
            DeliveryChanged(time=NOON, msg_id=text, to=text, state="failed", reason=text),
            Notice(time=NOON, level="info", text=text),
        ]
        lines = [event_line(event) for event in hostile]
        for reply in (Reply("/x", [text]), failure("/x", text)):
            lines += reply_lines(reply, NOON)
        for line in lines:
            self.assertTrue(is_printable(plain(line)), line)

    def test_styles_tell_kinds_apart(self) -> None:
        styles = {event_lines(event)[0][0][0] for event, _ in EVENTS}
        self.assertTrue({"class:up", "class:down", "class:peer", "class:archive"} <= styles)


class LineTests(SynchronousTestCase):
    def test_time_of_day_in_a_zone(self) -> None:
        line = stamped([("", "x")], NOON, timezone(timedelta(hours=2)))
        self.assertEqual(plain(line), "14:00:00 x")

    def test_marks(self) -> None:
        cases = {"": "… x", "queued": "… x", "sent": "✓ x", "delivered": "✓✓ x", "failed": "✗ x"}
        for state, expected in cases.items():
            note = "r" if state == "failed" else ""
            expected += " (not delivered: r)" if note else ""
            self.assertEqual(plain(delivery_line("x", state, note)), expected)

    def test_replies(self) -> None:
        time = ("class:time", "12:00:00 ")
        lines = reply_lines(Reply("/x", ["a", "b"]), NOON, UTC)
        self.assertEqual(lines, [[time, ("", "a")], [time, ("", "b")]])
        self.assertEqual(reply_lines(failure("/x", "a"), NOON, UTC), [[time, ("class:error", "a")]])

    def test_a_page_tells_its_own_times(self) -> None:
        page = [[("class:match", "a"), ("", "b")]]
        self.assertIs(reply_lines(Reply("/x", ["«a»b"], page=page), NOON), page)

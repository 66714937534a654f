"""Whose the messages of an export are."""

from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.history import Entry
from p2pchat.identity import PeerId
from p2pchat.ui.ours import as_ours
from tests.ui.fakes import NOON

ME = PeerId("alice@CIC")


def entry(source: str, to: str, direction: str, **changes) -> Entry:
    """Make a line of an export; a message to `*` is a publication."""
    kind = "pub" if to == "*" else "send"
    fields = {"time": NOON, "msg_id": "1", "text": "hi", "kind": kind, **changes}
    return Entry(source=source, to=to, direction=direction, **fields)


class OursTests(SynchronousTestCase):
    def test_what_i_exported_myself_is_the_same(self) -> None:
        for mine in (
            entry("alice@CIC", "bob@CIC", "out", state="failed", reason="too old"),
            entry("alice@CIC", "bob@CIC", "out", state="queued"),
            entry("alice@CIC", "*", "out"),
            entry("bob@CIC", "alice@CIC", "in", unread=True),
            entry("bob@CIC", "*", "in"),
            entry("eve@CIC", "alice@CIC", "in", relayed=True),
        ):
            self.assertEqual(as_ours(mine, ME), mine)

    def test_what_a_friend_sent_to_me_i_received(self) -> None:
        sent = entry("bob@CIC", "alice@CIC", "out", state="delivered")
        self.assertEqual(as_ours(sent, ME), entry("bob@CIC", "alice@CIC", "in"))

    def test_unless_it_may_still_come(self) -> None:
        for state in ("queued", "sent", "failed"):
            self.assertIsNone(as_ours(entry("bob@CIC", "alice@CIC", "out", state=state), ME))

    def test_what_a_friend_received_from_me_i_sent(self) -> None:
        received = entry("alice@CIC", "bob@CIC", "in", unread=True)
        sent = entry("alice@CIC", "bob@CIC", "out", state="delivered")
        self.assertEqual(as_ours(received, ME), sent)
        published = entry("alice@CIC", "*", "in")
        self.assertEqual(as_ours(published, ME), entry("alice@CIC", "*", "out"))

    def test_but_not_what_others_passed_on_in_my_name(self) -> None:
        for to in ("bob@CIC", "*"):
            self.assertIsNone(as_ours(entry("alice@CIC", to, "in", relayed=True), ME))

    def test_publications_keep_their_author(self) -> None:
        theirs = entry("bob@CIC", "*", "in")
        self.assertEqual(as_ours(replace(theirs, direction="out"), ME), theirs)

    def test_what_is_between_others_is_none_of_mine(self) -> None:
        for direction in ("in", "out"):
            for state in ("", "delivered"):
                theirs = entry("bob@CIC", "carol@CIC", direction, state=state)
                self.assertIsNone(as_ours(theirs, ME))

"""What the toolbar counts."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.events import HistoryOpened, PeerDown, PeerUp
from p2pchat.identity import PeerId
from p2pchat.ui.tally import Tally
from tests.ui.archive_events import grew
from tests.ui.fakes import NOON
from tests.ui.test_views import message


class TallyTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.tally = Tally(PeerId("alice@CIC"))

    def check(self, expected: str) -> None:
        self.assertEqual(str(self.tally), f"alice@CIC | {expected}")

    def test_peers(self) -> None:
        up = {"direction": "in", "address": "x", "modern": True}
        self.tally.count(PeerUp(time=NOON, peer_id="bob@CIC", **up))
        self.check("1 connected | 0 unread")
        self.tally.count(PeerDown(time=NOON, peer_id="bob@CIC", reason=""))
        self.check("0 connected | 0 unread")

    def test_messages_and_chats_are_unread_until_the_user_types(self) -> None:
        self.assertTrue(self.tally.count(message("hi")))
        self.assertTrue(self.tally.count(grew(12, "a", "b")))
        self.check("0 connected | 3 unread")
        self.tally.read()
        self.check("0 connected | 0 unread")

    def test_what_came_in_earlier_runs_is_unread_until_it_is_listed(self) -> None:
        self.assertFalse(self.tally.count(HistoryOpened(time=NOON, unread=3, waiting=0)))
        self.tally.count(message("hi"))
        self.check("0 connected | 4 unread")
        self.tally.read()
        self.check("0 connected | 3 unread")
        self.tally.listed(2)
        self.check("0 connected | 2 unread")
        self.tally.listed(0)
        self.check("0 connected | 0 unread")

    def test_what_we_had_or_wrote_is_read(self) -> None:
        for source in ("file", "mined"):
            self.assertFalse(self.tally.count(grew(12, "a", source=source)))
        self.check("0 connected | 0 unread")

    def test_what_waits_is_counted_if_anything_does(self) -> None:
        self.tally.waiting = 2
        self.check("0 connected | 0 unread | 2 in the outbox")

    def test_a_hostile_name_is_harmless(self) -> None:
        self.assertTrue(str(Tally(PeerId("a\x1b@CIC"))).startswith("a\\x1b@CIC |"))

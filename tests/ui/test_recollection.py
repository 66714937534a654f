"""What completion knows from the history."""

from datetime import timedelta

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.history import StoreError
from p2pchat.identity import PeerId
from p2pchat.ui.recollection import Recollection
from tests.ui.fakes import NOON, FakeNode


class RecollectionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.node = FakeNode()
        self.recollection = Recollection(self.clock, self.node)

    def see(self, peer_id: str, minutes: float = 0) -> None:
        self.node.history.peer_seen(PeerId(peer_id), [], NOON + timedelta(minutes=minutes))

    def refresh(self, before_cursor: str = "/msg ") -> list[str]:
        self.successResultOf(Deferred.fromCoroutine(self.recollection.refresh(before_cursor)))
        return [peer.peer_id for peer in self.recollection.peers]

    def test_the_last_contact_comes_first(self) -> None:
        self.see("a@X")
        self.see("b@X", 2)
        self.see("c@X", 1)
        self.assertEqual(self.refresh(), ["b@X", "c@X", "a@X"])

    def test_peers_are_fetched_now_and_then(self) -> None:
        self.assertEqual(self.refresh(), [])
        self.see("a@X")
        self.clock.advance(59)
        self.assertEqual(self.refresh(), [])
        self.clock.advance(1)
        self.assertEqual(self.refresh(), ["a@X"])

    def test_and_when_we_wrote_to_a_new_one(self) -> None:
        self.see("a@X")
        self.refresh()
        self.see("b@X", 1)
        self.recollection.spoken_to("a@X")
        self.assertEqual(self.refresh(), ["a@X"])
        self.recollection.spoken_to("b@X")
        self.assertEqual(self.refresh(), ["b@X", "a@X"])

    def test_a_disk_that_fails_is_asked_again(self) -> None:
        self.see("a@X")
        self.node.history.trouble = StoreError("no")
        self.assertEqual(self.refresh(), [])
        self.refresh("/cancel ")
        self.node.history.trouble = None
        self.assertEqual(self.refresh(), ["a@X"])

    def test_nobody_waits_for_a_slow_disk_twice(self) -> None:
        slow: Deferred[list] = Deferred()
        self.node.history.peers = lambda: slow
        first = Deferred.fromCoroutine(self.recollection.refresh("/msg "))
        self.assertEqual(self.refresh(), [])
        self.assertNoResult(first)
        slow.callback([])
        self.successResultOf(first)

    def test_the_outbox_is_always_fresh(self) -> None:
        self.node.history.outbox = lambda: succeed(["x"])
        self.refresh("/msg ")
        self.assertEqual(self.recollection.outbox, [])
        self.refresh("/cancel ")
        self.assertEqual(self.recollection.outbox, ["x"])

"""The router alone: what it must do even when no reactor turns any more."""

from datetime import UTC, datetime
from random import Random

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chat.delivery import Deliveries
from p2pchat.chat.messages import Ack, Pub, Relay, Send
from p2pchat.chat.peers import PeerTable
from p2pchat.chat.router import Router
from p2pchat.events import DeliveryChanged, Event, MessageReceived
from tests.chat.bare import BOB, ME, talking


class RouterTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.events: list[Event] = []
        self.peers = PeerTable(10)
        self.router = Router(
            self.clock,
            Random(1),
            lambda: datetime(2025, 1, 1, tzinfo=UTC),
            ME,
            self.peers,
            Deliveries(5.0, 10),
            self.events.append,
        )
        self.bob = self.peers.meet(BOB, 0.0)
        self.bare = talking(modern=True)

    def received(self) -> list[str]:
        return [e.msg_id for e in self.events if isinstance(e, MessageReceived)]

    def test_what_was_taken_is_shown_when_it_stops(self) -> None:
        taken = [Send("1"), Pub("2"), Relay("3", dst=ME)]
        self.router.received(self.bob, self.bare.link, taken)
        self.assertEqual(self.received(), [])
        self.router.stop()
        self.assertEqual(self.received(), ["1", "2", "3"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_what_is_under_way_fails_when_it_stops(self) -> None:
        msg_id = self.router.send(self.bob, "hi")
        self.router.stop()
        (event,) = self.events
        assert isinstance(event, DeliveryChanged)
        self.assertEqual((event.msg_id, event.to, event.state), (msg_id, BOB, "failed"))
        self.assertEqual((self.clock.getDelayedCalls(), self.router.pending), ([], 0))

    def test_all_sends_of_one_read_are_acknowledged_in_one_write(self) -> None:
        self.bare.socket.writes.clear()
        self.router.received(
            self.bob,
            self.bare.link,
            [Send("1"), Ack("of nothing"), Send("2", require_ack=False), Send("1"), Send("3")],
        )
        self.assertEqual(len(self.bare.socket.writes), 1)
        self.assertEqual([line["msg_id"] for line in self.bare.lines], ["1", "1", "3"])
        self.router.stop()
        self.assertEqual(self.received(), ["1", "2", "3"])

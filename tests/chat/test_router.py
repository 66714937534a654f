"""The router alone: what goes out and what comes in, joined."""

from datetime import timedelta
from random import Random

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chat.messages import Ack, Pub, Relay, Send
from p2pchat.chat.outbox import Outbox
from p2pchat.chat.peers import PeerTable
from p2pchat.chat.router import Router
from p2pchat.events import DeliveryChanged, Event, MessageReceived
from tests.at_once import at_once
from tests.chat.bare import BOB, ME, talking
from tests.chat.slow_history import NOW, SlowHistory


class RouterTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.events: list[Event] = []
        self.peers = PeerTable(10)
        self.history = SlowHistory()
        self.router = Router(
            *(self.clock, Random(1), lambda: NOW, ME, self.peers),
            *(Outbox(5.0, timedelta(days=7), 3), self.history),
            report=self.events.append,
            notice=lambda level, text: None,
        )
        self.router.resume([])
        self.bob = self.peers.meet(BOB, 0.0)
        self.bare = talking(modern=True)

    def received(self) -> list[str]:
        return [e.msg_id for e in self.events if isinstance(e, MessageReceived)]

    def states(self) -> list[str]:
        return [e.state for e in self.events if isinstance(e, DeliveryChanged)]

    def test_what_was_taken_is_shown_when_it_stops(self) -> None:
        taken = [Send("1"), Pub("2", dst="*"), Relay("3", dst=ME)]
        self.router.received(self.bob, self.bare.link, taken)
        self.assertEqual(self.received(), [])
        self.router.stop()
        self.assertEqual(self.received(), ["1", "2", "3"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_what_is_under_way_stays_stored_when_it_stops(self) -> None:
        at_once(Deferred.fromCoroutine(self.router.sending.send(BOB, "hi")))
        self.router.stop()
        self.assertEqual((self.states(), self.clock.getDelayedCalls()), (["queued"], []))
        self.assertEqual(len(at_once(self.history.outbox())), 1)

    def test_one_read_may_bring_both(self) -> None:
        msg_id = at_once(Deferred.fromCoroutine(self.router.sending.send(BOB, "hi")))
        self.bare.socket.writes.clear()
        self.router.received(
            self.bob,
            self.bare.link,
            [Send("1"), Ack(msg_id), Send("2", require_ack=False), Send("1"), Send("3")],
        )
        self.assertEqual(self.states(), ["queued", "delivered"])
        self.assertEqual(len(self.bare.socket.writes), 1)
        self.assertEqual([line["msg_id"] for line in self.bare.lines], ["1", "1", "3"])
        self.router.stop()
        self.assertEqual(self.received(), ["1", "2", "3"])

    def test_acks_alone_cost_the_disk_nothing(self) -> None:
        self.router.received(self.bob, self.bare.link, [Ack("of nothing")])
        self.assertEqual(self.history.asked, 0)

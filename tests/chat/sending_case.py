"""What tests of sending have in common: links that are fakes, and an outbox on a clock."""

from collections.abc import Sequence
from datetime import timedelta
from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chat.messages import Pub, Send
from p2pchat.chat.opening import Opening
from p2pchat.chat.outbox import Outbox
from p2pchat.chat.peers import PeerTable
from p2pchat.chat.sending import Sending
from p2pchat.errors import QueueFullError
from p2pchat.events import DeliveryChanged
from p2pchat.history import Bounds, OutboxEntry
from p2pchat.identity import PeerId
from tests.at_once import at_once
from tests.chat.bare import BOB, ME
from tests.chat.slow_history import NOW, SlowHistory

EVE = PeerId("eve@CIC")
TIMEOUT = 5.0
RETRIES = 3
MAX_AGE = timedelta(days=7)
LIMIT = 5


class FakeLink:
    """A link with room for so many messages, that writes them when a test says so."""

    talking = True
    ended = False
    heard_at = 0.0

    def __init__(self, *, modern: bool = True, room: int = 1000) -> None:
        self.modern = modern
        self.room = room
        self.waiting: list[Send | Pub] = []
        self.written: list[str] = []

    @property
    def queued(self) -> int:
        return len(self.waiting)

    def queue(self, message: Send | Pub, line: bytes | None = None) -> None:
        if len(self.waiting) >= self.room:
            raise QueueFullError("no room")
        self.waiting.append(message)

    def withdraw(self, msg_id: str) -> bool:
        kept = [message for message in self.waiting if message.msg_id != msg_id]
        withdrawn, self.waiting = len(kept) < len(self.waiting), kept
        return withdrawn


class SendingCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.history = SlowHistory(Bounds(max_outbox_per_peer=LIMIT))
        self.events: list[DeliveryChanged] = []
        self.notices: list[str] = []
        self.peers = PeerTable(10)
        self.bob = self.peers.meet(BOB, 0.0)
        self.opening = Opening()
        self.opening.open()
        self.sending = self.start()

    def start(self) -> Sending:
        """Make the part that a process has, whatever the disk has."""
        return Sending(
            *(self.clock, Random(1), lambda: NOW + timedelta(seconds=self.clock.seconds()), ME),
            *(self.peers, Outbox(TIMEOUT, MAX_AGE, RETRIES), self.history, self.opening),
            report=self.events.append,
            notice=lambda level, text: self.notices.append(text),
        )

    def up(self, **options: Any) -> FakeLink:
        link = FakeLink(**options)
        self.bob.links.append(link)
        self.sending.link_up(self.bob)
        return link

    def down(self, link: FakeLink) -> None:
        self.bob.links.remove(link)
        self.sending.link_down(self.bob, link)

    def asks(self, text: str = "hi", to: PeerId = BOB) -> "Deferred[str]":
        return Deferred.fromCoroutine(self.sending.send(to, text))

    def sends(self, text: str = "hi", to: PeerId = BOB) -> str:
        return at_once(self.asks(text, to))

    def cancels(self, message: int | str) -> "Deferred[bool]":
        return Deferred.fromCoroutine(self.sending.cancel(message))

    def writes(self, link: FakeLink) -> list[str]:
        """Let a link write what waits; return all the ids that it wrote so far."""
        while link.waiting:
            message = link.waiting.pop(0)
            link.written.append(message.msg_id)
            self.sending.written(message)
        return link.written

    def states(self, msg_id: str) -> list[str]:
        return [event.state for event in self.events if event.msg_id == msg_id]

    def stored(self) -> Sequence[OutboxEntry]:
        return at_once(self.history.outbox())

    def ended(self) -> list[tuple[str, str]]:
        """Return the state of all messages and why they failed, as the history has it."""
        return [(e.state, e.reason) for e in at_once(self.history.entries(None, 100))]

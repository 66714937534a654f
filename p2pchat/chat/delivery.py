"""What became of the messages we sent to one peer each: waiting, sent, delivered or failed (no IO).

=========  ==================================  =========================================
state      ends by                             then
=========  ==================================  =========================================
WAITING    a link comes up                     QUEUED; failed after `timeout` without one
QUEUED     it is written                       SENT
SENT       its ACK                             delivered; failed after `timeout` without
any        the link goes                       WAITING, with a new timeout
=========  ==================================  =========================================

A message that failed for want of an ACK may still be acknowledged later; that is told too.
"""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto

from p2pchat.chat.messages import Send
from p2pchat.errors import QueueFullError
from p2pchat.identity import PeerId

#: How many failed messages are remembered in case their ACK comes late.
MAX_LATE = 1000


#: A message fails when so many links were lost with it: its peer comes and goes, and confirms
#: nothing.
MAX_LOST = 5


class Stage(Enum):
    WAITING = auto()
    QUEUED = auto()
    SENT = auto()


@dataclass(eq=False, slots=True)
class Delivery:
    """One message under way.

    `link` is the one whose queue it stands or stood in; `deadline` is in seconds, None while it
    only waits its turn; `sent` tells whether it was ever written, `lost` how many links were lost
    since without its ACK.
    """

    peer: PeerId
    message: Send
    stage: Stage = Stage.WAITING
    link: object = None
    deadline: float | None = None
    sent: bool = False
    lost: int = 0


class Deliveries:
    """All messages under way, at most `limit`; `timeout` is the ACK timeout in seconds."""

    def __init__(self, timeout: float, limit: int) -> None:
        self.timeout = timeout
        self._limit = limit
        self._by_id: dict[str, Delivery] = {}
        self._late: dict[str, PeerId] = {}
        self._due: list[tuple[float, int, Delivery]] = []
        self._serial = 0

    def __len__(self) -> int:
        return len(self._by_id)

    def add(self, peer: PeerId, message: Send, now: float) -> Delivery:
        """Take a message that waits for a link; QueueFullError if there are too many."""
        if len(self._by_id) >= self._limit:
            raise QueueFullError(f"{len(self._by_id)} messages are under way already")
        delivery = Delivery(peer, message)
        self._by_id[message.msg_id] = delivery
        self._set_deadline(delivery, now)
        return delivery

    def withdraw(self, delivery: Delivery) -> None:
        """Forget a message that could not be queued after all."""
        self._by_id.pop(delivery.message.msg_id, None)
        delivery.deadline = None

    def waiting(self, peer: PeerId) -> list[Delivery]:
        """Return what waits for a link to this peer, oldest first."""
        return [
            delivery
            for delivery in self._by_id.values()
            if delivery.peer == peer and delivery.stage is Stage.WAITING
        ]

    def queued(self, delivery: Delivery, link: object) -> None:
        """Note that it stands in a link's queue, where only the link's end can hurt it."""
        delivery.stage = Stage.QUEUED
        delivery.link = link
        delivery.deadline = None

    def written(self, msg_id: str, now: float) -> Delivery | None:
        """Note that it was written; return it if that is the first time and it is under way."""
        delivery = self._by_id.get(msg_id)
        if delivery is None:
            return None
        delivery.stage = Stage.SENT
        self._set_deadline(delivery, now)
        first = not delivery.sent
        delivery.sent = True
        return delivery if first else None

    def acknowledged(self, peer: PeerId, msg_id: str) -> bool:
        """Note an ACK; tell whether it answers a message to this peer that had none yet."""
        delivery = self._by_id.get(msg_id)
        if delivery is not None and delivery.peer == peer:
            del self._by_id[msg_id]
            delivery.deadline = None
            return True
        if self._late.get(msg_id) == peer:
            del self._late[msg_id]
            return True
        return False

    def link_lost(self, link: object, now: float) -> None:
        """Let everything that went to this link wait for another one to the same peer."""
        for delivery in self._by_id.values():
            if delivery.link is link and delivery.stage is not Stage.WAITING:
                delivery.lost += delivery.stage is Stage.SENT
                delivery.stage = Stage.WAITING
                self._set_deadline(delivery, now)

    def expire(self, now: float) -> list[Delivery]:
        """Take out and return what has waited for too long."""
        expired = []
        while self._due and self._due[0][0] <= now:
            deadline, _, delivery = heapq.heappop(self._due)
            if delivery.deadline == deadline:
                delivery.deadline = None
                expired.append(delivery)
        self._fail(expired)
        return expired

    def abandon(self) -> list[Delivery]:
        """Take out and return everything: the node stops."""
        abandoned = list(self._by_id.values())
        self._by_id.clear()
        self._due.clear()
        return abandoned

    def next_deadline(self) -> float | None:
        """Return when expire() may have something, or None."""
        while self._due and self._due[0][2].deadline != self._due[0][0]:
            heapq.heappop(self._due)
        return self._due[0][0] if self._due else None

    def _fail(self, expired: Iterable[Delivery]) -> None:
        for delivery in expired:
            msg_id = delivery.message.msg_id
            del self._by_id[msg_id]
            if delivery.stage is Stage.SENT:
                self._late[msg_id] = delivery.peer
                if len(self._late) > MAX_LATE:
                    del self._late[next(iter(self._late))]

    def _set_deadline(self, delivery: Delivery, now: float) -> None:
        delivery.deadline = now + (self.timeout if delivery.lost <= MAX_LOST else 0.0)
        self._serial += 1
        heapq.heappush(self._due, (delivery.deadline, self._serial, delivery))

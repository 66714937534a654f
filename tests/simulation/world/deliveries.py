"""What a node tells of the messages it sent, and whether that is in order and true."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from p2pchat.events import DeliveryChanged, DeliveryState, Event
from p2pchat.history import Entry

if TYPE_CHECKING:
    from tests.simulation.world.inhabitant import Inhabitant
    from tests.simulation.world.world import World

#: What may be told of a message behind what was told of it last, in one life of a process.
_NEXT: dict[str, tuple[DeliveryState, ...]] = {
    "": ("queued",),
    "queued": ("sent", "failed"),
    "sent": ("delivered", "failed"),
    "failed": ("delivered",),
    "delivered": (),
}

#: And what besides in a later life: how often it was written need not have come to the disk.
_LATER: dict[str, tuple[DeliveryState, ...]] = {"queued": ("delivered",), "sent": ("sent",)}

ENDS = ("delivered", "failed")


class Deliveries:
    """What one node told of its messages, over all its lives.

    `accepted` are those that its user was given an id of, `last` is what was told last of each. In
    a life that ended badly something may be told that is not on the disk; then it is told again.
    """

    def __init__(self) -> None:
        self.accepted: set[str] = set()
        self.last: dict[str, DeliveryState] = {}
        self._told_in: dict[str, int] = {}
        self._life = 0
        self._ended_badly: set[int] = set()

    def begin(self) -> None:
        """Begin a life."""
        self._life += 1

    def forgive(self) -> None:
        """Note that this life ended, and that not all it told is on the disk."""
        self._ended_badly.add(self._life)

    def allows(self, event: DeliveryChanged) -> bool:
        """Tell whether this may be told now."""
        last = self.last.get(event.msg_id, "")
        if event.state in _NEXT[last]:
            return True
        if not last:  # it was stored, and the crash came before that was told
            return bool(self._ended_badly)
        told_in = self._told_in[event.msg_id]
        if told_in in self._ended_badly:
            return event.state != "queued"
        return told_in != self._life and event.state in _LATER.get(last, ())

    def note(self, event: DeliveryChanged) -> None:
        """Note that this was told."""
        self.last[event.msg_id] = event.state
        self._told_in[event.msg_id] = self._life


def is_told_in_order(_: "World", node: "Inhabitant", event: Event) -> Iterator[str]:
    """Each step of a delivery is told once, and nothing behind its end but a late confirmation."""
    if isinstance(event, DeliveryChanged):
        if not node.deliveries.allows(event):
            last = node.deliveries.last.get(event.msg_id, "unknown")
            yield f"{node} tells that {event.msg_id} is {event.state}, which was {last}"
        node.deliveries.note(event)


def every_end_was_told(world: "World") -> Iterator[str]:
    """What was accepted was told to be queued; what a message came to is what was told of it."""
    for node in world.nodes.values():
        for msg_id in sorted(node.deliveries.accepted - node.sent.keys()):
            yield f"{node} accepted {msg_id} and never told that it is queued"
        for entry in node.disk.entries():
            told = node.deliveries.last.get(entry.msg_id, "unknown")
            if not entry.state or {told, entry.state}.isdisjoint(ENDS):
                continue
            if told != entry.state:
                yield f"{node} tells that {entry.msg_id} is {told}, and stores {entry.state}"


def all_accepted_has_arrived(world: "World") -> Iterator[str]:
    """Every message that was reported as queued or delivered is at its receiver, once, unchanged.

    It was shown there, too, unless the receiver crashed between storing and showing it; and its
    sender knows of it.
    """
    for sender in world.nodes.values():
        ours = {e.msg_id: e for e in sender.disk.entries() if e.direction == "out"}
        for msg_id, to in sender.sent.items():
            receiver = world.honest(to)
            if receiver is None:
                continue
            for what in _trouble_of(sender, receiver, msg_id, ours.get(msg_id)):
                yield f"{sender} to {receiver}: {msg_id} {what}"


def _trouble_of(
    sender: "Inhabitant", receiver: "Inhabitant", msg_id: str, sent: Entry | None
) -> Iterator[str]:
    key = str(sender.peer_id), msg_id
    received = receiver.disk.received(*key)
    if sent is None:
        yield "is not in its sender's history"
    elif received is None:
        yield f"did not arrive; to its sender it is {sent.state} {sent.reason}"
    elif received.text != sent.text:
        yield f"is another text: {received.text!r:.80}"
    elif sent.state != "delivered":
        yield f"arrived and is {sent.state} {sent.reason}"
    elif not receiver.shown[key] and key not in receiver.unshown:
        yield "was never shown"

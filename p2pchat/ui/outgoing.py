"""Messages of ours that did not end yet, so that a view can tell what became of each."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from p2pchat.events import DeliveryChanged


class Message(NamedTuple):
    """A message to one peer: when it was written, how it reads, its state ("" at first)."""

    time: datetime
    text: str
    state: str = ""
    reason: str = ""


class Outgoing:
    """Messages by msg_id, oldest first, at most `limit`."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._messages: dict[str, Message] = {}

    def __iter__(self) -> Iterator[Message]:
        return iter(self._messages.values())

    def __len__(self) -> int:
        return len(self._messages)

    def add(self, msg_id: str, message: Message) -> Message | None:
        """Follow a message from now on; return the one that is given up for it, if any."""
        self._messages[msg_id] = message
        if len(self._messages) <= self._limit:
            return None
        return self._messages.pop(next(iter(self._messages)))

    def move_on(self, event: DeliveryChanged) -> Message | None:
        """Note a delivery state and return the message with it; forget it if it ended.

        None means that the message is not known here.
        """
        message = self._messages.get(event.msg_id)
        if message is None:
            return None
        message = message._replace(state=event.state, reason=event.reason)
        if event.state == "sent":
            self._messages[event.msg_id] = message
        else:
            del self._messages[event.msg_id]
        return message

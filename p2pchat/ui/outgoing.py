"""What we said and what did not end yet, so that a view can tell what became of each."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import NamedTuple

from p2pchat.history import OutboxEntry
from p2pchat.ui.words import shown

#: What a message is known by: its msg_id, or the chat_id of a chat of the archive.
Key = str | int

_ENDS = ("delivered", "failed", "confirmed")


class Message(NamedTuple):
    """A message to one peer, or a chat of the archive.

    When it was written, how it reads, its state ("" at first), and what there is to say about that;
    a message has the peer that it goes `to`.
    """

    time: datetime
    text: str
    state: str = ""
    note: str = ""
    to: str = ""

    @property
    def ended(self) -> bool:
        return self.state in _ENDS


def recalled(entry: OutboxEntry) -> Message:
    """Return a message of an earlier run."""
    text = f"→ {shown(entry.to)}: {entry.text}"
    return Message(entry.queued_at, text, "queued", to=entry.to)


class Outgoing:
    """Messages and chats, oldest first, at most `limit`."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._messages: dict[Key, Message] = {}

    def __iter__(self) -> Iterator[Message]:
        return iter(self._messages.values())

    def __len__(self) -> int:
        return len(self._messages)

    def add(self, key: Key, message: Message) -> Message | None:
        """Follow a message from now on; return the one that is given up for it, if any."""
        self._messages[key] = message
        if len(self._messages) <= self._limit:
            return None
        return self._messages.pop(next(iter(self._messages)))

    def move_on(self, key: Key, state: str, note: str = "") -> Message | None:
        """Note a state and return the message with it; forget it if it ended.

        None means that the message is not known here.
        """
        message = self._messages.get(key)
        if message is None:
            return None
        message = message._replace(state=state, note=note)
        if message.ended:
            del self._messages[key]
        else:
            self._messages[key] = message
        return message

    def take_archived(self, before: datetime) -> list[Message]:
        """Forget and return the chats written before then that stand in our archive.

        A node that is alone has nobody who could confirm them.
        """
        found = self._take(lambda one: one.state == "archived" and one.time < before)
        return list(found.values())

    def take_addressed(self, to: str) -> dict[Key, Message]:
        """Forget and return the messages to a peer: nothing becomes of them while it is away."""
        return self._take(lambda one: one.to == to)

    def _take(self, wanted: Callable[[Message], bool]) -> dict[Key, Message]:
        found = {key: message for key, message in self._messages.items() if wanted(message)}
        for key in found:
            del self._messages[key]
        return found

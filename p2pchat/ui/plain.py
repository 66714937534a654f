"""Plain output: lines of text for people, without escape codes."""

from collections.abc import Iterable
from datetime import datetime, tzinfo

from p2pchat.api import ChatInfo
from p2pchat.events import DeliveryChanged, Event
from p2pchat.history import OutboxEntry
from p2pchat.text import visible
from p2pchat.ui.actions import Sent
from p2pchat.ui.commands import Reply
from p2pchat.ui.marks import MARKS
from p2pchat.ui.outgoing import Message, Outgoing, recalled
from p2pchat.ui.styled import Line, plain, stamped
from p2pchat.ui.views import event_lines
from p2pchat.ui.words import shown

_EXCERPT = 80
_MAX_OUTGOING = 10_000
_STATES = {
    "queued": "queued",
    "sent": "sent",
    "delivered": "delivered",
    "failed": "not delivered",
}


class PlainFormat:
    """Writes events and replies as text, with the time of day in zone (None: this machine's).

    The reply to a message that was taken is no line of its own: its delivery states are, each with
    the beginning of the text. So it is with a chat of the archive.
    """

    def __init__(self, zone: tzinfo | None = None) -> None:
        self._zone = zone
        self._outgoing = Outgoing(_MAX_OUTGOING)

    def event(self, event: Event) -> bytes:
        """Write an event as lines; there is none if another event tells the same."""
        if isinstance(event, DeliveryChanged):
            return self._written([self._delivery(event)], event.time)
        return self._written(event_lines(event), event.time)

    def reply(self, reply: Reply, time: datetime) -> bytes:
        """Write a reply, a line for each of its lines."""
        match reply.data:
            case ChatInfo():
                return b""
            case Sent(msg_id=msg_id):
                text = visible(reply.lines[0], _EXCERPT)
                self._outgoing.add(msg_id, Message(time, text))
                return self._written(_lines(reply.lines[1:]), time)
        if reply.page is None:
            return self._written(_lines(reply.lines), time)
        return _encoded(f"{line}\n" for line in reply.lines)

    def recall(self, entries: Iterable[OutboxEntry]) -> None:
        """Note messages of an earlier run."""
        for entry in entries:
            message = recalled(entry)
            text = visible(message.text, _EXCERPT)
            self._outgoing.add(entry.msg_id, message._replace(text=text))

    def _delivery(self, event: DeliveryChanged) -> Line:
        message = self._outgoing.move_on(event.msg_id, event.state)
        text = message.text if message else f"→ {shown(event.to)}"
        why = f" ({visible(event.reason)})" if event.reason else ""
        return [("", f"{MARKS[event.state]} {_STATES[event.state]} {text}{why}")]

    def _written(self, lines: list[Line], time: datetime) -> bytes:
        stamp = plain(stamped([], time, self._zone))  # once: a reply can have very many lines
        return _encoded(f"{stamp}{plain(line)}\n" for line in lines)


def _lines(texts: list[str]) -> list[Line]:
    return [[("", visible(text))] for text in texts]


def _encoded(lines: Iterable[str]) -> bytes:
    return "".join(lines).encode("utf-8", "replace")

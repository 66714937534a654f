"""JSON output: one object a line, for programs; docs/events.md documents every field.

Objects are encoded in UTF-8 and end with `\\n`. Texts are as they came, not made visible.
"""

import json
from collections.abc import Iterable
from datetime import datetime

import msgspec

from p2pchat.events import Event
from p2pchat.history import OutboxEntry
from p2pchat.ui.commands import Reply


class Replied(Event, frozen=True, kw_only=True, tag="reply", omit_defaults=True):
    """The reply to one line of input; the key `error` is there only if it failed."""

    command: str
    lines: list[str]
    data: object
    error: str = ""


class JsonFormat:
    """Writes events and replies as JSON objects."""

    def event(self, event: Event) -> bytes:
        """Write an event."""
        return _encoded(event)

    def reply(self, reply: Reply, time: datetime) -> bytes:
        """Write a reply."""
        return _encoded(
            Replied(
                time=time,
                command=reply.command,
                lines=reply.lines,
                data=reply.data,
                error=reply.error,
            )
        )

    def recall(self, entries: Iterable[OutboxEntry]) -> None:
        """Nothing to do: delivery events carry the msg_id, and /outbox lists the texts."""


def _encoded(event: Event) -> bytes:
    try:
        return msgspec.json.encode(event) + b"\n"
    except UnicodeEncodeError:  # a lone surrogate, as in a file name that is not UTF-8
        text = json.dumps(msgspec.to_builtins(event), ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-8", "replace") + b"\n"

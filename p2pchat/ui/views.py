"""What people read: an event or a reply as a line of text with styles.

Whatever comes from outside passes through `visible`, so that a text of several lines is one line
with its line ends as escapes, and nothing moves the cursor (docs/protocols.md, 2.12).
"""

from collections.abc import Iterator
from datetime import datetime, tzinfo

from p2pchat.events import (
    ArchiveGrew,
    ArchivePeerChanged,
    ChatChanged,
    DeliveryChanged,
    Event,
    HistoryOpened,
    MessageReceived,
    Notice,
    PeerDown,
    PeerUp,
    Ready,
)
from p2pchat.text import visible
from p2pchat.ui.commands import Reply
from p2pchat.ui.marks import CHAIN, chat_note, chat_text
from p2pchat.ui.said import delivery_line, received_line
from p2pchat.ui.styled import Line, stamped
from p2pchat.ui.tables import plural
from p2pchat.ui.words import shown

#: How many new chats an event has the texts of; if it has as many, there may be more.
_MAX_NEW_CHATS = 20

_NOTICE_MARKS = {"info": "·", "warning": "!", "error": "!!"}


def event_lines(event: Event) -> list[Line]:
    """Make the lines of an event, without its time; none if another event tells the same."""
    match event:
        case ArchiveGrew(source="mined"):
            return []  # the chat's own event tells it
        case ArchiveGrew(source="file"):
            return [_notice(f"the archive has {plural(event.height, 'chat')}, read from its file")]
        case ArchiveGrew():
            return [*_reorganisation(event), *_new_chats(event)]
        case ChatChanged(state="confirmed") if event.confirmations > 1:
            return []  # the first peer's confirmation is what matters
        case HistoryOpened(unread=0, waiting=0):
            return []
    return [event_line(event)]


def event_line(event: Event) -> Line:
    """Make the line of an event that has one, without its time."""
    match event:
        case Ready():
            return _notice(_ready(event))
        case PeerUp():
            return [("class:up", f"+ {shown(event.peer_id)} {_how(event)}")]
        case PeerDown():
            return [("class:down", f"- {shown(event.peer_id)} is gone: {visible(event.reason)}")]
        case MessageReceived():
            return received_line(event)
        case DeliveryChanged():
            return delivery_line(f"→ {shown(event.to)}", event.state, event.reason)
        case ChatChanged():
            return delivery_line(chat_text(event.text), event.state, chat_note(event))
        case ArchivePeerChanged():
            return _archive_peer(event)
        case Notice():
            text = f"{_NOTICE_MARKS[event.level]} {visible(event.text)}"
            return [(f"class:{event.level}", text)]
        case HistoryOpened():
            return _notice(f"{event.unread} unread (/unread), {_waiting(event.waiting)} (/outbox)")
    return _notice(type(event).__name__)


def reply_lines(reply: Reply, time: datetime, zone: tzinfo | None = None) -> list[Line]:
    """Make the lines of a reply, with the time unless they tell their own."""
    if reply.page is not None:
        return reply.page
    style = "class:error" if reply.error else ""
    return [stamped([(style, visible(line))], time, zone) for line in reply.lines]


def _notice(text: str) -> Line:
    return [("class:notice", f"· {text}")]


def _ready(event: Ready) -> str:
    return f"{shown(event.peer_id)} listens on {visible(event.host)}:{event.port}; try /help"


def _waiting(count: int) -> str:
    return f"{plural(count, 'message')} waiting to be delivered"


def _how(event: PeerUp) -> str:
    dialled = "dialled us from" if event.direction == "in" else "answers at"
    kind = "" if event.modern else ", legacy"
    return f"{dialled} {visible(event.address)}{kind}"


def _reorganisation(event: ArchiveGrew) -> list[Line]:
    if not event.reorganised:
        return []
    gone = "chat" if event.dropped == 1 else f"{event.dropped} chats"
    text = f"another archive, via {shown(event.source)}, replaced our last {gone}"
    return [[("class:warning", f"! {text}; it has {plural(event.height, 'chat')}")]]


def _new_chats(event: ArchiveGrew) -> Iterator[Line]:
    """Show new chats like messages; who wrote them nobody knows, only who passed them on."""
    source = shown(event.source)
    if len(event.chats) >= _MAX_NEW_CHATS:
        yield _notice(f"{event.height} chats now, via {source}; the newest of them:")
    for height, text in enumerate(event.chats, event.height - len(event.chats) + 1):
        yield [
            ("class:archive", f"{CHAIN} {height}"),
            ("class:target", f" via {source}"),
            ("", f": {visible(text)}"),
        ]


def _archive_peer(event: ArchivePeerChanged) -> Line:
    peer = f"archive peer {shown(event.address)}"
    height = "" if event.height is None else f", {plural(event.height, 'chat')}"
    why = f": {visible(event.reason)}" if event.reason else ""
    match event.state:
        case "connected":
            return [("class:up", f"+ {peer}{height}{why}")]
        case "lost":
            return [("class:down", f"- {peer} is gone{why}")]
        case "paused":
            return [("class:warning", f"! {peer} is paused{why}")]

"""What people read: an event or a reply as a line of text with styles.

A line is a list of (style, text). A terminal gives the styles colours, plain output drops them.
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
    MessageReceived,
    Notice,
    PeerDown,
    PeerUp,
    Ready,
)
from p2pchat.text import visible
from p2pchat.ui.commands import Reply
from p2pchat.ui.marks import CHAIN, MARKS, chat_note, chat_text
from p2pchat.ui.tables import plural
from p2pchat.ui.words import shown

Fragment = tuple[str, str]
Line = list[Fragment]

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
            return _message(event)
        case DeliveryChanged():
            return delivery_line(f"→ {shown(event.to)}", event.state, event.reason)
        case ChatChanged():
            return delivery_line(chat_text(event.text), event.state, chat_note(event))
        case ArchivePeerChanged():
            return _archive_peer(event)
        case Notice():
            text = f"{_NOTICE_MARKS[event.level]} {visible(event.text)}"
            return [(f"class:{event.level}", text)]
    return _notice(type(event).__name__)


def delivery_line(text: str, state: str, note: str = "") -> Line:
    """Make the line of what we said: its mark, the text and a note, such as why it failed."""
    style = f"class:{state or 'waiting'}"
    line = [(style, MARKS[state]), ("class:own", " " + visible(text))]
    if state == "failed":
        note = f"not delivered: {note}"
    if note:
        line.append((style, f" ({visible(note)})"))
    return line


def reply_lines(reply: Reply) -> list[Line]:
    """Make the lines of a reply, without their time."""
    style = "class:error" if reply.error else ""
    return [[(style, visible(line))] for line in reply.lines]


def stamped(line: Line, time: datetime, zone: tzinfo | None = None) -> Line:
    """Put the time of day before a line, in zone or where this machine is."""
    return [("class:time", f"{time.astimezone(zone):%H:%M:%S} "), *line]


def plain(line: Line) -> str:
    """Drop the styles of a line."""
    return "".join(text for _, text in line)


def _notice(text: str) -> Line:
    return [("class:notice", f"· {text}")]


def _ready(event: Ready) -> str:
    return f"{shown(event.peer_id)} listens on {visible(event.host)}:{event.port}; try /help"


def _how(event: PeerUp) -> str:
    dialled = "dialled us from" if event.direction == "in" else "answers at"
    kind = "" if event.modern else ", legacy"
    return f"{dialled} {visible(event.address)}{kind}"


def _message(event: MessageReceived) -> Line:
    line: Line = [("class:relayed", "[relayed, unverified] ")] if event.relayed else []
    line.append(("class:peer", shown(event.source)))
    if event.kind == "pub":
        line.append(("class:target", f" to {shown(event.to)}"))
    line.append(("", f": {visible(event.text)}"))
    return line


def _reorganisation(event: ArchiveGrew) -> list[Line]:
    if not event.reorganised:
        return []
    gone = "chat" if event.dropped == 1 else f"{event.dropped} chats"
    text = f"a longer archive, via {shown(event.source)}, replaced our last {gone}"
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

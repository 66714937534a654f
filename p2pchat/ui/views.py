"""What people read: an event or a reply as a line of text with styles.

A line is a list of (style, text). A terminal gives the styles colours, plain output drops them.
Whatever comes from outside passes through `visible`, so that a text of several lines is one line
with its line ends as escapes, and nothing moves the cursor (docs/protocols.md, 2.12).
"""

from datetime import datetime, tzinfo

from p2pchat.events import (
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
from p2pchat.ui.words import shown

Fragment = tuple[str, str]
Line = list[Fragment]

#: Delivery marks; a message that waits for its link has none of them yet.
MARKS = {"": "…", "sent": "✓", "delivered": "✓✓", "failed": "✗"}

_NOTICE_MARKS = {"info": "·", "warning": "!", "error": "!!"}


def event_line(event: Event) -> Line:
    """Make the line of an event, without its time."""
    match event:
        case Ready():
            return [("class:notice", f"· {_ready(event)}")]
        case PeerUp():
            return [("class:up", f"+ {shown(event.peer_id)} {_how(event)}")]
        case PeerDown():
            return [("class:down", f"- {shown(event.peer_id)} is gone: {visible(event.reason)}")]
        case MessageReceived():
            return _message(event)
        case DeliveryChanged():
            return delivery_line(f"→ {shown(event.to)}", event.state, event.reason)
        case Notice():
            text = f"{_NOTICE_MARKS[event.level]} {visible(event.text)}"
            return [(f"class:{event.level}", text)]
    return [("class:notice", f"· {type(event).__name__}")]


def delivery_line(text: str, state: str, reason: str = "") -> Line:
    """Make the line of a message of ours: its mark, the text and why it failed."""
    line = [(f"class:{state or 'waiting'}", MARKS[state]), ("class:own", " " + visible(text))]
    if state == "failed":
        line.append(("class:failed", f" (not delivered: {visible(reason)})"))
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

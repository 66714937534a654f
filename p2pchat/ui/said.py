"""What was said, as lines: by others and by us, now or long ago.

Whatever comes from outside passes through `visible`, so that a text of several lines is one line
with its line ends as escapes, and nothing moves the cursor (docs/protocols.md, 2.12).
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import tzinfo

from p2pchat.events import MessageReceived
from p2pchat.history import Entry, Found
from p2pchat.text import visible
from p2pchat.ui.marks import MARKS
from p2pchat.ui.styled import MATCH, Fragment, Line, stamped
from p2pchat.ui.times import date_of
from p2pchat.ui.words import shown

#: A message that a search found is cut to so many characters, around the first match.
EXCERPT = 240

_LEAD = 80  # how many of them may stand before the match


def received_line(message: MessageReceived | Entry) -> Line:
    """Make the line of what others said."""
    return [*_from(message), ("", f": {visible(message.text)}")]


def delivery_line(text: str, state: str, note: str = "") -> Line:
    """Make the line of what we said: its mark, the text and a note, such as why it failed."""
    return [_mark(state), ("class:own", " " + visible(text)), *_note(state, note)]


def entry_line(entry: Entry) -> Line:
    """Make the line of a message of the history, without its time."""
    return _line_with(entry, [("", visible(entry.text))])


def found_line(found: Found, zone: tzinfo | None) -> Line:
    """Make the line of a message that a search found: with its day, and with the match styled."""
    line = _line_with(found.entry, _excerpt(found.entry.text, found.marks))
    day = ("class:time", f"{date_of(found.entry.time, zone)} ")
    return [day, *stamped(line, found.entry.time, zone)]


def dated_lines(entries: Iterable[Entry], zone: tzinfo | None) -> Iterator[Line]:
    """Make the lines of messages, each with its time, and a line wherever another day begins."""
    day = ""
    for entry in entries:
        if date_of(entry.time, zone) != day:
            day = date_of(entry.time, zone)
            yield rule(day)
        yield stamped(entry_line(entry), entry.time, zone)


def rule(text: str) -> Line:
    """Make a line across the screen with a text in it."""
    return [("class:rule", f"──── {text} ────")]


def _line_with(entry: Entry, text: list[Fragment]) -> Line:
    if entry.direction == "in":
        return [*_from(entry), ("", ": "), *text]
    mark = [_mark(entry.state), ("", " ")] if entry.state else []
    to = ("class:own", f"→ {shown(entry.to)}: ")
    return [*mark, to, *text, *_note(entry.state, entry.reason)]


def _from(message: MessageReceived | Entry) -> Line:
    line: Line = [("class:relayed", "[relayed, unverified] ")] if message.relayed else []
    line.append(("class:peer", shown(message.source)))
    if message.kind == "pub":
        line.append(("class:target", f" to {shown(message.to)}"))
    return line


def _mark(state: str) -> Fragment:
    return f"class:{state or 'waiting'}", MARKS[state]


def _note(state: str, note: str) -> Line:
    if state == "failed":
        note = f"not delivered: {note}"
    return [(f"class:{state or 'waiting'}", f" ({visible(note)})")] if note else []


def _excerpt(text: str, marks: Sequence[tuple[int, int]]) -> list[Fragment]:
    """Cut a text around the first match, and style the matches in it."""
    start = max(0, marks[0][0] - _LEAD) if marks and len(text) > EXCERPT else 0
    end = min(len(text), start + EXCERPT)
    line: list[Fragment] = [("", "…")] if start else []
    for first, last in marks:
        if not start <= first < last <= end:
            continue
        line += [("", visible(text[start:first])), (MATCH, visible(text[first:last]))]
        start = last
    line.append(("", visible(text[start:end])))
    return [*line, ("", "…")] if end < len(text) else line

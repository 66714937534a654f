"""Lines of text with styles, which a terminal shows as colours and plain output drops."""

from datetime import datetime, tzinfo

from p2pchat.ui.times import local

Fragment = tuple[str, str]

#: What a line is made of: (style, text), one after another.
Line = list[Fragment]

#: The style of what a search was for.
MATCH = "class:match"


def plain(line: Line) -> str:
    """Drop the styles of a line."""
    return "".join(text for _, text in line)


def marked(line: Line) -> str:
    """Drop the styles of a line, but show by «» what a search was for."""
    return "".join(f"«{text}»" if style == MATCH else text for style, text in line)


def stamped(line: Line, time: datetime, zone: tzinfo | None = None) -> Line:
    """Put the time of day before a line, in zone or where this machine is."""
    return [("class:time", f"{local(time, zone):%H:%M:%S} "), *line]

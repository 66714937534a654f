"""Tables and figures for people: columns aligned by display width, times in fitting units."""

from collections.abc import Sequence

from wcwidth import wcswidth

_GAP = "  "


def width(text: str) -> int:
    """Tell how many columns of a terminal text takes; wide characters and emoji take two."""
    columns = wcswidth(text)
    return columns if columns >= 0 else len(text)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Align rows under head, every column as wide as its widest cell."""
    lines = [head, *rows]
    widths = [max(map(width, column)) for column in zip(*lines, strict=True)]
    return [_aligned(line, widths) for line in lines]


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (
        cell + " " * (columns - width(cell)) for cell, columns in zip(cells, widths, strict=True)
    )
    return _GAP.join(padded).rstrip()


def duration(seconds: float) -> str:
    """Write a span of time by its two largest units: `43 s`, `5 min 2 s`, `2 d 4 h`."""
    left = max(0, int(seconds))
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


def milliseconds(value: float | None) -> str:
    """Write a round trip time; `-` if there is none."""
    return "-" if value is None else f"{value:.1f} ms"


def plural(count: int, noun: str) -> str:
    """Write a count with its noun: `1 peer`, `2 peers`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"

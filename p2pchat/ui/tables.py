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


def data_size(count: int) -> str:
    """Write a number of bytes: `512 B`, `1.5 KiB`, `64 MiB`."""
    size = float(count)
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{_short(size)} {unit}"
        size /= 1024
    return f"{_short(size)} GiB"


def figure(value: float) -> str:
    """Write a large number roughly: `812`, `480 thousand`, `1.3 million`."""
    for word, size in ((" million", 1e6), (" thousand", 1e3)):
        if value >= size:
            return _short(value / size) + word
    return _short(value)


def timed(seconds: float) -> str:
    """Write how long something took: `0.05 s`, `3.2 s`, and from a minute on as `duration`."""
    if seconds >= 60:
        return duration(seconds)
    return "under 0.01 s" if seconds < 0.01 else f"{seconds:.2g} s"


def _short(value: float) -> str:
    """Write a number with one decimal if it is below ten and has one."""
    return f"{value:.1f}".removesuffix(".0") if value < 10 else f"{value:.0f}"

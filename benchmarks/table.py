"""Figures as a table for people."""

from collections.abc import Sequence

from benchmarks.figures import Figure

_HEAD = ("figure", "unit", "ours", "baseline", "", "ratio", "wanted", "")
_RIGHT = (2, 3, 5)


def table(figures: Sequence[Figure]) -> str:
    """Write one line a figure, columns aligned."""
    rows = [_HEAD, *map(_row, figures)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, tuple("-" * width for width in widths))
    return "\n".join(_aligned(row, widths) for row in rows)


def _row(figure: Figure) -> tuple[str, ...]:
    baseline = figure.baseline
    return (
        figure.name,
        figure.unit,
        _number(figure.ours),
        _number(baseline.value),
        baseline.name,
        _number(figure.ratio),
        str(figure.wanted or ""),
        {True: "ok", False: "short", None: ""}[figure.ok],
    )


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = (
        cell.rjust(width) if column in _RIGHT else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return "  ".join(cells).rstrip()


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"

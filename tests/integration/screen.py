"""What a terminal shows: just enough of one to see a prompt as its user does."""

import re
from collections.abc import Callable
from typing import ClassVar

from prompt_toolkit.utils import get_cwidth

_UNFINISHED = re.compile(r"\x1b(\[[0-9;?]*)?$")
_TOKEN = re.compile(r"\x1b\[([0-9;?]*)([@-~])|\x1b[=>]|[\r\n\b]|[^\x1b\r\n\b]", re.DOTALL)


class Screen:
    """A terminal's rows, those that scrolled away included; a wide character fills two cells.

    `answer` gets what a terminal says when it is asked where its cursor is.
    """

    def __init__(self, height: int, width: int, answer: Callable[[str], None]) -> None:
        self._height = height
        self._width = width
        self._answer = answer
        self._unfinished = ""
        self._rows: list[list[str]] = [[]]
        self._row = self._column = 0

    @property
    def lines(self) -> list[str]:
        """Every row as text, without the blanks at its end."""
        return ["".join(row).rstrip() for row in self._rows]

    @property
    def cursor_line(self) -> str:
        """The row of the cursor, up to the cursor."""
        row = self._rows[self._row][: self._column]
        return "".join(row) + " " * (self._column - len(row))

    def write(self, text: str) -> None:
        """Show text and do what its control sequences say; an unknown one is an error."""
        text = self._unfinished + text
        rest = _UNFINISHED.search(text)
        self._unfinished = rest[0] if rest else ""
        for token in _TOKEN.finditer(text.removesuffix(self._unfinished)):
            if token[2]:
                self._control(token[1], token[2])
            elif token[0] == "\r":
                self._column = 0
            elif token[0] == "\b":
                self._column = max(0, self._column - 1)
            elif token[0] == "\n":
                self._move_to(self._row + 1)
            elif not token[0].startswith("\x1b"):
                self._put(token[0])

    @property
    def _top(self) -> int:
        return max(0, len(self._rows) - self._height)

    def _put(self, char: str) -> None:
        width = get_cwidth(char)
        if width == 0:
            return
        if self._column + width > self._width:
            self._column = 0
            self._move_to(self._row + 1)
        row = self._rows[self._row]
        row.extend(" " * (self._column + width - len(row)))
        row[self._column : self._column + width] = [char, *[""] * (width - 1)]
        self._column += width

    def _control(self, parameters: str, final: str) -> None:
        if final == "n":
            self._answer(f"\x1b[{self._row - self._top + 1};{self._column + 1}R")
        elif final not in "mhl":  # colours and modes show nothing
            self._CONTROLS[final](self, int(parameters or 0))

    def _move_to(self, row: int) -> None:
        while row >= len(self._rows):
            self._rows.append([])
        self._row = row

    def _up(self, count: int) -> None:
        self._row = max(self._top, self._row - max(1, count))

    def _down(self, count: int) -> None:
        self._move_to(min(self._row + max(1, count), self._top + self._height - 1))

    def _forward(self, count: int) -> None:
        self._column = min(self._width - 1, self._column + max(1, count))

    def _back(self, count: int) -> None:
        self._column = max(0, self._column - max(1, count))

    def _erase_down(self, count: int) -> None:
        self._erase_line(0)
        for row in self._rows[self._row + 1 :]:
            row.clear()

    def _erase_line(self, count: int) -> None:
        del self._rows[self._row][self._column :]

    _CONTROLS: ClassVar[dict[str, Callable[["Screen", int], None]]] = {
        "A": _up,
        "B": _down,
        "C": _forward,
        "D": _back,
        "J": _erase_down,
        "K": _erase_line,
    }

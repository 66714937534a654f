"""Bytes in any chunks in, lines out; sans-IO, and a line can only grow to a limit."""

#: Longest line of input in bytes, without its end: twice what a message can carry.
LINE_LIMIT = 64 * 1024


class LineSplitter:
    """Splits a stream at newlines; a line longer than `limit` bytes comes out as None, once."""

    def __init__(self, limit: int = LINE_LIMIT) -> None:
        self._limit = limit
        self._start = bytearray()
        self._too_long = False

    def feed(self, chunk: bytes) -> list[str | None]:
        """Take a chunk and return the lines that are complete now."""
        *ends, start = chunk.split(b"\n")
        lines = []
        for end in ends:
            self._grow(end)
            lines.append(self._finish())
        self._grow(start)
        return lines

    def end(self) -> list[str | None]:
        """Return the last line, if the stream ended without a newline."""
        return [self._finish()] if self._start or self._too_long else []

    def _grow(self, part: bytes) -> None:
        if self._too_long:
            return
        self._start += part
        if len(self._start) > self._limit:
            self._too_long = True
            self._start.clear()

    def _finish(self) -> str | None:
        line = None if self._too_long else self._start.removesuffix(b"\r")
        self._too_long = False
        self._start = bytearray()
        return None if line is None else line.decode("utf-8", "replace")

"""Answers to DISCOVER that are written once and given to all who ask in the same second.

What peers have left is told as of the end of the present second (docs/protocols.md, section 1). So
until then an answer stays the same, unless what it lists changes.
"""


class Lines:
    """Lines by the namespace they list, or None if all, as they are until the next second begins.

    They have `max_size` bytes together at the most; what does not fit is not kept.
    """

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        self._size = 0
        self._second = 0
        self._lines: dict[str | None, bytes] = {}

    def __len__(self) -> int:
        return len(self._lines)

    def begin(self, second: int) -> None:
        """Forget what was written for another second to begin than this one."""
        if second != self._second:
            self._second = second
            self._lines.clear()
            self._size = 0

    def get(self, namespace: str | None) -> bytes | None:
        """Return the line that lists a namespace, if it is kept."""
        return self._lines.get(namespace)

    def put(self, namespace: str | None, line: bytes) -> None:
        """Keep a line that was just written, if there is room; it must not be kept yet."""
        if self._size + len(line) <= self._max_size:
            self._lines[namespace] = line
            self._size += len(line)

    def drop(self, namespace: str) -> None:
        """Forget what lists a namespace: something in it has changed."""
        if self._lines:
            self._size -= len(self._lines.pop(namespace, b""))
            self._size -= len(self._lines.pop(None, b""))

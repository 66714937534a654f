"""The trace of a run: what happened when, the same for the same seed."""

import hashlib
from collections import deque


class EventLog:
    """The last lines of the trace, and a digest over all of its lines.

    A line must say nothing that differs between two runs: no id(), no wall clock.
    """

    def __init__(self, lines: int) -> None:
        """Keep that many lines; with 0 lines nothing is recorded, nor is there a digest."""
        self.enabled = lines > 0
        self._lines: deque[str] = deque(maxlen=lines)
        self._hash = hashlib.sha256()

    def add(self, time: float, event: str) -> None:
        """Record one event at that virtual time."""
        if self.enabled:
            line = f"{time:.6f} {event}"
            self._lines.append(line)
            self._hash.update(line.encode("utf-8", "backslashreplace") + b"\n")

    def lines(self) -> list[str]:
        """The lines that are kept, oldest first."""
        return list(self._lines)

    def digest(self) -> str:
        """SHA-256 of all lines ever recorded, also of those that are not kept."""
        return self._hash.hexdigest()

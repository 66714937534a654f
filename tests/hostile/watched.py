"""twistd that also notes, once a second, how many timers its reactor has, and what its memory is.

`python -m tests.hostile.watched FILE ARGUMENT ...`: a line a second in FILE; the rest is twistd's.
"""

import ctypes
import json
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from p2pchat import process
from tests.hostile.scene import JsonNode

#: Seconds between two notes.
PAUSE = 1.0

_FILE = "noted"


class _Malloc(ctypes.Structure):
    """What glibc's mallinfo2() returns; all in bytes but the numbers of pieces."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    )


class WatchedNode(JsonNode):
    """A node whose timers are counted, and whose memory is told apart."""

    def command(self, *arguments: str) -> list[str]:
        watched = [sys.executable, "-m", "tests.hostile.watched", str(self.home / _FILE)]
        return [*watched, "-n", *arguments]

    def noted(self) -> dict[str, float]:
        """Return what it noted last; see Notes."""
        lines = (self.home / _FILE).read_text().splitlines()
        noted: dict[str, float] = json.loads(lines[-1])
        return noted


class Notes:
    """What is told of this process: a number of each, memory in MB.

    `timers` of the reactor; `objects` that Python has; `sqlite`: what SQLite has, its caches above
    all; `malloc`: what is in use of what malloc gave out, that of SQLite too; `free`: what was
    given back to malloc and not to the system. 0 where it cannot be told.
    """

    def __init__(self, clock: object) -> None:
        self._clock = clock
        self._sqlite, self._mallinfo = _sqlite_memory(), _mallinfo()

    def now(self) -> dict[str, float]:
        malloc = self._mallinfo()
        return {
            "timers": len(self._clock.getDelayedCalls()),  # type: ignore[attr-defined]
            "objects": sys.getallocatedblocks(),
            "sqlite": self._sqlite() / 1e6,
            "malloc": (malloc.uordblks + malloc.hblkhd) / 1e6,
            "free": malloc.fordblks / 1e6,
        }


def _sqlite_memory() -> Callable[[], int]:
    import _sqlite3

    with suppress(AttributeError, OSError):
        used = ctypes.CDLL(_sqlite3.__file__).sqlite3_memory_used
        used.restype = ctypes.c_int64
        return used
    return lambda: 0


def _mallinfo() -> Callable[[], Any]:
    with suppress(AttributeError, OSError):
        told = ctypes.CDLL(None).mallinfo2
        told.restype = _Malloc
        return told
    return _Malloc


def main(file: Path, arguments: list[str]) -> None:
    process.install_reactor()
    from twisted.internet import reactor

    clock: object = reactor
    with file.open("w") as notes:
        told = Notes(clock)

        def note() -> None:
            notes.write(json.dumps(told.now()) + "\n")
            notes.flush()
            clock.callLater(PAUSE, note)  # type: ignore[attr-defined]

        reactor.callWhenRunning(note)  # type: ignore[attr-defined]  # as every reactor
        sys.argv = ["twistd", *arguments]
        from twisted.scripts.twistd import run

        run()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])

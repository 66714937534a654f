"""twistd that also notes, once a second, how many timers its reactor has.

`python -m tests.hostile.watched FILE ARGUMENT ...`: a line a second in FILE; the rest is twistd's.
"""

import sys
from pathlib import Path

from p2pchat import process
from tests.hostile.scene import JsonNode

#: Seconds between two notes.
PAUSE = 1.0

_FILE = "timers"


class WatchedNode(JsonNode):
    """A node whose timers are counted."""

    def command(self, *arguments: str) -> list[str]:
        watched = [sys.executable, "-m", "tests.hostile.watched", str(self.home / _FILE)]
        return [*watched, "-n", *arguments]

    @property
    def timers(self) -> int:
        """How many timers its reactor had when it noted that last."""
        return int((self.home / _FILE).read_text().splitlines()[-1])


def main(file: Path, arguments: list[str]) -> None:
    process.install_reactor()
    from twisted.internet import reactor

    clock: object = reactor
    with file.open("w") as notes:

        def note() -> None:
            notes.write(f"{len(clock.getDelayedCalls())}\n")  # type: ignore[attr-defined]
            notes.flush()
            clock.callLater(PAUSE, note)  # type: ignore[attr-defined]

        reactor.callWhenRunning(note)  # type: ignore[attr-defined]  # as every reactor
        sys.argv = ["twistd", *arguments]
        from twisted.scripts.twistd import run

        run()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])

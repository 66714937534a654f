"""Where the time of a burst goes: `python -m benchmarks.hotspots [FILE]`.

Runs a node under cProfile, by twistd's own option, and writes how much of its time is spent in each
of the steps that a message goes through. FILE keeps the profile, for pstats or a viewer.
"""

import pstats
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from benchmarks.burst import MESSAGES, burst
from benchmarks.linux import wait_until_idle
from benchmarks.processes import node

ROUNDS = 5


class Step(NamedTuple):
    """A function, by the end of its file's path and its name, and what it does, with all it calls.

    Steps that are indented are parts of the step above them.
    """

    title: str
    file: str
    function: str


STEPS = (
    Step("take: all that one read brings", "chat/protocol.py", "dataReceived"),
    Step("  decode and check a line", "chat/session.py", "receive"),
    Step("  take new messages, drop seen ones", "chat/router.py", "received"),
    Step("  encode and queue ACKs", "chat/outbound.py", "acknowledge"),
    Step("  write what is queued", "chat/wire.py", "flush"),
    Step("show: in slices, mostly behind the burst", "chat/inbox.py", "_show_some"),
    Step("  log it", "chat/router.py", "_log_text"),
    Step("  print it as JSON", "ui/stream.py", "show_event"),
)


def main(file: Path) -> None:
    """Profile a node under bursts into a file, and print the steps."""
    options = ("--profile", str(file), "--profiler", "cprofile", "--savestats")
    with node("alice", *options) as alice:
        for _ in range(ROUNDS):
            burst(alice)
        wait_until_idle(alice.pid)
    stats = pstats.Stats(str(file))
    for step in STEPS:
        microseconds = _seconds_in(stats, step) / (ROUNDS * MESSAGES) * 1e6
        print(f"{step.title:45}{microseconds:8.2f} us a message")


def _seconds_in(stats: pstats.Stats, step: Step) -> float:
    """Return the time that was spent in a step, what it calls included."""
    entries: dict[tuple[str, int, str], tuple[int, int, float, float, object]] = stats.stats  # type: ignore[attr-defined]  # typeshed leaves it out
    return sum(
        cumulative
        for (file, _, function), (_, _, _, cumulative, _) in entries.items()
        if file.endswith(step.file) and function == step.function
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(Path(sys.argv[1] if len(sys.argv) > 1 else f"{folder}/profile"))

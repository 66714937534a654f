"""Where the time of a burst goes: `python -m benchmarks.hotspots [FILE]`.

Runs a node under cProfile, by twistd's own option, and writes how much of its time is spent in each
of the steps that a message goes through. FILE keeps the profile, for pstats or a viewer.
"""

import argparse
import pstats
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

from benchmarks.burst import MESSAGES, burst
from benchmarks.figures import BenchmarkError
from benchmarks.linux import wait_until_idle
from benchmarks.processes import node

ROUNDS = 5

SUMMARY = "Run a node under bursts, and print where the time of a message goes."


class Step(NamedTuple):
    """A function, by the end of its file's path and its name; indented: part of the one above."""

    title: str
    file: str
    function: str


STEPS = (
    Step("take what a read brings", "chat/protocol.py", "dataReceived"),
    Step("  decode a line and check it", "chat/session.py", "receive"),
    Step("  drop what was seen, keep the rest, and", "chat/router.py", "received"),
    Step("    encode ACKs", "chat/outbound.py", "acknowledge"),
    Step("  write ACKs", "chat/wire.py", "flush"),
    Step("show what was taken", "chat/inbox.py", "_show_some"),
    Step("  log it", "chat/said.py", "log_said"),
    Step("  print it as JSON", "ui/stream.py", "show_event"),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Profile a node under bursts, and print the steps."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hotspots", description=SUMMARY)
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help="keep the profile here")
    kept = parser.parse_args(arguments).file
    with tempfile.TemporaryDirectory() as folder:
        _profile((kept or Path(folder) / "profile").absolute())


def _profile(file: Path) -> None:
    options = ("--profile", str(file), "--profiler", "cprofile", "--savestats")
    with node("alice", *options) as alice:
        for _ in range(ROUNDS):
            burst(alice)
        wait_until_idle(alice.pid)
    stats = pstats.Stats(str(file))
    for step in STEPS:
        microseconds = _seconds_in(stats, step) / (ROUNDS * MESSAGES) * 1e6
        print(f"{step.title:40} {microseconds:7.1f} us a message")


def _seconds_in(stats: pstats.Stats, step: Step) -> float:
    """Return the time that was spent in a step, what it calls included."""
    for (file, _, function), (_, _, _, cumulative, _) in cast(Any, stats).stats.items():
        if file.endswith(step.file) and function == step.function:
            return float(cumulative)
    raise BenchmarkError(f"{step.function} of {step.file} was never called")


if __name__ == "__main__":
    main()

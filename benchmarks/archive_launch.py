"""A node as it is shipped, in a process that also notes what cannot be seen from outside.

    python -m benchmarks.archive_launch FOLDER [--unmined] [--ticks] [--computing] TWISTD-OPTIONS

In FOLDER it writes a line to growths.jsonl each time the archive grows, and at the end the time of
each tick to ticks.bin. While a file `compute` is there, two threads mine and verify.
"""

import argparse
import sys
import time
from array import array
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from unittest.mock import patch

import msgspec
from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall
from twisted.scripts.twistd import run

from benchmarks.archive_chats import accepting_unmined
from benchmarks.archive_threads import Computing
from benchmarks.linux import peak_bytes
from p2pchat import tap
from p2pchat.events import ArchiveGrew, Event
from p2pchat.node import Node

GROWTHS = "growths.jsonl"
TICKS = "ticks.bin"
COMPUTE = "compute"

#: The ticker's interval, in seconds.
TICK = 0.002


class Growth(msgspec.Struct, frozen=True):
    """The archive has just grown: the process's CPU time and the most memory it had until then."""

    height: int
    cpu: float
    peak: int


class Growths:
    """Writes down each growth; the numbers are read before anything else happens."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb", buffering=0)

    def heard(self, event: Event) -> None:
        if isinstance(event, ArchiveGrew):
            growth = Growth(event.height, time.process_time(), peak_bytes("self"))
            self._file.write(msgspec.json.encode(growth) + b"\n")


class Ticker(Service):
    """Notes when it is called, by the clock that all processes share, in seconds."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ticks = array("d")
        self._next: IDelayedCall | None = None

    def startService(self) -> None:
        Service.startService(self)
        self._tick()

    def stopService(self) -> None:
        Service.stopService(self)
        if self._next is not None:
            self._next.cancel()
        self._path.write_bytes(self._ticks.tobytes())

    def _tick(self) -> None:
        from twisted.internet import reactor  # twistd has chosen it by now

        self._ticks.append(time.monotonic())
        self._next = reactor.callLater(TICK, self._tick)


def main() -> None:
    """Run twistd with a node that notes things."""
    parser = argparse.ArgumentParser("benchmarks.archive_launch", allow_abbrev=False)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--unmined", action="store_true", help="take chats that nobody mined")
    parser.add_argument("--ticks", action="store_true", help="run a ticker")
    parser.add_argument("--computing", action="store_true", help="run threads that compute")
    options, twistd_options = parser.parse_known_args()
    sys.argv[1:] = twistd_options
    make_node = partial(_make_watched, tap.makeService, options)
    with ExitStack() as stack:
        # what twistd's plugin calls
        stack.enter_context(patch.object(tap, "makeService", make_node))
        if options.unmined:
            stack.enter_context(accepting_unmined())
        run()


def _make_watched(
    make_node: Callable[[tap.Options], Node], ours: argparse.Namespace, options: tap.Options
) -> Node:
    node = make_node(options)
    node.subscribe(Growths(ours.folder / GROWTHS).heard)
    if ours.ticks:
        Ticker(ours.folder / TICKS).setServiceParent(node)
    if ours.computing:
        Computing(ours.folder / COMPUTE).setServiceParent(node)
    return node


if __name__ == "__main__":
    main()

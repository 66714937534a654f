"""Verifying an archive from nothing, as a link does it: in reads and slices."""

import hashlib
import statistics
import time
from collections.abc import Sequence

from benchmarks.archive_chats import HEIGHT, accepting_unmined, unmined, window
from benchmarks.figures import Baseline, BenchmarkError, Figure, ratio_below
from benchmarks.processes import ROOT
from p2pchat.archive.archive import Archive
from p2pchat.archive.incoming import Incoming
from p2pchat.archive.record import chat_size
from p2pchat.archive.rounds import SLICE
from p2pchat.config import Config

ROUNDS = 7

#: What a transport hands over at a time, in bytes.
READ = 65536

#: So many times the baseline may verifying take.
WANTED_RATIO = 1.5

#: An archive that somebody mined, to see that mined chats take as long: a count and its chats.
MINED = ROOT / "tests" / "data" / "archive_1000.bin"

#: Where each window begins and ends.
Windows = Sequence[tuple[int, int]]

_LIMIT = Config().archive.max_archive_bytes


def measure() -> list[Figure]:
    """Measure 100,000 chats at once, and 1,000 mined ones a hundred times."""
    mined = mined_archive()
    times = HEIGHT // mined.height
    figures = [_figure(f"{times} times {mined.height:,} mined chats", mined, times)]
    with accepting_unmined():
        figures.insert(0, _figure(f"{HEIGHT:,} chats", unmined(HEIGHT, seed=1), 1))
    return figures


def _figure(what: str, archive: Archive, times: int) -> Figure:
    """Measure rounds, after one that does not count; take the middle ones."""
    windows = [window(archive, index) for index in range(archive.height)]
    rounds = [_round(archive, windows, times) for _ in range(ROUNDS + 1)][1:]
    ours, theirs = (statistics.median(column) for column in zip(*rounds, strict=True))
    baseline = Baseline("hashlib.md5 of each window", theirs)
    return Figure(f"verify {what}: CPU", "s", ours, baseline, ratio_below(WANTED_RATIO))


def _round(archive: Archive, windows: Windows, times: int) -> tuple[float, float]:
    """Return the seconds of CPU time of verifying an archive so many times, and of only hashing.

    The two alternate read by read, for a machine seldom stays as fast as it is.
    """
    ours = theirs = 0.0
    view = archive.view()
    for _ in range(times):
        incoming, hashed = Incoming(archive.height, Archive(), _LIMIT), 0
        for start in range(0, len(view), READ):
            arrived = archive.height_at(start + READ)
            began = time.process_time()
            _take(incoming, view[start : start + READ])
            between = time.process_time()
            _hash(view, windows[hashed:arrived])
            theirs += time.process_time() - between
            ours += between - began
            hashed = arrived
        if not incoming.useful:
            raise BenchmarkError(f"chat {incoming.invalid} is not valid")
    return ours, theirs


def _take(incoming: Incoming, data: memoryview) -> None:
    incoming.feed(data)
    while incoming.unverified:
        incoming.verify(SLICE)


def _hash(view: memoryview, windows: Windows) -> None:
    for start, end in windows:
        hashlib.md5(view[start:end])


def mined_archive() -> Archive:
    """Return the 1,000 chats that somebody mined."""
    data = MINED.read_bytes()[4:]
    offsets = [0]
    while offsets[-1] < len(data):
        offsets.append(offsets[-1] + chat_size(data, offsets[-1]))
    return Archive(data, offsets)

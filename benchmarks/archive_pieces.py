"""Reading archives in small pieces: does a longer one cost more than in proportion?"""

import statistics
import time

from benchmarks.archive_chats import HEIGHT, accepting_unmined, message, unmined
from benchmarks.figures import Baseline, BenchmarkError, Figure, ratio_below
from p2pchat.archive.archive import Archive
from p2pchat.archive.codec import ArchiveSink, Framer
from p2pchat.archive.incoming import Incoming
from p2pchat.archive.rounds import SLICE
from p2pchat.config import Config

ROUNDS = 5

#: Bytes that come at a time: chats of 70 bytes are cut nearly everywhere.
PIECE = 100

#: How many times longer the one is than the other.
TIMES = 4

#: So much more than in proportion it may cost.
WANTED_RATIO = 1.25

_LIMIT = Config().archive.max_archive_bytes


class _Listener:
    """Takes an archive."""

    def __init__(self) -> None:
        self.incoming = Incoming(0, Archive(), _LIMIT)

    def archive_begins(self, count: int) -> ArchiveSink:
        self.incoming = Incoming(count, Archive(), _LIMIT)
        return self.incoming

    def archive_ends(self, sink: ArchiveSink) -> None: ...
    def peer_request(self) -> None: ...
    def peer_list(self, addresses: list[str]) -> None: ...
    def archive_request(self) -> None: ...
    def notification(self, text: bytes) -> None: ...
    def identification(self, address: str) -> None: ...


def measure() -> list[Figure]:
    """Measure by turns, after a round that does not count; take the middle ones."""
    with accepting_unmined():
        longer = unmined(HEIGHT, seed=1)
        shorter = longer.truncated(HEIGHT // TIMES)
        rounds = [(_read(longer), _read(shorter)) for _ in range(ROUNDS + 1)][1:]
    ours, theirs = (statistics.median(column) for column in zip(*rounds, strict=True))
    name = f"read {HEIGHT:,} chats in pieces of {PIECE} bytes: CPU"
    baseline = Baseline(f"{TIMES} times {shorter.height:,} chats", TIMES * theirs)
    return [Figure(name, "s", ours, baseline, ratio_below(WANTED_RATIO))]


def _read(archive: Archive) -> float:
    """Return the seconds of CPU time of taking and verifying an archive piece by piece."""
    data, listener = memoryview(message(archive)), _Listener()
    framer = Framer(listener, accepted=False)
    began = time.process_time()
    for start in range(0, len(data), PIECE):
        framer.feed(data[start : start + PIECE])
        while listener.incoming.unverified:
            listener.incoming.verify(SLICE)
    taken = time.process_time() - began
    if not listener.incoming.useful:
        raise BenchmarkError(f"chat {listener.incoming.invalid} is not valid")
    return taken

"""A node with a long history starts: when does it answer, and does its reactor wait meanwhile?"""

import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.burst import MESSAGES, burst
from benchmarks.figures import Baseline, BenchmarkError, Figure, below
from benchmarks.history_build import Built, build
from benchmarks.history_nodes import HistoryNode, history_node
from benchmarks.history_texts import Talk
from benchmarks.history_ticker import WANTED_GAP, longest_gap

ROUNDS = 5
CRASHES = 3

#: How long a node that has answered is watched, as it checks and indexes its file; in seconds.
WATCHED = 2.0

#: What is asked first, and how many messages the answer has.
ASKED = 50
QUESTION = f"/history bob {ASKED}"

#: How much later than a node with an empty store it may answer, in seconds.
WANTED_LATER = 0.5


class Start(NamedTuple):
    """Seconds from starting the process to the first answer; milliseconds of the longest gap."""

    seconds: float
    gap: float


def measure(built: Built, talk: Talk) -> Iterator[Figure]:
    """Start by turns with the history and with an empty one, which knows the same peer."""
    with tempfile.TemporaryDirectory() as name:
        empty = build(Path(name, "empty"), talk, 0)
        after_end, without = [], []
        for _ in range(ROUNDS + 1):
            after_end.append(_start(built, ASKED))
            without.append(_start(empty, 0))
    # the first fill the caches
    yield from _figures("a clean end", _middle(after_end[1:]), _middle(without[1:]))
    yield from _figures("kill -9", _middle(list(_crashes(built))), _middle(without[1:]))


def _figures(after: str, ours: Start, theirs: Start) -> Iterator[Figure]:
    baseline, bound = Baseline("empty store", theirs.seconds), theirs.seconds + WANTED_LATER
    yield Figure(f"start to first answer, after {after}", "s", ours.seconds, baseline, below(bound))
    name = f"2 ms ticker, start after {after}: longest gap"
    yield Figure(name, "ms", ours.gap, Baseline("empty store", theirs.gap), below(WANTED_GAP))


def _start(built: Built, answers: int) -> Start:
    with _started(built, answers) as (node, seconds, until):
        pass
    return Start(seconds, longest_gap(node.ticks, end=until))


def _crashes(built: Built) -> Iterator[Start]:
    """Kill a node as soon as it has acknowledged a burst; start it, and look for the burst."""
    for _ in range(CRASHES):
        with history_node(built.folder) as node:
            node.first_answer(QUESTION)
            burst(node)
            node.kill()
        with _started(built, ASKED) as (node, seconds, until):
            kept = node.ask("/unread")["total"]
            if kept != MESSAGES:
                raise BenchmarkError(f"{kept} of {MESSAGES} messages were kept that got an ACK")
        yield Start(seconds, longest_gap(node.ticks, end=until))


@contextmanager
def _started(built: Built, answers: int) -> Iterator[tuple[HistoryNode, float, float]]:
    """Start a node; yield it, the time of its answer, and until when its starting is watched."""
    with history_node(built.folder, ticks=True) as node:
        seconds, data = node.first_answer(QUESTION)
        if len(data) != answers:
            raise BenchmarkError(f"{QUESTION} is answered by {len(data)} messages")
        time.sleep(WATCHED)
        yield node, seconds, time.monotonic()


def _middle(starts: list[Start]) -> Start:
    """Take the middle time, and the longest gap of the best start."""
    seconds = statistics.median(start.seconds for start in starts)
    return Start(seconds, min(start.gap for start in starts))

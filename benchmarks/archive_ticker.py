"""A ticker in the reactor of a node: how long does it wait while the node mines or verifies?"""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import pairwise
from typing import NamedTuple

from benchmarks.archive_chats import HEIGHT, unmined
from benchmarks.archive_loads import REST, mine, receive, rest, verify_again
from benchmarks.archive_nodes import archive_node
from benchmarks.archive_peer import ArchivePeer
from benchmarks.figures import Baseline, Figure, below

ROUNDS = 3

#: How long a load is watched on, in seconds: the tick behind it tells how long the last gap was.
MARGIN = 0.05

#: Chats of the node's own, which each archive that replaces another may hold or not.
OURS = 20

#: The longest gap between two ticks, in milliseconds.
WANTED_GAP = 10

#: How much later than at rest the 99th percentile may be while two threads compute, in ms.
WANTED_LATENESS = 1

#: When a load began and when it had ended, by time.monotonic().
Span = tuple[float, float]


class Gaps(NamedTuple):
    """Milliseconds from one tick to the next."""

    p99: float
    longest: float


def measure() -> list[Figure]:
    """Measure a node that mines, verifies, or has threads that do both, beside itself at rest."""
    return [*_while_mining(), *_while_verifying(), *_while_computing()]


def _while_mining() -> Iterator[Figure]:
    with archive_node(unmined=False, ticks=True) as node:
        spans = [(_span(rest), _span(partial(mine, node))) for _ in range(ROUNDS)]
        resting, mining = zip(*spans, strict=True)
    yield from _figures("mining", node.ticks, mining, resting)


def _while_verifying() -> Iterator[Figure]:
    spans = []
    with archive_node(ticks=True) as node, closing(ArchivePeer(node.port, "127.0.0.3")) as peer:
        mine(node, OURS)
        for number in range(ROUNDS):
            # each longer than the one before with all of ours, which come on top again
            archive = unmined(HEIGHT + 4 * OURS * number, seed=number)
            base = archive.truncated(archive.height - 1)
            longer = unmined(archive.height + 2 * OURS, number + 1, base)
            loads: list[Callable[[], None]] = [rest, partial(verify_again, node)]
            loads[1:1] = (partial(receive, node, peer, other) for other in (archive, longer))
            spans.append([_span(load) for load in loads])
    resting, received, replaced, verified = zip(*spans, strict=True)
    name = f"verifying {HEIGHT:,} chats"
    yield from _figures(f"{name} as they come", node.ticks, received, resting)
    yield from _figures("replacing the last of them", node.ticks, replaced, resting)
    yield from _figures(f"{name} by /val", node.ticks, verified, resting)


def _while_computing() -> Iterator[Figure]:
    with archive_node(ticks=True, computing=True) as node:
        compute = partial(node.compute, REST)
        spans = [(_span(rest), _span(compute)) for _ in range(ROUNDS)]
    resting, computing = zip(*spans, strict=True)
    figures = list(_figures("two threads mine and verify", node.ticks, computing, resting))
    p99 = figures[0]
    later = p99.ours - p99.baseline.value
    yield from figures
    yield Figure(
        f"{p99.name} later than at rest", "ms", later, p99.baseline, below(WANTED_LATENESS)
    )


def _span(load: Callable[[], None]) -> Span:
    started = time.monotonic()
    load()
    time.sleep(MARGIN)
    return started, time.monotonic()


def _figures(
    name: str, ticks: Sequence[float], busy: Sequence[Span], resting: Sequence[Span]
) -> Iterator[Figure]:
    """Take the 99th percentile of the middle round, and the longest gap of the best one."""
    rounds = tuple([_gaps(ticks, span) for span in spans] for spans in (busy, resting))
    p99, rest_p99 = (statistics.median(gaps.p99 for gaps in one) for one in rounds)
    longest, rest_longest = (min(gaps.longest for gaps in one) for one in rounds)
    worst, rest_worst = (max(gaps.longest for gaps in one) for one in rounds)
    what, wanted = f"2 ms ticker, {name}", below(WANTED_GAP)
    yield Figure(f"{what}: p99", "ms", p99, Baseline("at rest", rest_p99))
    yield Figure(f"{what}: longest gap", "ms", longest, Baseline("at rest", rest_longest), wanted)
    yield Figure(f"{what}: in the worst round", "ms", worst, Baseline("at rest", rest_worst))


def _gaps(ticks: Sequence[float], span: Span) -> Gaps:
    within = [tick for tick in ticks if span[0] <= tick <= span[1]]
    gaps = [(after - before) * 1000 for before, after in pairwise(within)]
    return Gaps(statistics.quantiles(gaps, n=100, method="inclusive")[98], max(gaps))

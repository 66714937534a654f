"""A PeerRequest answered by a PeerList: how long does a peer wait while the node works?"""

import statistics
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from typing import NamedTuple

from benchmarks.archive_chats import HEIGHT, unmined
from benchmarks.archive_loads import mine, receive, rest
from benchmarks.archive_nodes import archive_node
from benchmarks.archive_peer import ArchivePeer
from benchmarks.figures import Baseline, BenchmarkError, Figure, below

ROUNDS = 5

#: Questions that a round needs, for a 99th percentile to be one.
LEAST = 100

#: The 99th percentile has to stay below this, in milliseconds.
WANTED_P99 = 5


class Waits(NamedTuple):
    """Milliseconds from a question to its answer."""

    p50: float
    p99: float


def measure() -> list[Figure]:
    """Ask a node that mines, then one that verifies, each at rest between; take middle rounds."""
    return [*_while_mining(), *_while_verifying()]


def _while_mining() -> Iterator[Figure]:
    with archive_node(unmined=False) as node, closing(ArchivePeer(node.port, "127.0.0.4")) as asker:
        rounds = [(_ask(asker, rest), _ask(asker, partial(mine, node))) for _ in range(ROUNDS)]
    resting, mining = zip(*rounds, strict=True)
    yield from _figures("mining", mining, resting)


def _while_verifying() -> Iterator[Figure]:
    archives = [unmined(HEIGHT + number, seed=number) for number in range(ROUNDS)]
    rounds = []
    with (
        archive_node() as node,
        closing(ArchivePeer(node.port, "127.0.0.3")) as sender,
        closing(ArchivePeer(node.port, "127.0.0.4")) as asker,
    ):
        for archive in archives:
            verify = partial(receive, node, sender, archive)
            rounds.append((_ask(asker, rest), _ask(asker, verify)))
            asker.wait_for_height(archive.height)
    resting, verifying = zip(*rounds, strict=True)
    yield from _figures(f"verifying {HEIGHT:,} chats", verifying, resting)


def _ask(asker: ArchivePeer, load: Callable[[], None]) -> Waits:
    """Ask again and again while the node is under a load."""
    waits = []
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(load)
        while not loading.done():
            waits.append(asker.ask() * 1000)
        loading.result()
    if len(waits) < LEAST:
        raise BenchmarkError(f"only {len(waits)} questions were answered in a round")
    cuts = statistics.quantiles(waits, n=100, method="inclusive")
    return Waits(cuts[49], cuts[98])


def _figures(name: str, busy: Iterable[Waits], resting: Iterable[Waits]) -> Iterator[Figure]:
    ours, theirs = (_middle(rounds) for rounds in (busy, resting))
    what = f"PeerRequest to PeerList, {name}"
    yield Figure(f"{what}: p50", "ms", ours.p50, Baseline("at rest", theirs.p50))
    yield Figure(f"{what}: p99", "ms", ours.p99, Baseline("at rest", theirs.p99), below(WANTED_P99))


def _middle(rounds: Iterable[Waits]) -> Waits:
    return Waits(*(statistics.median(column) for column in zip(*rounds, strict=True)))

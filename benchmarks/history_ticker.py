"""A ticker in the reactor of a node: how long does it wait while the history is busy?"""

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

from benchmarks.archive_loads import rest
from benchmarks.burst import MESSAGES
from benchmarks.figures import Baseline, Figure, below
from benchmarks.history_nodes import HistoryNode, history_node
from benchmarks.history_texts import ME
from benchmarks.raw_peer import RawPeer
from p2pchat.chat.codec import encode
from p2pchat.chat.messages import Send

ROUNDS = 3

#: How long a load is watched on, in seconds: the tick behind it tells how long the last gap was.
MARGIN = 0.05

#: How long a node indexes a burst, and drops as much that is old, behind it, in seconds at most.
SETTLE = 2.0

AT_REST = "at rest"

#: The longest gap between two ticks, in milliseconds.
WANTED_GAP = 10

#: What keeps the node busy.
Load = Callable[[HistoryNode], object]


def longest_gap(ticks: Sequence[float], start: float = 0.0, end: float = float("inf")) -> float:
    """Return the milliseconds of the longest gap between two ticks of that time."""
    within = [tick for tick in ticks if start <= tick <= end]
    return max(after - before for before, after in pairwise(within)) * 1000


def measure(folder: Path, loads: dict[str, Load]) -> Iterator[Figure]:
    """Put the loads on a node by turns, each behind a rest; report the best round of each."""
    gaps = _gaps(folder, loads)
    resting = Baseline("at rest", min(gaps.pop(AT_REST)))
    for name, rounds in gaps.items():
        what = f"2 ms ticker, {name}: longest gap"
        yield Figure(what, "ms", min(rounds), resting, below(WANTED_GAP))


def keep_a_burst(node: HistoryNode) -> None:
    """Send a burst and wait until all of it is shown, and indexed."""
    shown = node.count("message")
    peer = RawPeer(node.port)
    sends = (Send(str(uuid4()), peer.peer_id, ME, f"number {n}") for n in range(MESSAGES))
    peer.burst(b"".join(map(encode, sends)), MESSAGES)
    while node.count("message") < shown + MESSAGES:
        time.sleep(MARGIN)
    peer.close()
    time.sleep(SETTLE)


def asking(commands: Sequence[str]) -> Load:
    """Return a load that asks one question after another."""
    return lambda node: [node.ask(command) for command in commands]


def _gaps(folder: Path, loads: dict[str, Load]) -> dict[str, list[float]]:
    loads = {AT_REST: lambda _: rest(), **loads}
    spans: dict[str, list[tuple[float, float]]] = {name: [] for name in loads}
    with history_node(folder, ticks=True) as node:
        node.first_answer("/unread")
        time.sleep(SETTLE)
        for _ in range(ROUNDS):
            for name, load in loads.items():
                spans[name].append(_span(load, node))
    return {
        name: [longest_gap(node.ticks, *span) for span in rounds] for name, rounds in spans.items()
    }


def _span(load: Load, node: HistoryNode) -> tuple[float, float]:
    started = time.monotonic()
    load(node)
    time.sleep(MARGIN)
    return started, time.monotonic()

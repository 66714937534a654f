"""A burst of SENDs that are kept: how much slower are they acknowledged than without a disk?"""

import statistics
import tempfile
from collections.abc import Iterable
from pathlib import Path

from benchmarks.burst import MESSAGES, Rate, burst
from benchmarks.figures import Baseline, BenchmarkError, Figure, ratio_at_least
from benchmarks.history_nodes import HistoryNode, history_node
from benchmarks.linux import wait_until_idle

ROUNDS = 11
WANTED_RATIO = 0.5


def measure() -> list[Figure]:
    """Measure rounds by turns, after one of each that does not count; report the middle ones."""
    with tempfile.TemporaryDirectory() as name:
        kept, not_kept = Path(name, "kept"), Path(name, "not-kept")
        with history_node(kept) as node, history_node(not_kept, "--ephemeral") as baseline:
            rounds = [(burst(node), burst(baseline)) for _ in range(ROUNDS + 1)][1:]
            for server in (node, baseline):
                _check(server, (ROUNDS + 1) * MESSAGES)
    ours, theirs = (_middle(rates) for rates in zip(*rounds, strict=True))
    name = f"burst of {MESSAGES:,} SENDs, kept"
    wall, cpu = (Baseline("--ephemeral", value) for value in theirs)
    return [
        Figure(f"{name}: rate of ACKs", "1/s", ours.wall, wall, ratio_at_least(WANTED_RATIO)),
        Figure(f"{name}: by CPU time", "1/s", ours.cpu, cpu),
    ]


def _middle(rates: Iterable[Rate]) -> Rate:
    return Rate(*(statistics.median(column) for column in zip(*rates, strict=True)))


def _check(node: HistoryNode, wanted: int) -> None:
    """Make sure that the node has not only acknowledged the messages, but kept and shown them."""
    wait_until_idle(node.pid)
    kept, shown = node.ask("/unread")["total"], node.count("message")
    if (kept, shown) != (wanted, wanted):
        raise BenchmarkError(f"{kept} messages were kept and {shown} shown, of {wanted}")

"""From starting the process to `ready`: how long does a user wait?"""

import statistics

from benchmarks.figures import Baseline, Figure, below
from benchmarks.processes import node, trivial

ROUNDS = 7

#: A node has to be ready within this time, in seconds.
WANTED_SECONDS = 1.5


def measure() -> list[Figure]:
    """Start by turns, after one of each that fills the caches; report the middle ones."""
    rounds = [_start_both() for _ in range(ROUNDS + 1)][1:]
    ours, theirs = (statistics.median(column) for column in zip(*rounds, strict=True))
    baseline = Baseline("twistd, trivial service", theirs)
    return [Figure("start to ready", "s", ours, baseline, below(WANTED_SECONDS))]


def _start_both() -> tuple[float, float]:
    with node("alice") as alice:
        ours = alice.seconds
    with trivial() as baseline:
        return ours, baseline.seconds

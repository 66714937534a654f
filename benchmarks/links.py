"""A thousand links: are they held and reached, and what do they cost while nobody talks?

The baseline is a second node without a link, which is measured at the same time.
"""

import contextlib
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.crowd import TIMEOUT, Crowd
from benchmarks.figures import Baseline, Figure, at_least, below
from benchmarks.linux import cpu_seconds, resident_bytes
from benchmarks.processes import Server, node
from p2pchat.config import Config

LINKS = 1000

#: The quiet time that is measured, in seconds: every link is PINGed exactly once in it.
QUIET = Config().connection.ping_interval

#: How long a node has to come to rest after what was said, in seconds.
SETTLE = 1.0

WANTED_MEGABYTES = 100
WANTED_CPU_PERCENT = 5

_TEXT = "good morning, everybody"


class Cost(NamedTuple):
    """What a node costs while nobody talks: memory in RAM, and part of one core."""

    megabytes: float
    cpu_percent: float


def measure() -> list[Figure]:
    """Link the crowd, publish once, then watch both nodes while nobody talks."""
    with node("alone") as alone, node("alice") as alice, contextlib.closing(Crowd()) as crowd:
        crowd.join(alice.port, LINKS)
        alice.say(f"/pub * {_TEXT}")
        seconds = crowd.live(TIMEOUT, lambda: crowd.reached(_TEXT) == LINKS)
        reached = crowd.reached(_TEXT)
        crowd.live(SETTLE)
        ours, theirs = _costs_at_rest(crowd, [alice, alone])
        held = min(crowd.held, len(alice.ask("/conn")))
    return [
        Figure("links held", "", held, wanted=at_least(LINKS)),
        Figure("links reached by one /pub", "", reached, wanted=at_least(LINKS)),
        Figure("/pub to all links: the last has it after", "ms", seconds * 1000),
        *_cost_figures(ours, theirs),
    ]


def _costs_at_rest(crowd: Crowd, nodes: Sequence[Server]) -> list[Cost]:
    """Watch nodes for QUIET seconds, while the crowd answers their PINGs and does nothing else."""
    before = [cpu_seconds(node.pid) for node in nodes]
    seconds = crowd.live(QUIET)
    used = [cpu_seconds(node.pid) - start for node, start in zip(nodes, before, strict=True)]
    return [
        Cost(resident_bytes(node.pid) / 1e6, cpu / seconds * 100)
        for node, cpu in zip(nodes, used, strict=True)
    ]


def _cost_figures(ours: Cost, theirs: Cost) -> list[Figure]:
    name = f"{LINKS:,} links at rest"
    return [
        Figure(
            f"{name}: memory",
            "MB",
            ours.megabytes,
            Baseline("node without a link", theirs.megabytes),
            below(WANTED_MEGABYTES),
        ),
        Figure(
            f"{name}: CPU",
            "% of a core",
            ours.cpu_percent,
            Baseline("node without a link", theirs.cpu_percent),
            below(WANTED_CPU_PERCENT),
        ),
    ]

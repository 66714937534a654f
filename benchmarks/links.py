"""A thousand links: are they held and reached, and what do they cost while nobody talks?

At rest the baseline is a second node without a link, which is measured at the same time; before, it
is the bare server with as many links, which writes one line to each.
"""

import contextlib
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.crowd import TIMEOUT, Crowd
from benchmarks.figures import Baseline, Figure, at_least, below
from benchmarks.linux import cpu_seconds, resident_bytes
from benchmarks.processes import Server, bare, node
from benchmarks.raw_peer import RawPeer
from p2pchat.chat.codec import encode
from p2pchat.chat.messages import Pub
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
    least = _bare()
    reach = Figure(
        "links reached by one /pub", "", reached, _of_bare(least.reached), at_least(LINKS)
    )
    return [
        Figure("links held", "", held, _of_bare(least.held), at_least(LINKS)),
        reach,
        Figure(
            *("/pub to all links: the last has it after", "ms", seconds * 1000),
            _of_bare(least.seconds * 1000),
        ),
        *_cost_figures(ours, theirs),
    ]


class Reach(NamedTuple):
    """How many links there were, how many heard a publication, and after how many seconds."""

    held: int
    reached: int
    seconds: float


def _bare() -> Reach:
    """Link a crowd to the server that only writes, and publish once."""
    with bare() as server, contextlib.closing(Crowd()) as crowd:
        crowd.join(server.port, LINKS)
        peer = RawPeer(server.port)
        peer.say(encode(Pub("publication", peer.peer_id, "*", _TEXT)))
        seconds = crowd.live(TIMEOUT, lambda: crowd.reached(_TEXT) == LINKS)
        return Reach(crowd.held, crowd.reached(_TEXT), seconds)


def _of_bare(value: float) -> Baseline:
    return Baseline("bare server", value)


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

"""PING answered by PONG: how long does the other side wait?"""

import statistics

from benchmarks.figures import Baseline, Figure, below
from benchmarks.linux import wait_until_idle
from benchmarks.processes import Server, bare, node
from benchmarks.raw_peer import RawPeer

EXCHANGES = 500
ROUNDS = 11

#: The 99th percentile has to stay below this, in milliseconds.
WANTED_P99 = 1.0


def round_trips(server: Server) -> tuple[float, float]:
    """Return the 50th and 99th percentile of EXCHANGES PINGs, one by one, in milliseconds."""
    wait_until_idle(server.pid)
    peer = RawPeer(server.port)
    times = [peer.ping() * 1000 for _ in range(EXCHANGES)]
    peer.close()
    cuts = statistics.quantiles(times, n=100, method="inclusive")
    return cuts[49], cuts[98]


def measure() -> list[Figure]:
    """Measure rounds by turns, after one of each that does not count; report the middle ones."""
    with bare() as baseline, node("alice") as alice:
        rounds = [(round_trips(alice), round_trips(baseline)) for _ in range(ROUNDS + 1)][1:]
    figures = []
    for index, (name, wanted) in enumerate((("p50", None), ("p99", below(WANTED_P99)))):
        ours, theirs = (
            statistics.median(trips[index] for trips in column)
            for column in zip(*rounds, strict=True)
        )
        baseline_value = Baseline("bare server", theirs)
        figures.append(Figure(f"PING to PONG: {name}", "ms", ours, baseline_value, wanted))
    return figures

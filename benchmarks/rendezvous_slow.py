"""2,000 clients that drip a byte every two seconds: how long do the others wait?

The server has its default settings, the rate limit too: all come from as many addresses as these
bounds ask for.
"""

import os
import statistics
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.figures import Baseline, BenchmarkError, Figure, below
from benchmarks.processes import Server, running
from benchmarks.rendezvous_client import ask
from benchmarks.rendezvous_peers import Peer, make_peers, mixed
from benchmarks.rendezvous_servers import service

DRIPPERS = 2000
PEERS = 10_000

#: The 99th percentile has to stay below this, in milliseconds.
WANTED_P99 = 50.0

#: Longer than two times the deadline by which the server sends those away who drip, in seconds.
DRIPPING_TIME = 12.0
QUIET_TIME = 4.0

# Between an answer and the next request, in seconds: 64 addresses stay within the rate limit.
_PAUSE = 0.01


class Waits(NamedTuple):
    """Of all requests, in milliseconds; `held` is the fewest files that the server had open."""

    p50: float
    p99: float
    longest: float
    held: int


def measure() -> list[Figure]:
    """Ask for a while with nobody else there, then among those who drip."""
    peers = make_peers(PEERS)
    with service(peers, options=()) as server:
        quiet = _ask_for(server, peers, QUIET_TIME)
        script = ("-m", "benchmarks.rendezvous_drippers", str(server.port), str(DRIPPERS))
        with running(sys.executable, *script):
            among = _ask_for(server, peers, DRIPPING_TIME)
    name = f"request among {DRIPPERS:,} clients that drip"
    return [
        Figure(f"{name}: p50", "ms", among.p50, Baseline("alone", quiet.p50)),
        Figure(f"{name}: p99", "ms", among.p99, Baseline("alone", quiet.p99), below(WANTED_P99)),
        Figure(f"{name}: longest", "ms", among.longest, Baseline("alone", quiet.longest)),
        Figure(
            *("clients that drip, at the least", "", among.held - quiet.held),
            Baseline("begun", DRIPPERS),
        ),
    ]


def _ask_for(server: Server, peers: Sequence[Peer], seconds: float) -> Waits:
    """Register and ask for a namespace by turns, one after another."""
    waits, held = [], []
    deadline = time.monotonic() + seconds
    for number, peer in enumerate(mixed(peers, 1 << 30)):
        request = peer.discover() if number % 2 else peer.register()
        started = time.perf_counter()
        answer = ask(server.port, request)
        waits.append((time.perf_counter() - started) * 1000)
        if not answer.startswith(b'{"status": "OK"'):
            raise BenchmarkError(f"wrong answer: {answer[:100]!r}")
        held.append(len(os.listdir(f"/proc/{server.pid}/fd")))
        if time.monotonic() > deadline:
            break
        time.sleep(_PAUSE)
    cuts = statistics.quantiles(waits, n=100, method="inclusive")
    return Waits(cuts[49], cuts[98], max(waits), min(held))

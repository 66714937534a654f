"""The same requests to a server that keeps its registrations in Redis."""

import shutil
import sys
from contextlib import ExitStack

from benchmarks.figures import Baseline, Figure
from benchmarks.rendezvous_peers import Peer, make_peers
from benchmarks.rendezvous_requests import PEERS
from benchmarks.rendezvous_rounds import Question, measure_round, middle
from benchmarks.rendezvous_servers import redis, service

PROGRAM = "redis-server"
ROUNDS = 3

_KINDS: tuple[tuple[str, Question, int], ...] = (
    ("REGISTER", Peer.register, 2000),
    ("DISCOVER of one namespace", Peer.discover, 600),
)


def measure() -> list[Figure]:
    """Measure rounds by turns with a server that has a file; nothing if there is no Redis."""
    program = shutil.which(PROGRAM)
    if program is None:
        print(f"there is no {PROGRAM} here: skipped", file=sys.stderr)
        return []
    peers = make_peers(PEERS)
    with ExitStack() as stack:
        place = stack.enter_context(redis(program))
        shared, file = (stack.enter_context(service(peers, name)) for name in (place, "sqlite"))
        figures = []
        for title, question, count in _KINDS:
            rounds = [
                tuple(
                    measure_round(server, peers, question, count, turn, in_file=server is file)
                    for server in (shared, file)
                )
                for turn in range(ROUNDS + 1)
            ][1:]
            ours, theirs = (middle(column) for column in zip(*rounds, strict=True))
            figures += [
                Figure(f"{title}, redis", "1/s", ours.rate, Baseline("sqlite", theirs.rate)),
                Figure(
                    f"{title}, redis: by CPU time",
                    "1/s",
                    1 / ours.cpu,
                    Baseline("sqlite", 1 / theirs.cpu),
                ),
            ]
    return figures

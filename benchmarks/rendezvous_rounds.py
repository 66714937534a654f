"""One round of requests to one server: how many a second, and what each costs the server."""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from benchmarks.figures import BenchmarkError
from benchmarks.linux import cpu_seconds, wait_until_idle
from benchmarks.processes import Server
from benchmarks.rendezvous_client import Answers, Request, ask, ask_many
from benchmarks.rendezvous_peers import Peer, mixed
from p2pchat.rendezvous.sqlite_registry import WRITE_TIME

#: What a peer asks.
Question: TypeAlias = Callable[[Peer], Request]

# A write behind the last request has begun by then, in seconds.
_WRITTEN = WRITE_TIME + 0.2


class Round(NamedTuple):
    """Requests a second of a clock; seconds of processor time that each cost the server.

    `client_share` is the part of a core that the client was busy meanwhile.
    """

    rate: float
    cpu: float
    client_share: float


def measure_round(
    server: Server,
    peers: Sequence[Peer],
    question: Question,
    count: int,
    number: int,
    *,
    in_file: bool = False,
) -> Round:
    """Have an idle server asked `count` times by different peers, other ones in each round.

    With `in_file` it writes to a file a second later, which counts as its processor time too.
    """
    length = answer_length(server, peers, question)
    wait_until_idle(server.pid)
    asking = [question(peer) for peer in mixed(peers, count, number * count)]
    used = cpu_seconds(server.pid)
    answers = ask_many(server.port, asking, length)
    if in_file and question is Peer.register:
        time.sleep(_WRITTEN)
    wait_until_idle(server.pid)
    used = cpu_seconds(server.pid) - used
    _check(answers, count, length)
    return Round(count / answers.seconds, used / count, answers.cpu_seconds / answers.seconds)


def answer_length(server: Server, peers: Sequence[Peer], question: Question) -> int:
    """Ask once to know how long an answer is, in bytes."""
    return len(ask(server.port, question(peers[0])))


def middle(rounds: Sequence[Round]) -> Round:
    """Return the median of each column."""
    return Round(*(statistics.median(column) for column in zip(*rounds, strict=True)))


def _check(answers: Answers, count: int, length: int) -> None:
    """Make sure that each was answered in full: answers differ by some digits only."""
    if len(answers.lengths) != count:
        raise BenchmarkError(f"{len(answers.lengths)} of {count} requests were answered")
    for found in answers.lengths:
        if abs(found - length) > 0.05 * length:
            raise BenchmarkError(f"an answer has {found} bytes, the first one had {length}")

"""Requests to a rendezvous server, one a connection, by 64 clients at a time: how many a second?"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import NamedTuple

from benchmarks.figures import Baseline, Figure, Wanted, ratio_at_least
from benchmarks.processes import Server
from benchmarks.rendezvous_peers import Peer, make_peers
from benchmarks.rendezvous_rounds import Question, Round, answer_length, measure_round, middle
from benchmarks.rendezvous_servers import bare, reference, service

PEERS = 10_000

#: This part of what a server can do that only answers is wanted of ours.
WANTED_OF_BARE = 0.6

#: The reference is so much slower that it has only so many rounds that count, the first ones.
REFERENCE_ROUNDS = 2

_REGISTRIES = ("sqlite", "memory")


class Kind(NamedTuple):
    """A kind of request, and how often it is asked in a round, and in one of the reference.

    `wanted` is how many times the reference's rate ours has to be.
    """

    title: str
    question: Question
    rounds: int
    requests: int
    reference_requests: int
    wanted: float
    wanted_of_bare: Wanted | None


_OF_BARE = ratio_at_least(WANTED_OF_BARE)

KINDS = (
    Kind("REGISTER", Peer.register, 7, 3000, 64, 50, _OF_BARE),
    Kind("DISCOVER of one namespace", Peer.discover, 7, 1500, 128, 50, _OF_BARE),
    Kind("DISCOVER of all", Peer.discover_all, 2, 64, 64, 10, None),
)


def measure() -> list[Figure]:
    """Measure rounds by turns, after one of each that does not count; report the middle ones."""
    peers = make_peers(PEERS)
    with ExitStack() as stack:
        servers = {name: stack.enter_context(service(peers, name)) for name in _REGISTRIES}
        servers["reference"] = stack.enter_context(reference(peers))
        figures: list[Figure] = []
        for kind in KINDS:
            size = answer_length(servers["memory"], peers, kind.question)
            with bare(size) as baseline:
                found = _by_turns({**servers, "bare": baseline}, peers, kind)
            figures += _figures(kind, found)
    return figures


def _by_turns(servers: Mapping[str, Server], peers: list[Peer], kind: Kind) -> dict[str, Round]:
    rounds: dict[str, list[Round]] = {name: [] for name in servers}
    for number in range(kind.rounds + 1):
        for name, server in servers.items():
            is_reference, in_file = name == "reference", name == "sqlite"
            if is_reference and number > REFERENCE_ROUNDS:
                continue
            count = kind.reference_requests if is_reference else kind.requests
            found = measure_round(server, peers, kind.question, count, number, in_file=in_file)
            rounds[name].append(found)
    return {name: middle(column[1:]) for name, column in rounds.items()}


def _figures(kind: Kind, found: Mapping[str, Round]) -> Iterator[Figure]:
    plain, least = found["reference"], found["bare"]
    for name in _REGISTRIES:
        title, ours = f"{kind.title}, {name}", found[name]
        wanted = ratio_at_least(kind.wanted)
        yield Figure(title, "1/s", ours.rate, Baseline("plainest server", plain.rate), wanted)
        bare_rate = Baseline("bare server", least.rate)
        yield Figure(title, "1/s", ours.rate, bare_rate, kind.wanted_of_bare)
        bare_cpu = Baseline("bare server", 1 / least.cpu)
        yield Figure(f"{title}: by CPU time", "1/s", 1 / ours.cpu, bare_cpu)
    busy = least.client_share * 100, Baseline("with the plainest server", plain.client_share * 100)
    yield Figure(f"{kind.title}: client busy with the bare server", "% of a core", *busy)

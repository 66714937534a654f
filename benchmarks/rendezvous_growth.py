"""From 100 registered peers to 100,000: what more does a request cost, and in how much memory?"""

from benchmarks.figures import Baseline, Figure, below, ratio_below
from benchmarks.linux import peak_bytes, resident_bytes
from benchmarks.processes import Server
from benchmarks.rendezvous_peers import Peer, make_peers
from benchmarks.rendezvous_rounds import Question, measure_round, middle
from benchmarks.rendezvous_servers import service

FEW, MANY = 100, 100_000
ROUNDS = 7

#: A request may cost this many times as much when there are MANY.
WANTED_RATIO = 1.5

#: Resident memory with MANY peers has to stay below, in MB.
WANTED_MB = 150.0

_KINDS: tuple[tuple[str, Question, int], ...] = (
    ("REGISTER", Peer.register, 3000),
    ("DISCOVER of one namespace", Peer.discover, 1500),
)

_Sized = tuple[Server, list[Peer]]


def measure() -> list[Figure]:
    """Measure rounds by turns, after one of each that does not count; report the middle ones."""
    few, many = make_peers(FEW), make_peers(MANY)
    with service(few) as small, service(many) as large:
        empty = resident_bytes(small.pid)
        figures = [
            _compare(title, question, count, (large, many), (small, few))
            for title, question, count in _KINDS
        ]
        memory = resident_bytes(large.pid), peak_bytes(large.pid)
        peak = peak_bytes(small.pid)
    return [*figures, *_memory(*memory, empty, peak)]


def _compare(title: str, question: Question, count: int, many: _Sized, few: _Sized) -> Figure:
    rounds = [
        tuple(
            measure_round(server, peers, question, count, number, in_file=True)
            for server, peers in (many, few)
        )
        for number in range(ROUNDS + 1)
    ][1:]
    ours, theirs = (middle(column) for column in zip(*rounds, strict=True))
    return Figure(
        f"{title} of {MANY:,} peers: CPU a request",
        "us",
        ours.cpu * 1e6,
        Baseline(f"of {FEW:,} peers", theirs.cpu * 1e6),
        ratio_below(WANTED_RATIO),
    )


def _memory(resident: int, peak: int, empty: int, small_peak: int) -> list[Figure]:
    name, baseline = f"{MANY:,} peers: memory", Baseline(f"{FEW:,} peers", empty / 1e6)
    peaks = peak / 1e6, Baseline(f"{FEW:,} peers", small_peak / 1e6)
    return [
        Figure(name, "MB", resident / 1e6, baseline, below(WANTED_MB)),
        Figure(f"{name}, at its peak", "MB", *peaks),
    ]

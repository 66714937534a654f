"""Questions to a long history: how long does a user wait, beside a short one?"""

import statistics
from collections.abc import Iterable, Iterator, Sequence

from benchmarks.figures import Baseline, BenchmarkError, Figure, below
from benchmarks.history_build import Built, triples
from benchmarks.history_nodes import HistoryNode, history_node
from benchmarks.history_start import ASKED, QUESTION
from benchmarks.history_texts import Talk
from benchmarks.linux import wait_until_idle
from p2pchat.store.words import words_of

#: How often each kind of question is asked.
QUESTIONS = 300
WORST = 50

#: The percentiles that are told, and what is wanted of one of them, in milliseconds.
PERCENTILES = (50, 95, 99)
WANTED_P95 = 50


def measure(built: Built, short: Built, talk: Talk) -> Iterator[Figure]:
    """Ask both nodes by turns, after some questions that do not count."""
    commonest = " ".join(talk.words[:3])
    with history_node(built.folder) as node, history_node(short.folder) as baseline:
        for server in (node, baseline):
            server.first_answer(QUESTION)
            wait_until_idle(server.pid)
        always, worst = [QUESTION] * QUESTIONS, [f"/search {commonest}"] * WORST
        for name, ours, theirs in (
            (QUESTION, always, always),
            ("/search, 3 words", searches(built, talk), searches(short, talk)),
            ("/search, commonest words", worst, worst),
        ):
            pairs = zip(ours, theirs, strict=True)
            times = [(timed(node, one), timed(baseline, other)) for one, other in pairs]
            yield from _figures(name, times, f"{short.size:,} messages")


def searches(built: Built, talk: Talk, count: int = QUESTIONS) -> list[str]:
    """Return commands that search for words which somebody has said together."""
    found = [f"/search {words}" for words in triples(talk, built.texts)]
    return (found * (count // len(found) + 1))[:count]


def timed(node: HistoryNode, command: str) -> float:
    """Return the milliseconds of a question; BenchmarkError if the answer is not what it asks."""
    seconds, data = node.timed(command)
    if command == QUESTION:
        right = len(data) == ASKED
    else:
        right = bool(data) and all(_has(found["entry"]["text"], command) for found in data)
    if not right:
        raise BenchmarkError(f"{command}: the answer is wrong, {len(data)} messages")
    return seconds * 1000


def _has(text: str, command: str) -> bool:
    wanted, there = ({word.text for word in words_of(said)} for said in (command, text))
    return wanted - {"search"} <= there


def _figures(name: str, times: Iterable[tuple[float, float]], baseline: str) -> Iterator[Figure]:
    ours, theirs = zip(*times, strict=True)
    for percent, our, their in zip(PERCENTILES, _cuts(ours), _cuts(theirs), strict=True):
        wanted = below(WANTED_P95) if percent == 95 else None
        yield Figure(f"{name}: p{percent}", "ms", our, Baseline(baseline, their), wanted)


def _cuts(times: Sequence[float]) -> Iterable[float]:
    cuts = statistics.quantiles(times, n=100, method="inclusive")
    return [cuts[percent - 1] for percent in PERCENTILES]

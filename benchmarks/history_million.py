"""A million messages: their file, starting with it, asking it, and what the reactor feels of it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import history_answers, history_start, history_ticker
from benchmarks.figures import Baseline, Figure, below
from benchmarks.history_answers import searches
from benchmarks.history_build import Built, build
from benchmarks.history_nodes import history_node
from benchmarks.history_start import QUESTION
from benchmarks.history_texts import Talk
from benchmarks.history_ticker import asking, keep_a_burst

#: Messages of the history: as many as a node keeps. And of the short one beside it.
COUNT = 1_000_000
SHORT = 10_000

#: Bytes of the file for each message of 100 characters, with all indexes.
WANTED_BYTES = 300

#: Questions of a kind while the ticker runs.
ASKED = 50

SEED = 1


def measure() -> list[Figure]:
    """Build it once; each part leaves it as long as it was, for the oldest makes room."""
    return list(_measure())


def _measure() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as name:
        talk = Talk(SEED)
        built = build(Path(name, "long"), talk, COUNT)
        short = build(Path(name, "short"), talk, SHORT)
        times = COUNT // SHORT
        alike = Baseline(f"{times} times {SHORT:,}", short.seconds * times)
        yield Figure(f"building {COUNT:,} messages", "s", built.seconds, alike)
        yield _size("closed", built)
        yield from history_answers.measure(built, short, talk)
        yield from history_start.measure(built, talk)
        yield from _gaps(built, talk)
        with history_node(built.folder) as node:
            node.first_answer(QUESTION)
            keep_a_burst(node)
            yield _size("open, behind a burst", built)


def _size(when: str, built: Built) -> Figure:
    texts = Baseline("their texts", built.text_bytes / built.size)
    each = built.file_bytes / built.size
    return Figure(f"file for each message, {when}", "bytes", each, texts, below(WANTED_BYTES))


def _gaps(built: Built, talk: Talk) -> Iterator[Figure]:
    commonest = " ".join(talk.words[:3])
    loads = {
        "a burst that is kept": keep_a_burst,
        QUESTION: asking([QUESTION] * ASKED),
        "/search, 3 words": asking(searches(built, talk, ASKED)),
        "/search, commonest words": asking([f"/search {commonest}"] * ASKED),
    }
    return history_ticker.measure(built.folder, loads)

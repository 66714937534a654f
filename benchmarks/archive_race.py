"""Ten nodes that are all given ten chats at once: when does every one of them have all hundred?"""

import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.figures import Baseline, BenchmarkError, Figure, below
from benchmarks.processes import TWISTD, Server, free_port
from benchmarks.profiles import patience
from p2pchat.archive.kernel import VARIABLE

NODES = 10
CHATS = 10

#: Races of the same nodes; only the last one counts.
ROUNDS = 2

#: How long they may take to find each other, and to have all chats of a race, in seconds.
MEETING, SETTLING = 20.0, 20.0

#: How often their output is looked at, in seconds.
POLL = 0.02

#: All have to have all chats within this, in seconds.
WANTED = 10

#: What `P2PCHAT_KERNEL` is for ours, and for the baseline.
OURS, BASELINE = "", "python"


class Race(NamedTuple):
    """How long it took, and how often chats were displaced: in all, and the worst of them."""

    seconds: float
    displaced: int
    worst: int


def measure() -> list[Figure]:
    """Let ten nodes race, then ten without C; each race has to end with every chat once."""
    ours, theirs = _races(OURS), _races(BASELINE)
    what = f"{NODES} nodes, {NODES * CHATS} chats at once"
    rows = (
        (f"{what}: all have them after", "s", below(WANTED)),
        (f"{what}: displaced and mined again", "times", None),
        (f"{what}: the worst of them", "times", None),
    )
    return [
        Figure(name, unit, ours[part], Baseline("the same with hashlib", theirs[part]), wanted)
        for part, (name, unit, wanted) in enumerate(rows)
    ]


def _races(kernel: str) -> Race:
    """Return the last race."""
    with _crowd(kernel) as nodes:
        _wait(lambda: all(_has_met_all(node) for node in nodes), MEETING)
        return [_race(nodes, number) for number in range(ROUNDS)][-1]


def _has_met_all(node: Server) -> bool:
    return len(node.ask("/archive")["peers"]) == NODES - 1


def _race(nodes: Sequence[Server], race: int) -> Race:
    texts = [[f"{race}: {name} {number}" for number in range(CHATS)] for name in range(NODES)]
    longest = f'"height":{(race + 1) * NODES * CHATS},'.encode()
    began = time.perf_counter()
    for node, chats in zip(nodes, texts, strict=True):
        for text in chats:
            node.say(f"/chat {text}")
    _wait(lambda: all(longest in node.read() for node in nodes), SETTLING)
    seconds = time.perf_counter() - began
    expected = sorted(text for chats in texts for text in chats)
    for node in nodes:
        newest = node.ask(f"/hist {NODES * CHATS}")
        if sorted(chat["text"] for chat in newest) != expected:
            raise BenchmarkError("a chat is missing, or is there twice")
    displaced = Counter(text for node in nodes for text in _displaced(node) if text in expected)
    return Race(seconds, displaced.total(), max(displaced.values(), default=0))


@contextmanager
def _crowd(kernel: str) -> Iterator[Sequence[Server]]:
    """Run nodes as they are shipped, on addresses of their own, each of which knows the first."""
    with ExitStack() as stack:
        port = free_port(_host(0))
        nodes = [stack.enter_context(_node(number, port, kernel)) for number in range(NODES)]
        for node in nodes:
            node.wait_for_port()
        yield nodes


@contextmanager
def _node(number: int, port: int, kernel: str) -> Iterator[Server]:
    """Start a node; it is not up yet."""
    host = _host(number)
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.json"
        config.write_text("{}")
        command = [
            *("env", f"{VARIABLE}={kernel}", *TWISTD, "p2pchat", "--name", f"n{number}"),
            *("--console", "json", "--config", str(config), "--data-dir", folder),
            *("--no-rendezvous", "--bind", "127.0.0.1", "--port", str(free_port())),
            *("--archive-bind", host, "--archive-port", str(port)),
            *(("--archive-peer", _host(0)) if number else ()),
        ]
        server = Server(command, Path(folder))
        try:
            yield server
        finally:
            server.end()


def _host(number: int) -> str:
    return f"127.0.0.{10 + number}"


def _wait(done: Callable[[], bool], limit: float) -> None:
    limit = patience(limit)
    deadline = time.monotonic() + limit
    while not done():
        if time.monotonic() > deadline:
            raise BenchmarkError(f"the nodes did not come as far within {limit:g} s")
        time.sleep(POLL)


def _displaced(node: Server) -> Iterator[str]:
    """Yield the text of a chat for each time it was displaced."""
    for line in node.read().splitlines():
        event = json.loads(line)
        if event["event"] == "chat" and event["state"] == "displaced":
            yield event["text"]

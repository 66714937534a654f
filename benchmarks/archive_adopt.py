"""An archive that is longer by one chat: what does it cost to receive and adopt it?"""

import socket
import statistics
from collections.abc import Iterable
from contextlib import closing
from typing import NamedTuple

from benchmarks.archive_chats import HEIGHT, message, unmined
from benchmarks.archive_nodes import ArchiveNode, archive_node
from benchmarks.archive_peer import TIMEOUT, ArchivePeer
from benchmarks.figures import Baseline, Figure, below
from benchmarks.linux import cpu_seconds, forget_peak, peak_bytes, resident_bytes, wait_until_idle
from benchmarks.processes import Server, sink

ROUNDS = 11

WANTED_MILLISECONDS = 10
WANTED_MEGABYTES = 1


class Cost(NamedTuple):
    """CPU time in milliseconds; and memory at the peak above that before, in MB."""

    cpu: float
    memory: float


def measure() -> list[Figure]:
    """Measure rounds by turns, after one of each that does not count; report the middle ones.

    Each round the node's archive is the one that it adopted in the round before.
    """
    longest = unmined(HEIGHT + ROUNDS + 1, seed=1)
    with (
        archive_node(longest.truncated(HEIGHT)) as node,
        sink() as baseline,
        closing(ArchivePeer(node.port, "127.0.0.3")) as peer,
    ):
        peer.wait_for_height(HEIGHT)
        rounds = []
        for height in range(HEIGHT + 1, longest.height + 1):
            sent = message(longest.truncated(height))
            rounds.append((_adopt(node, peer, height, sent), _drop(baseline, sent)))
    ours, theirs = (_middle(costs) for costs in zip(*rounds[1:], strict=True))
    name = f"adopt {HEIGHT + 1:,} chats on {HEIGHT:,}"
    cpu, memory = (Baseline("only reading them", value) for value in theirs)
    return [
        Figure(f"{name}: CPU", "ms", ours.cpu, cpu, below(WANTED_MILLISECONDS)),
        Figure(f"{name}: memory meanwhile", "MB", ours.memory, memory, below(WANTED_MEGABYTES)),
    ]


def _adopt(node: ArchiveNode, peer: ArchivePeer, height: int, sent: bytes) -> Cost:
    """Send a node at rest an archive; take what it cost until the node says that it is its own."""
    wait_until_idle(node.pid)
    forget_peak(node.pid)
    memory, cpu = resident_bytes(node.pid), cpu_seconds(node.pid)
    peer.send(sent)
    growth = node.wait_for_height(height)
    peer.wait_for_height(height)
    return Cost((growth.cpu - cpu) * 1000, (growth.peak - memory) / 1e6)


def _drop(sink: Server, sent: bytes) -> Cost:
    wait_until_idle(sink.pid)
    forget_peak(sink.pid)
    memory, cpu = resident_bytes(sink.pid), cpu_seconds(sink.pid)
    with socket.create_connection(("127.0.0.1", sink.port), TIMEOUT) as link:
        link.sendall(sent)
        link.shutdown(socket.SHUT_WR)
        link.recv(1)
    wait_until_idle(sink.pid)
    return Cost((cpu_seconds(sink.pid) - cpu) * 1000, (peak_bytes(sink.pid) - memory) / 1e6)


def _middle(costs: Iterable[Cost]) -> Cost:
    return Cost(*(statistics.median(column) for column in zip(*costs, strict=True)))

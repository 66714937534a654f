"""What an archive takes of a node's memory: at rest, arriving, on its way to slow peers."""

import statistics
from contextlib import closing
from typing import NamedTuple

from benchmarks.archive_chats import HEIGHT, message, unmined
from benchmarks.archive_nodes import archive_node
from benchmarks.archive_peer import ArchivePeer
from benchmarks.archive_slow import SlowPeers
from benchmarks.figures import Baseline, Figure, below
from benchmarks.linux import forget_peak, peak_bytes, resident_bytes, wait_until_idle
from p2pchat.archive.archive import Archive

ROUNDS = 3
PEERS = 20

#: How long the slow peers read, in seconds.
SECONDS = 5.0

#: More than a node with an empty archive has, and more than before it sends, in MB.
WANTED_ABOVE_EMPTY = 25
WANTED_SENDING = 10


class Memory(NamedTuple):
    """MB in RAM: of nodes at rest, and how much more at the peak of what they do."""

    empty: float
    receiving: float
    received: float
    loaded: float
    sending: float


def measure() -> list[Figure]:
    """Start nodes anew for each round; report the middle ones."""
    archive = unmined(HEIGHT, seed=1)
    rounds = [Memory(*_receive(archive), *_send(archive)) for _ in range(ROUNDS)]
    memory = Memory(*(statistics.median(column) for column in zip(*rounds, strict=True)))
    return _figures(memory, archive.size / 1e6)


def _figures(memory: Memory, size: float) -> list[Figure]:
    what, itself = f"{HEIGHT:,} chats", Baseline("their bytes", size)
    above = f"{what}: memory above an empty node's"
    empty, copies = memory.empty, Baseline("a copy for each", PEERS * size)
    kept, sending = below(WANTED_ABOVE_EMPTY), below(WANTED_SENDING)
    return [
        Figure(f"{what}: memory", "MB", memory.loaded, Baseline("empty node", empty)),
        Figure(f"{above}, from disk", "MB", memory.loaded - empty, itself, kept),
        Figure(f"{above}, received", "MB", memory.received - empty, itself, kept),
        Figure(f"{above}, at the peak of receiving", "MB", memory.receiving, itself),
        Figure(f"{what} to {PEERS} slow peers: more memory", "MB", memory.sending, copies, sending),
    ]


def _receive(archive: Archive) -> tuple[float, float, float]:
    """Send an archive to an empty node; return its memory before, more meanwhile, and after."""
    with archive_node() as node, closing(ArchivePeer(node.port, "127.0.0.3")) as peer:
        before = _at_rest(node.pid)
        peer.send(message(archive))
        node.wait_for_height(archive.height)
        peer.wait_for_height(archive.height)
        after = _at_rest(node.pid)
        return before, _peak(node.pid) - before, after


def _send(archive: Archive) -> tuple[float, float]:
    """Have a node send its archive to slow peers; return its memory before and more meanwhile."""
    with archive_node(archive) as node:
        before = _at_rest(node.pid)
        with closing(SlowPeers(node.port, PEERS, message(archive))) as peers:
            peers.read_slowly(SECONDS)
            more = _peak(node.pid) - before
            peers.read_all()
        return before, more


def _at_rest(pid: int) -> float:
    wait_until_idle(pid)
    memory = resident_bytes(pid) / 1e6
    forget_peak(pid)
    return memory


def _peak(pid: int) -> float:
    return peak_bytes(pid) / 1e6

"""From `/chat` to a peer: how soon does the first byte of the longer archive come?"""

import statistics
import time
from contextlib import closing

from benchmarks.archive_nodes import ArchiveNode, archive_node
from benchmarks.archive_peer import ArchivePeer
from benchmarks.archive_verify import mined_archive
from benchmarks.figures import Baseline, Figure, below

SAMPLES = 50

#: Seconds between a chat and the next one.
PAUSE = 0.05

#: The median has to stay below this, in milliseconds.
WANTED = 5


def measure() -> list[Figure]:
    """Type chats on an archive of 1,000, one after another; beside them PeerRequests."""
    with (
        archive_node(mined_archive(), unmined=False) as node,
        closing(ArchivePeer(node.port, "127.0.0.4")) as peer,
    ):
        height = mined_archive().height
        peer.wait_for_height(height)
        pairs = [(_post(node, peer, height + 1 + n), peer.ask() * 1000) for n in range(SAMPLES)]
    waits, answers = zip(*pairs, strict=True)
    ours, theirs = statistics.median(waits), statistics.median(answers)
    baseline = Baseline("PeerRequest to PeerList", theirs)
    return [Figure("/chat to the archive at a peer: p50", "ms", ours, baseline, below(WANTED))]


def _post(node: ArchiveNode, peer: ArchivePeer, height: int) -> float:
    """Return the milliseconds from typing a chat until an archive begins to come."""
    time.sleep(PAUSE)
    began = time.perf_counter()
    node.server.say(f"/chat the chat of height {height}")
    peer.wait_for_archive()
    waited = time.perf_counter() - began
    peer.wait_for_height(height)
    return waited * 1000

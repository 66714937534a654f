"""What keeps a node busy while something else about it is measured."""

import time

from benchmarks.archive_chats import message
from benchmarks.archive_nodes import ArchiveNode
from benchmarks.archive_peer import ArchivePeer
from benchmarks.figures import BenchmarkError
from p2pchat.archive.archive import Archive

#: How long a node is watched at rest, in seconds.
REST = 2.0

#: Chats that are mined at a time, and the seconds from typing one to typing the next.
CHATS = 60
TYPING = 0.02

#: How long mining them, and verifying an archive, may take, in seconds.
TIMEOUT = 60.0


def rest() -> None:
    """Do nothing for a while."""
    time.sleep(REST)


def mine(node: ArchiveNode, count: int = CHATS) -> None:
    """Type chats, faster than they are mined, and wait until all are in the archive."""
    wanted = node.archived() + count
    for number in range(count):
        node.server.say(f"/chat chat number {number} of those that keep a node busy")
        time.sleep(TYPING)
    deadline = time.monotonic() + TIMEOUT
    while node.archived() < wanted:
        if time.monotonic() > deadline:
            raise BenchmarkError(f"{count} chats were not mined within {TIMEOUT:g} s")
        time.sleep(TYPING)


def receive(node: ArchiveNode, peer: ArchivePeer, archive: Archive) -> None:
    """Send an archive, wait until it is the node's own, and for the node to send it back."""
    peer.send(message(archive))
    node.wait_for_height(archive.height)
    peer.wait_for_height(archive.height)


def verify_again(node: ArchiveNode) -> None:
    """Have the node verify its whole archive in a thread."""
    verification = node.server.ask("/val")
    if verification["invalid"] is not None:
        raise BenchmarkError(f"chat {verification['invalid']} is not valid")

"""What of the archive is still there while it is attacked, and whether others still hear of it."""

from contextlib import closing
from pathlib import Path
from typing import Any

from tests.hostile.attack import archive_bytes
from tests.hostile.target import ARCHIVE_HOST
from tests.integration.archive_cases import published
from tests.integration.archive_peers import HonestPeer

#: The address of an honest peer of the archive.
WITNESS_HOST = "127.7.0.33"

_TEXT = "said while it was attacked"


def complaints(node: Any, port: int) -> list[str]:
    """Have the node say something in the archive and an honest peer come for it; return what is
    wrong with what he gets, or with what is on the node's disk."""
    try:
        node.data(f"/chat {_TEXT}")
        with closing(HonestPeer(WITNESS_HOST, port, ARCHIVE_HOST)) as witness:
            witness.wait_for(_TEXT)
            chain = witness.chain
    except (AssertionError, OSError) as error:
        return [f"an honest peer gets no new chat: {error}"[:1000]]
    return faults(chain, node.home / "data" / "archive.bin")


def faults(chain: tuple[bytes, ...], stored: Path) -> list[str]:
    """Return what is wrong with an archive as a peer has it, and as the node has stored it."""
    before = published()
    wrong = [] if chain[: len(before)] == before else ["an honest peer got another archive"]
    if not stored.read_bytes().startswith(archive_bytes(before)):
        wrong.append("the archive has lost chats")
    return wrong

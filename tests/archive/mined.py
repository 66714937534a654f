"""Chats that are mined for tests: each only once, and quickly where the proof is made easy."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from hashlib import md5
from unittest.mock import patch

from p2pchat.archive import kernel, replica
from p2pchat.archive.archive import Archive
from p2pchat.archive.incoming import Incoming
from p2pchat.archive.own import MARK_SIZE, OwnChat, OwnChats
from p2pchat.archive.record import CODE_SIZE, DIGEST_SIZE, head
from p2pchat.archive.replica import Change, Replica

LIMIT = 1 << 20

#: What chats begin their codes with that are nobody's own.
FOREIGN = bytes(MARK_SIZE)


@contextmanager
def easy_proof() -> Iterator[None]:
    """Let one zero byte be proof enough: a chat takes 256 tries instead of 65,536."""
    with patch.object(kernel, "_zeros", 1), patch.object(replica, "PROOF", b"\0"):
        yield


def code_for(prefix: bytes, start: int) -> bytes:
    """Return the code that a search from start on finds."""
    return _code_for(prefix, start, kernel._zeros)


@cache
def _code_for(prefix: bytes, start: int, zeros: int) -> bytes:
    code = kernel.search(prefix, lambda: False, start)
    assert code is not None
    return code


def grown(archive: Archive, *texts: str, mark: bytes = FOREIGN) -> Archive:
    """Return an archive with valid chats on top, whose codes begin with a mark."""
    for text in texts:
        data = text.encode("ascii")
        prefix = archive.prefix_for(data)
        code = code_for(prefix, int.from_bytes(mark.ljust(CODE_SIZE, b"\0"), "big"))
        digest = md5(prefix + code, usedforsecurity=False).digest()
        record = head(data) + code + digest
        archive = archive.appended(record, [archive.size + len(record)])
    return archive


def sketch(*chats: tuple[str, bytes]) -> Archive:
    """Return an archive of texts with marks that nobody mined; not valid."""
    archive = Archive()
    for text, mark in chats:
        record = head(text.encode("ascii")) + mark.ljust(CODE_SIZE, b"\0") + bytes(DIGEST_SIZE)
        archive = archive.appended(record, [archive.size + len(record)])
    return archive


def texts(archive: Archive) -> list[str]:
    """Return the texts of all chats, oldest first."""
    return [archive.chat(index).text.decode("ascii") for index in range(archive.height)]


def arriving(replica: Replica, archive: Archive) -> Incoming:
    """Return an archive that a peer has sent in full, and that is verified."""
    incoming = replica.incoming(archive.height)
    incoming.feed(archive.view())
    while incoming.unverified:
        incoming.verify(1 << 20)
    return incoming


def receive(replica: Replica, archive: Archive) -> Change | None:
    """Let a peer's archive arrive as ArchiveService does."""
    incoming = arriving(replica, archive)
    return replica.received(incoming) if incoming.useful else None


def mine(replica: Replica) -> Change | None:
    """Mine what is to be mined next."""
    job = replica.job()
    assert job is not None
    return replica.mined(job, code_for(job.base.prefix_for(job.chat.text), job.chat.start))


def new_replica(limit: int = LIMIT, max_pending: int = 100) -> Replica:
    return Replica(OwnChats(max_pending), limit)


def post(replica: Replica, text: str) -> OwnChat:
    """Take a chat of ours; texts that differ have marks that differ."""
    return replica.own.add(text.encode("ascii"), mark_of(text))


def mark_of(text: str) -> bytes:
    return text.encode("ascii")[-MARK_SIZE:].rjust(MARK_SIZE, b"_")

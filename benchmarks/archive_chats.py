"""Archives to measure with: as many chats as wanted, as long as those of a real one.

Mining 100,000 chats takes an hour, so nobody mined these: each MD5 is that of its window, but it
begins with any two bytes. Where they are used, `accepting_unmined` takes away the comparison that
would refuse them; the same bytes are hashed, and hashes compared, as for mined chats.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from unittest.mock import patch

from benchmarks.figures import BenchmarkError
from p2pchat.archive import kernel, replica
from p2pchat.archive.archive import Archive
from p2pchat.archive.codec import archive_header
from p2pchat.archive.record import CODE_SIZE, DIGEST_SIZE, WINDOW, head

#: Chats of the archive that most figures are about: 7 MB.
HEIGHT = 100_000

#: Bytes of the shortest and of the longest text, 37 on average.
TEXT_SIZES = (10, 64)

_LETTERS = bytes(range(ord("a"), ord("z") + 1)) + b"      "


def unmined(count: int, seed: int, base: Archive | None = None) -> Archive:
    """Make an archive of so many chats: those of base, and what a seed gives."""
    rng = Random(seed)
    base = base if base is not None else Archive()
    data, offsets = bytearray(base.view()), base.offsets[: base.height + 1]
    for index in range(base.height, count):
        text = bytes(rng.choices(_LETTERS, k=rng.randint(*TEXT_SIZES)))
        data += head(text) + rng.randbytes(CODE_SIZE)
        with memoryview(data) as view:
            digest = hashlib.md5(view[offsets[max(0, index - WINDOW + 1)] :]).digest()
        data += digest
        offsets.append(len(data))
    return Archive.of(data, offsets)


def message(archive: Archive) -> bytes:
    """Write the ArchiveResponse that sends an archive."""
    return archive_header(archive.height) + archive.view()


def window(archive: Archive, index: int) -> tuple[int, int]:
    """Return where the bytes begin and end that the MD5 of a chat covers."""
    offsets = archive.offsets
    return offsets[max(0, index - WINDOW + 1)], offsets[index + 1] - DIGEST_SIZE


@contextmanager
def accepting_unmined() -> Iterator[None]:
    """Have this process take chats that nobody mined; BenchmarkError if that cannot be done."""
    with patch.object(kernel, "_zeros", 0), patch.object(replica, "PROOF", b""):
        chats = unmined(WINDOW, seed=0)
        if kernel.first_invalid(chats.buffer, chats.offsets, 0, chats.height) is not None:
            raise BenchmarkError("the kernel looks for the proof of work elsewhere by now")
        yield

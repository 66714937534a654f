"""Archives to test with: the published ones, our own mined on top of them, and their forks."""

from functools import cache
from hashlib import md5
from itertools import accumulate
from pathlib import Path

from p2pchat.archive import kernel
from p2pchat.archive.archive import Archive
from p2pchat.archive.codec import archive_header
from p2pchat.archive.record import CODE_SIZE, DIGEST_SIZE, OVERHEAD, WINDOW, head

DATA = Path(__file__).parents[1] / "data"

#: The files as they are: a count, and chats.
EXAMPLE_FILE = (DATA / "archive_example.bin").read_bytes()
THOUSAND_FILE = (DATA / "archive_1000.bin").read_bytes()


def split(data: bytes, count: int) -> list[bytes]:
    """Cut data into chats, as many as are there in full, `count` at the most."""
    chats: list[bytes] = []
    while len(chats) < count and data:
        size = OVERHEAD + data[0]
        if size > len(data):
            break
        chats.append(data[:size])
        data = data[size:]
    return chats


def joined(chats: list[bytes]) -> Archive:
    """Return the archive of these chats, which need not be valid."""
    return Archive(b"".join(chats), list(accumulate(map(len, chats), initial=0)))


def chats_of(archive: Archive) -> list[bytes]:
    """Return the chats of an archive, each as it is on the wire."""
    return split(bytes(archive.view()), archive.height)


def invalid_chat(chats: list[bytes]) -> int | None:
    """Return the index of the first chat that breaks a rule: the rules once more, plainly."""
    for index, chat in enumerate(chats):
        window = b"".join(chats[max(0, index - (WINDOW - 1)) : index + 1])
        digest = md5(window[:-DIGEST_SIZE], usedforsecurity=False).digest()
        if digest[:2] != b"\0\0" or chat[-DIGEST_SIZE:] != digest:
            return index
    return None


def read(file: bytes) -> Archive:
    """Return the archive in a file that begins with a count."""
    chats = split(file[4:], int.from_bytes(file[:4], "big"))
    assert len(b"".join(chats)) == len(file) - 4
    return joined(chats)


EXAMPLE, THOUSAND = read(EXAMPLE_FILE), read(THOUSAND_FILE)


def wire(archive: Archive) -> bytes:
    """Return the ArchiveResponse with this archive."""
    return archive_header(archive.height) + archive.view()


@cache
def _code(prefix: bytes, mark: bytes, zeros: int) -> bytes:
    """Mine, once for each number of zero bytes that digests begin with: tests may ask for less."""
    start = int.from_bytes(mark + bytes(CODE_SIZE - len(mark)), "big")
    code = kernel.search(prefix, lambda: False, start)
    assert code is not None
    return code


def mined(archive: Archive, *texts: bytes, mark: bytes = b"") -> Archive:
    """Return the archive with a chat for each text on top; their codes begin with mark."""
    for text in texts:
        prefix = archive.prefix_for(text)
        code = _code(prefix, mark, kernel._zeros)
        record = head(text) + code + md5(prefix + code, usedforsecurity=False).digest()
        archive = archive.appended(record, [archive.size + len(record)])
    return archive


@cache
def branch(at: int, name: bytes = b"branch", length: int = 4) -> Archive:
    """Return a valid archive that leaves THOUSAND at a chat and goes on by itself."""
    return mined(THOUSAND.truncated(at), *(b"%s %d" % (name, number) for number in range(length)))


@cache
def long_texts() -> Archive:
    """Return a valid archive of longest texts, so that its windows are as long as can be."""
    return mined(Archive(), *(bytes([number]) * 255 for number in range(WINDOW + 2)))

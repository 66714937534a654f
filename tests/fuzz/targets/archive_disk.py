"""The archive's two files at the start: `p2pchat.archive.disk`.

The first MARK parts archive.bin from archive-own.jsonl. Whatever is in them, a node starts: with
what is valid of it, that is stored again as it was, and is found undamaged the next time.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from p2pchat.archive.disk import Disk, FileStorage
from p2pchat.archive.own import OwnChats, look_up
from p2pchat.archive.storage import Loaded
from tests.archive.examples import chats_of, invalid_chat
from tests.fuzz.cuts import pieces
from tests.fuzz.targets import words

MAX_LENGTH = 4096
MARK = b"\n==\n"
WORDS = (
    *words.VALUES,
    *words.keys("chat_id", "text", "mark", "height", "confirmed"),
    *(MARK, b"\n", b'"0011223344556677"', b"4294967296"),
)


class Unsynced(Disk):
    """A disk that nobody waits for."""

    def sync(self, fd: int) -> None:
        """Return at once."""


def check(data: bytes) -> None:
    """Start with these files."""
    archive, _, own = b"".join(pieces(data)).partition(MARK)
    with TemporaryDirectory(dir=_memory()) as name:
        folder = Path(name)
        (folder / "archive.bin").write_bytes(archive)
        (folder / "archive-own.jsonl").write_bytes(own)
        loaded = FileStorage(folder, Unsynced()).load()
        _check_archive(loaded, archive)
        _check_mended(folder, loaded)
        _check_goes_on(folder, loaded)


def _memory() -> str | None:
    """Return a folder in memory, if the system has one, as inputs are many."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def _check_archive(loaded: Loaded, stored: bytes) -> None:
    archive = loaded.archive
    assert stored.startswith(bytes(archive.view())), "it is not what was stored"
    assert invalid_chat(chats_of(archive)) is None, "an archive that is not valid"
    assert archive.size == len(stored) or loaded.notices, "a damage that nobody hears of"


def _check_mended(folder: Path, loaded: Loaded) -> None:
    again = FileStorage(folder, Unsynced()).load()
    assert not again.notices, f"it was not mended: {again.notices}"
    assert again.archive == loaded.archive, "the archive reads otherwise when it is mended"
    assert again.own == loaded.own, "our chats read otherwise when they are mended"


def _check_goes_on(folder: Path, loaded: Loaded) -> None:
    """Add a chat to those that were stored, and start again."""
    own = OwnChats(max_pending=len(loaded.own) + 1)
    own.restore(look_up(loaded.own, loaded.archive))
    own.add(b"one more", b"\xff" * 8)
    records = own.records()
    FileStorage(folder, Unsynced()).save_own(records)
    again = FileStorage(folder, Unsynced()).load()
    assert again.own == records, "our chats are not what was stored"
    assert len({record.chat_id for record in records}) == len(records), "an id twice"

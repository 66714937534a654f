"""The archive and our chats in a folder, so that a kill or a full disk loses nothing stored.

=====================  =====================================================================
archive.bin            the wire bytes of all chats without a count, so that growth is an append
archive-own.jsonl      our chats that are not settled, one JSON object a line
*.bad, *.bad.1, ...    these two as they were when they were found damaged, oldest first
archive.new            what is being written, before it takes the place of one of these
=====================  =====================================================================

An append writes behind what is stored and nowhere else; all other writing is into archive.new,
which is renamed when it is on the disk. So at any moment the archive's file begins with all that
was stored, and load() finds where it ends: at the first chat that is not whole or not valid.
"""

import os
import re
import stat
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from p2pchat.archive.archive import Archive
from p2pchat.archive.kernel import first_invalid
from p2pchat.archive.record import OVERHEAD
from p2pchat.archive.storage import Loaded, OwnRecord

#: How many damaged files are kept of a kind; beyond that the oldest goes.
MAX_BAD = 4

_ARCHIVE = "archive.bin"
_OWN = "archive-own.jsonl"
_FRESH = "archive.new"

_decode_own = msgspec.json.Decoder(OwnRecord).decode
_encode_own = msgspec.json.Encoder().encode_lines


class Disk:
    """The system calls by which files change; one that fails can be put in its place."""

    def open(self, path: Path, flags: int) -> int:
        """Open a file or folder; what is created is for its owner alone."""
        return os.open(path, flags, 0o600)

    def write(self, fd: int, data: memoryview, at: int) -> int:
        """Write some of these bytes at this offset; return how many."""
        return os.pwrite(fd, data, at)

    def truncate(self, fd: int, size: int) -> None:
        """Drop what stands behind the first `size` bytes."""
        os.ftruncate(fd, size)

    def sync(self, fd: int) -> None:
        """Wait until what was changed is on the disk; of a folder, its names."""
        os.fsync(fd)

    def rename(self, source: Path, target: Path) -> None:
        """Put source in the place of target."""
        source.replace(target)

    def unlink(self, path: Path) -> None:
        """Remove a file if it is there."""
        path.unlink(missing_ok=True)


_DISK = Disk()


class FileStorage:
    """A storage in a folder that is there and that no other process writes to."""

    def __init__(self, folder: Path, disk: Disk = _DISK) -> None:
        self._folder = _Folder(folder, disk)
        #: How many bytes the stored archive takes; None if we don't know what is in the file.
        self._stored: int | None = None

    def load(self) -> Loaded:
        """Read what there is; what is damaged is set aside and cut back to what is valid.

        Raises OSError, with the path, for a file that is there and cannot be read.
        """
        self._folder.clear()
        notices: list[str] = []
        return Loaded(self._load_archive(notices), self._load_own(notices), notices)

    def append(self, archive: Archive, height: int) -> None:
        """Add to the first `height` chats, which are stored already, the rest of this archive.

        If others than these are stored, or their file was lost, the whole archive is written.
        """
        start = archive.offsets[height]
        if start != self._stored or not self._folder.has(_ARCHIVE, start):
            self.replace(archive)
            return
        self._folder.extend(_ARCHIVE, start, archive.view()[start:])
        self._stored = archive.size

    def replace(self, archive: Archive) -> None:
        """Store this archive instead of the one that is stored; never is there neither."""
        self._stored = None
        self._folder.put(_ARCHIVE, archive.view())
        self._stored = archive.size

    def save_own(self, records: Sequence[OwnRecord]) -> None:
        """Store our chats instead of those that are stored."""
        self._folder.put(_OWN, memoryview(_encode_own(records)))

    def _load_archive(self, notices: list[str]) -> Archive:
        data = self._folder.read(_ARCHIVE)
        offsets = _walk(data)
        count = len(offsets) - 1
        invalid = first_invalid(data, offsets, 0, count)
        height = count if invalid is None else invalid
        archive = Archive(data[: offsets[height]], offsets[: height + 1])
        if archive.size == len(data):
            self._stored = archive.size
            return archive
        if invalid is None:
            found = f"ends in the middle of chat {count + 1}"
        else:
            found = f"has an invalid chat, number {height + 1} of {count}"
        notices.append(self._mend(_ARCHIVE, data, found, height, lambda: self.replace(archive)))
        return archive

    def _load_own(self, notices: list[str]) -> list[OwnRecord]:
        data = self._folder.read(_OWN)
        lines = data.splitlines()
        records = [record for line in lines if (record := _own_record(line))]
        if len(records) < len(lines):
            found = f"has {len(lines) - len(records)} damaged of {len(lines)} lines"
            kept = len(records)
            notices.append(self._mend(_OWN, data, found, kept, lambda: self.save_own(records)))
        return records

    def _mend(
        self, name: str, data: bytes, found: str, kept: int, store: Callable[[], None]
    ) -> str:
        """Set a damaged file aside and store what is good of it; return what to tell the user.

        If that fails, because the disk is full for instance, what is good is used all the same.
        """
        notice = f"{name} {found}; {kept} {'chat is' if kept == 1 else 'chats are'} left"
        try:
            aside = self._folder.set_aside(name, data)
            store()
        except OSError as error:
            return f"{notice}, and the file cannot be mended: {error.strerror or error}"
        return f"{notice}, the old file is {aside}"


class _Folder:
    """Files that are changed in such a way that a kill leaves them as before or as wanted."""

    def __init__(self, path: Path, disk: Disk) -> None:
        self._path = path
        self._disk = disk

    def clear(self) -> None:
        """Remove what a put() left that was killed; if that can't be, put() says so."""
        with suppress(OSError):
            self._disk.unlink(self._path / _FRESH)

    def read(self, name: str) -> bytes:
        """Return what a file holds, nothing if there is none."""
        path = self._path / name
        try:
            if not stat.S_ISREG(path.stat().st_mode):
                raise OSError("it is not a file")
            return path.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise OSError(f"{path} cannot be read: {error.strerror or error}") from error

    def has(self, name: str, size: int) -> bool:
        """Whether a file is there and at least this long."""
        try:
            return (self._path / name).stat().st_size >= size
        except FileNotFoundError:
            return False

    def extend(self, name: str, start: int, data: memoryview) -> None:
        """Write behind the first `start` bytes, over what an extend() that failed left there."""
        with self._opened(self._path / name, os.O_WRONLY) as fd:
            try:
                self._disk.truncate(fd, start)
                self._write(fd, data, start)
            except OSError:
                # else the next start finds a damaged file, and says so
                with suppress(OSError):
                    self._disk.truncate(fd, start)
                raise

    def put(self, name: str, data: memoryview) -> None:
        """Write a whole file."""
        fresh = self._path / _FRESH
        try:
            with self._opened(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as fd:
                self._write(fd, data, 0)
            self._disk.rename(fresh, self._path / name)
        except OSError:
            with suppress(OSError):
                self._disk.unlink(fresh)
            raise
        with self._opened(self._path, os.O_RDONLY) as fd:
            self._disk.sync(fd)

    def set_aside(self, name: str, data: bytes) -> Path:
        """Keep what a file holds, `data`, under another name as well; return where.

        It is not renamed: a kill before there is a better one would leave none. One that is kept
        already, because such a kill came, is not kept twice.
        """
        bad = self._bad(name)
        for path in bad.values():
            if path.stat().st_size == len(data) and path.read_bytes() == data:
                return path
        number = max(bad, default=-1) + 1
        aside = f"{name}.bad.{number}" if number else f"{name}.bad"
        self.put(aside, memoryview(data))
        for old in sorted(bad, reverse=True)[MAX_BAD - 1 :]:
            self._disk.unlink(bad[old])
        return self._path / aside

    def _bad(self, name: str) -> dict[int, Path]:
        """Return the damaged files of this name by their numbers."""
        pattern = re.compile(re.escape(name) + r"\.bad(?:\.([1-9][0-9]*))?")
        found = ((pattern.fullmatch(path.name), path) for path in self._path.iterdir())
        return {int(match[1] or 0): path for match, path in found if match}

    def _write(self, fd: int, data: memoryview, at: int) -> None:
        while data:
            written = self._disk.write(fd, data, at)
            data, at = data[written:], at + written
        self._disk.sync(fd)

    @contextmanager
    def _opened(self, path: Path, flags: int) -> Iterator[int]:
        fd = self._disk.open(path, flags)
        try:
            yield fd
        finally:
            os.close(fd)


def _walk(data: bytes) -> "array[int]":
    """Return where each chat that is whole begins, and behind them where the last one ends."""
    offsets = array("Q", [0])
    add, position, size = offsets.append, 0, len(data)
    while position < size:
        position += OVERHEAD + data[position]
        add(position)
    if position > size:
        offsets.pop()
    return offsets


def _own_record(line: bytes) -> OwnRecord | None:
    """Read a line; None if it is not one of ours."""
    try:
        return _decode_own(line)
    except (ValueError, RecursionError):
        return None

"""The files of the store, as the operating system sees them.

====================  =========================================================================
history.db            the database; -wal and -shm beside it are SQLite's, while it is open
history.db-closed     how long it was and when it was changed last, when it was closed in order
history.db-damaged    which of the following is not looked into yet, and what is wrong with it
history.db.bad, .1 …  databases that were found damaged, oldest first, with their -wal
history.db.bad-taken  what can be read of the one of this name is in a newer one
====================  =========================================================================
"""

import os
import re
from contextlib import suppress
from pathlib import Path

import msgspec

from p2pchat.history import StoreError
from p2pchat.store import header

#: How many damaged databases are kept; beyond that the oldest goes whose messages were taken over.
MAX_BAD = 4

#: There may be so many whose messages were not: nothing else has what is in them.
MAX_UNREAD_BAD = 16

_WAL, _SHM, _CLOSED, _DAMAGED, _TAKEN = "-wal", "-shm", "-closed", "-damaged", "-taken"


class _Stamp(msgspec.Struct, frozen=True):
    """What a file was like: bytes, nanoseconds."""

    size: int
    changed: int


class Damaged(msgspec.Struct, frozen=True):
    """A damaged database by its new name, and what is wrong with it."""

    file: str
    reason: str


class Files:
    """The files of one database; every method may raise OSError."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def create(self) -> None:
        """Make the database if there is none; in any case for its owner alone.

        SQLite gives its other files the same mode.
        """
        if not self.path.exists():
            for ending in (_WAL, _SHM):
                self._beside(ending).unlink(missing_ok=True)
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        for path in (self.path, self._beside(_WAL), self._beside(_SHM)):
            with suppress(FileNotFoundError):
                if path.stat().st_mode & 0o077:
                    path.chmod(0o600)

    def was_cut(self) -> bool:
        """Tell whether the database is shorter than any can be, and was longer.

        SQLite takes such a file for a new one.
        """
        size = self._size("")
        if not self.path.exists() or size >= header.SIZE:
            return False
        return size > 0 or self._beside(_CLOSED).is_file() or self._size(_WAL) > 0

    def trouble_of_header(self) -> str:
        """Return what is wrong with it though SQLite reads it; "" if nothing."""
        with self.path.open("rb") as file:
            return header.trouble(file.read(header.SIZE))

    def take_stamp(self) -> bool:
        """Tell whether the database is as it was when it was closed in order, the last time.

        After that it is open, so the next time it is not unless put_stamp() was called.
        """
        stamp = self._beside(_CLOSED)
        try:
            closed = msgspec.json.decode(stamp.read_bytes(), type=_Stamp)
        except (FileNotFoundError, msgspec.DecodeError):
            closed = None
        stamp.unlink(missing_ok=True)
        return closed == self._now() and not self._size(_WAL)

    def put_stamp(self, *, checked: bool) -> None:
        """Note what the database is like, now that it is closed; if it is not known to be sound,
        only that there is one."""
        if self._size(_WAL):
            return
        if checked:
            self._write(_CLOSED, self._now())
        else:
            self._beside(_CLOSED).touch(0o600)

    def size_of_wal(self) -> int:
        """Return how many bytes wait to be moved into the database, at most."""
        return self._size(_WAL)

    def set_aside(self, reason: str) -> None:
        """Give a damaged database, which is closed, another name; see damaged().

        StoreError if there are too many of those already.
        """
        bad = self._bad()
        expendable = [bad[n] for n in sorted(bad) if self._of(bad[n], _TAKEN).exists()]
        self._check_room(reason, len(bad) - len(expendable))
        number = max(bad, default=-1) + 1
        aside = self.path.with_name(f"{self.path.name}.bad{f'.{number}' if number else ''}")
        # the user may have moved away another one of this name
        self._of(aside, _TAKEN).unlink(missing_ok=True)
        # if we are killed, the next one goes on where we ended; see damaged()
        self._write(_DAMAGED, Damaged(aside.name, reason))
        self.path.rename(aside)
        self._move_logs(aside)
        self._beside(_CLOSED).unlink(missing_ok=True)
        for old in expendable[: max(0, len(bad) + 1 - MAX_BAD)]:
            for ending in ("", _WAL, _SHM, _TAKEN):
                self._of(old, ending).unlink(missing_ok=True)

    def put_taken(self, aside: Path) -> None:
        """Note that what can be read of a damaged database is in this one."""
        if aside.exists():
            self._of(aside, _TAKEN).touch(0o600)

    def damaged(self) -> tuple[Path, str] | None:
        """Return what was set aside, and why, until forget_damaged()."""
        try:
            damaged = msgspec.json.decode(self._beside(_DAMAGED).read_bytes(), type=Damaged)
            aside = self.path.with_name(damaged.file)
            found = aside.is_file()
        except (FileNotFoundError, msgspec.DecodeError, ValueError):
            return None
        if found and not self.path.exists():
            self._move_logs(aside)
        return (aside, damaged.reason) if found else None

    def forget_damaged(self) -> None:
        """Note that what was set aside was looked into."""
        self._beside(_DAMAGED).unlink(missing_ok=True)

    def _check_room(self, reason: str, kept: int) -> None:
        if kept >= MAX_UNREAD_BAD:
            name = self.path.name
            raise StoreError(
                f"{name} cannot be used: {reason}; {kept} files {name}.bad that could not be read"
                " are kept already, move them away"
            )

    def _move_logs(self, aside: Path) -> None:
        for ending in (_WAL, _SHM):
            with suppress(FileNotFoundError):
                self._beside(ending).rename(f"{aside}{ending}")

    def _write(self, ending: str, value: msgspec.Struct) -> None:
        path = self._beside(ending)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "wb") as file:
            file.write(msgspec.json.encode(value))

    def beside(self, name: str) -> Path:
        """Return the path of a file in the same folder, whatever the name."""
        return self.path.with_name(Path(f"-{name}").name.removeprefix("-") or "-")

    def _bad(self) -> dict[int, Path]:
        """Return the damaged databases by their numbers."""
        pattern = re.compile(re.escape(self.path.name) + r"\.bad(?:\.([1-9][0-9]*))?")
        found = ((pattern.fullmatch(path.name), path) for path in self.path.parent.iterdir())
        return {int(match[1] or 0): path for match, path in found if match}

    def _now(self) -> _Stamp:
        status = self.path.stat()
        return _Stamp(status.st_size, status.st_mtime_ns)

    def _size(self, ending: str) -> int:
        try:
            return self._beside(ending).stat().st_size
        except FileNotFoundError:
            return 0

    def _beside(self, ending: str) -> Path:
        return self._of(self.path, ending)

    @staticmethod
    def _of(path: Path, ending: str) -> Path:
        return path.with_name(path.name + ending)

"""Reading a file of JSON lines, one Entry each, as `exporting` writes it."""

import os
import stat
from collections.abc import Generator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from p2pchat.errors import RequestError
from p2pchat.history import PAGE, Entry, History
from p2pchat.identity import PeerId
from p2pchat.text import visible
from p2pchat.ui.ours import as_ours
from p2pchat.ui.surroundings import InThread
from p2pchat.ui.tables import plural

#: The longest line, in bytes: a message of 32 KiB of which each byte is written as an escape.
LINE_LIMIT = 256 * 1024

#: A page ends after so many bytes, if it has not PAGE messages before.
PAGE_SIZE = 4 * 1024 * 1024

#: The earliest time that a message may have, and how far ahead of ours a clock may be.
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
CLOCK_ERROR = timedelta(days=1)

_ENTRY = msgspec.json.Decoder(Entry)


class Imported(NamedTuple):
    """How many messages of a file were added, were skipped, and are none of ours.

    Skipped is what is there already, so that loading a file twice doubles nothing, and what is too
    old to be kept.
    """

    added: int = 0
    skipped: int = 0
    foreign: int = 0

    def __str__(self) -> str:
        text = f"{plural(self.added, 'message')} added, {self.skipped} skipped"
        text += " (there already, or too old)" if self.skipped else ""
        return f"{text}, {self.foreign} left out (between others)" if self.foreign else text


class Import:
    """Loads one file into the history of `me`; `so_far` counts, also if it fails."""

    def __init__(
        self,
        history: History,
        me: PeerId,
        path: Path,
        now: datetime,
        in_thread: InThread,
    ) -> None:
        self.so_far = Imported()
        self._history = history
        self._me = me
        self._pages = read_export(path, now)
        self._in_thread = in_thread

    async def run(self) -> None:
        """Load all of the file.

        Raises RequestError if it cannot be read or a line is no message; what stands before it is
        loaded. StoreError and QueueFullError of the history pass.
        """
        try:
            while page := await self._in_thread(lambda: next(self._pages, None)):
                await self._load(page)
        finally:
            await self._in_thread(self._pages.close)

    async def _load(self, page: list[Entry]) -> None:
        ours = [entry for entry in (as_ours(entry, self._me) for entry in page) if entry]
        added, skipped = await self._history.import_entries(ours)
        counts = (added, skipped, len(page) - len(ours))
        self.so_far = Imported(*map(sum, zip(self.so_far, counts, strict=True)))


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading, without waiting for it; OSError if it is none, or not regular.

    Of a pipe that nobody writes to, a plain open() would wait for ever.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(None, "not a regular file")
    return os.fdopen(fd, "rb")


def read_export(path: Path, now: datetime) -> Generator[list[Entry], None, None]:
    """Read a file page by page; RequestError names the line that is no message."""
    try:
        with open_regular(path) as file:
            yield from _pages(file, path, now + CLOCK_ERROR)
    except OSError as error:
        raise RequestError(f"cannot read {visible(str(path))}: {error.strerror}") from error


def _pages(file: BinaryIO, path: Path, latest: datetime) -> Iterator[list[Entry]]:
    page: list[Entry] = []
    size = 0
    for number, line in enumerate(_lines(file), 1):
        if not line.strip():
            continue
        try:
            page.append(_read(line, latest))
        except RequestError as error:
            if page:
                yield page
            raise RequestError(f"{visible(str(path))}, line {number}: {error}") from error
        size += len(line)
        if len(page) == PAGE or size > PAGE_SIZE:
            yield page
            page, size = [], 0
    if page:
        yield page


def _lines(file: BinaryIO) -> Iterator[bytes]:
    while line := file.readline(LINE_LIMIT + 1):
        yield line


def _read(line: bytes, latest: datetime) -> Entry:
    if len(line) > LINE_LIMIT:
        raise RequestError(f"longer than {LINE_LIMIT} bytes")
    try:
        entry = _ENTRY.decode(line)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise RequestError(f"not a message: {visible(str(error), 200)}") from error
    if not EARLIEST <= entry.time <= latest:
        raise RequestError(f"the time {entry.time.isoformat()} is before 1970 or in the future")
    return entry

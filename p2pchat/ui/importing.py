"""Reading a file of JSON lines, one Entry each, as `exporting` writes it."""

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from p2pchat.errors import RequestError
from p2pchat.history import PAGE, Entry, History
from p2pchat.text import visible
from p2pchat.ui.surroundings import InThread

#: The longest line, in bytes: a message of 32 KiB of which each byte is written as an escape.
LINE_LIMIT = 256 * 1024

#: A page ends after so many bytes, if it has not PAGE messages before.
PAGE_SIZE = 4 * 1024 * 1024

_ENTRY = msgspec.json.Decoder(Entry)


async def import_file(history: History, path: Path, in_thread: InThread) -> tuple[int, int]:
    """Load a file into the history; return how many messages were added and how many skipped.

    Skipped is what is there already, so that loading it twice doubles nothing. Raises RequestError
    if the file cannot be read or a line is no message; what stands before it is loaded. StoreError
    and QueueFullError of the history pass.
    """
    added = skipped = 0
    pages = read_export(path)
    try:
        while page := await in_thread(lambda: next(pages, None)):
            more_added, more_skipped = await history.import_entries(page)
            added += more_added
            skipped += more_skipped
    finally:
        await in_thread(pages.close)
    return added, skipped


def read_export(path: Path) -> Generator[list[Entry], None, None]:
    """Read a file page by page; RequestError names the line that is no message."""
    try:
        with path.open("rb") as file:
            yield from _pages(file, path)
    except OSError as error:
        raise RequestError(f"cannot read {visible(str(path))}: {error.strerror}") from error


def _pages(file: BinaryIO, path: Path) -> Iterator[list[Entry]]:
    page: list[Entry] = []
    size = 0
    for number, line in enumerate(_lines(file), 1):
        if not line.strip():
            continue
        try:
            page.append(_read(line))
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


def _read(line: bytes) -> Entry:
    if len(line) > LINE_LIMIT:
        raise RequestError(f"longer than {LINE_LIMIT} bytes")
    try:
        return _ENTRY.decode(line)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise RequestError(f"not a message: {visible(str(error), 200)}") from error

"""Writing the history to a file of JSON lines, one Entry each; `importing` reads it."""

import os
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

import msgspec

from p2pchat.errors import RequestError
from p2pchat.history import Entry
from p2pchat.text import visible
from p2pchat.ui.surroundings import InThread


async def export_file(
    pages: AsyncIterator[list[Entry]], name: str, in_thread: InThread
) -> tuple[str, int]:
    """Write pages to a new file for its owner alone; return its path, and how many messages.

    `~` stands for the user's folder. Raises RequestError if the file is there already or cannot be
    written; a file that was begun is taken away then, and if a page can't be had.
    """
    path = _path_of(name)
    try:
        file = await in_thread(lambda: _create(path))
        try:
            count = await _write_pages(pages, file, in_thread)
        except BaseException:
            await in_thread(lambda: _take_away(file, path))
            raise
    except FileExistsError as error:
        raise RequestError(f"{_shown(path)} is there already: choose another name") from error
    except OSError as error:
        raise RequestError(f"cannot write {_shown(path)}: {error.strerror or error}") from error
    return str(path), count


async def _write_pages(
    pages: AsyncIterator[list[Entry]], file: BinaryIO, in_thread: InThread
) -> int:
    count = 0
    async for page in pages:
        await in_thread(partial(_write, file, page))
        count += len(page)
    await in_thread(lambda: _finish(file))
    return count


def _path_of(name: str) -> Path:
    try:
        path = Path(name).expanduser().absolute()
        if b"\0" in os.fsencode(path):
            raise ValueError("a file's name has no null character")
    except (RuntimeError, OSError, ValueError) as error:  # nobody's folder, for instance
        raise RequestError(f"no file can be {visible(name, 80)}: {error}") from error
    return path


def _create(path: Path) -> BinaryIO:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    return os.fdopen(fd, "wb")


def _write(file: BinaryIO, page: list[Entry]) -> None:
    file.write(msgspec.json.Encoder().encode_lines(page))


def _finish(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
    file.close()


def _take_away(file: BinaryIO, path: Path) -> None:
    path.unlink(missing_ok=True)
    file.close()


def _shown(path: Path) -> str:
    return visible(str(path))

"""The lines a user typed, kept in a file over sessions.

One line of the file is one entry, the newest last. The file is for its owner alone (mode 0600) and
is cut when it is opened, so that it does not grow for ever.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from prompt_toolkit.history import History
from twisted.logger import Logger

#: Entries kept when the file is opened.
MAX_ENTRIES = 1000


class FileHistory(History):
    """History in the file at path; without the file if it cannot be read or written."""

    _log = Logger()

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._usable = True

    def load_history_strings(self) -> Iterable[str]:
        """Return the entries, the newest first."""
        try:
            entries = self._path.read_text("utf-8", "replace").split("\n")
        except FileNotFoundError:
            return []
        except OSError as error:
            self._give_up(error)
            return []
        entries = [entry for entry in entries if entry]
        if len(entries) > MAX_ENTRIES:
            entries = entries[-MAX_ENTRIES:]
            self._replace(entries)
        return reversed(entries)

    def store_string(self, string: str) -> None:
        """Append an entry."""
        if self._usable:
            self._write(self._path, os.O_APPEND, [string])

    def _replace(self, entries: list[str]) -> None:
        fresh = self._path.with_name(self._path.name + ".new")
        self._write(fresh, os.O_TRUNC, entries)
        if self._usable:
            fresh.replace(self._path)

    def _write(self, path: Path, flag: int, entries: list[str]) -> None:
        text = "".join(entry.replace("\n", " ") + "\n" for entry in entries)
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | flag, 0o600)
            with os.fdopen(fd, "wb") as file:
                os.fchmod(fd, 0o600)
                file.write(text.encode("utf-8", "replace"))
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self._usable = False
        self._log.warn("The history of commands is not kept: {error}", error=error)

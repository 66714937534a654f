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
    """History in the file at path; what cannot be written is written with the next entry."""

    _log = Logger()

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        #: Entries that are not in the file yet.
        self._missed: list[str] = []
        self._failed = False

    def load_history_strings(self) -> Iterable[str]:
        """Return the entries, the newest first."""
        try:
            entries = self._path.read_text("utf-8", "replace").split("\n")
        except FileNotFoundError:
            return []
        except OSError as error:
            self._log.warn("The history of commands cannot be read: {error}", error=error)
            return []
        entries = [entry for entry in entries if entry]
        if len(entries) > MAX_ENTRIES:
            entries = entries[-MAX_ENTRIES:]
            self._replace(entries)
        return reversed(entries)

    def store_string(self, string: str) -> None:
        """Append an entry."""
        entries = [*self._missed, string][-MAX_ENTRIES:]
        # of what could not be written a part may stand there: an empty line ends it
        lines = ["", *entries] if self._failed else entries
        self._missed = [] if self._write(self._path, os.O_APPEND, lines) else entries

    def _replace(self, entries: list[str]) -> None:
        fresh = self._path.with_name(self._path.name + ".new")
        if self._write(fresh, os.O_TRUNC, entries):
            fresh.replace(self._path)

    def _write(self, path: Path, flag: int, entries: list[str]) -> bool:
        """Tell whether it could be done; if not that is logged once."""
        text = "".join(entry.replace("\n", " ") + "\n" for entry in entries)
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | flag, 0o600)
            with os.fdopen(fd, "wb") as file:
                os.fchmod(fd, 0o600)
                file.write(text.encode("utf-8", "replace"))
        except OSError as error:
            if not self._failed:
                self._log.warn("The history of commands is not written: {error}", error=error)
            self._failed = True
            return False
        self._failed = False
        return True

"""The checks of a file that was not closed in order, done in slices while it is in use."""

import sqlite3
from collections import deque
from collections.abc import Callable
from contextlib import closing, suppress
from threading import Lock

from p2pchat.history import StoreError
from p2pchat.store.check import Check
from p2pchat.store.errors import DamagedError, as_store_errors

#: How long it takes at the most that a check gives up when it is told to, in seconds.
PATIENCE = 0.05


class Inspection:
    """Checks a file in one thread, and may be stopped in another.

    Each slice has a connection, and a state of the file to look at, of its own: what is written
    meanwhile is not held up, nor for long that it is moved into the database.
    """

    def __init__(
        self, connect: Callable[[], sqlite3.Connection], suspect: Callable[[str], None]
    ) -> None:
        self._connect = connect
        self._suspect = suspect
        self._failed = False
        self._slices: deque[Check] = deque()
        self._running = Lock()
        self._db: sqlite3.Connection | None = None

    @property
    def is_due(self) -> bool:
        """Whether there is something left to check."""
        return bool(self._slices)

    @property
    def goes_on(self) -> bool:
        """Whether that can be done now; not if the disk failed, until the file is opened anew."""
        return self.is_due and not self._failed

    def begin(self, slices: "deque[Check]") -> None:
        """Note what is to be checked, each in a slice."""
        self._slices = slices
        self._failed = False

    def do_a_slice(self) -> None:
        """Do the next check; StoreError if it could not be done or found something wrong.

        It is to be done still in both cases.
        """
        with self._running:
            slices = self._slices
            if not slices:
                return
            try:
                self._run(slices[0])
                slices.popleft()
            except StoreError as error:
                self._failed = True
                if isinstance(error, DamagedError):
                    self._suspect(str(error))
                raise

    def stop(self) -> None:
        """Check no more; returns when nothing is read."""
        self._slices = deque()
        self.interrupt()
        while not self._running.acquire(timeout=PATIENCE):
            self.interrupt()
        self._running.release()

    def interrupt(self) -> None:
        """Let a check that is under way fail."""
        db = self._db
        if db is not None:
            # it may be closed by now
            with suppress(sqlite3.ProgrammingError):
                db.interrupt()

    def _run(self, check: Check) -> None:
        with as_store_errors(), closing(self._connect()) as db:
            self._db = db
            try:
                check(db)
            finally:
                self._db = None

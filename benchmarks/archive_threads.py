"""Two threads that compute what nodes do: one mines, one verifies, as long as they are told to."""

import os
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

from twisted.application.service import Service

from benchmarks.archive_chats import HEIGHT, unmined
from p2pchat.archive.kernel import VARIABLE
from p2pchat.archive.kernel.choice import choose

#: More zero bytes than a search finds.
_TOO_MANY = 4

#: How often it is looked whether to begin, in seconds.
_POLL = 0.01


class Computing(Service):
    """Mines and verifies in the process of a node while a file is there."""

    def __init__(self, sign: Path) -> None:
        self._sign = sign
        self._ended = Event()
        self._kernel = choose(os.environ.get(VARIABLE, ""))
        self._archive = unmined(HEIGHT, 0)

    def startService(self) -> None:
        Service.startService(self)
        for work in (self._mine, self._verify):
            Thread(target=self._run, args=(work,), daemon=True).start()

    def stopService(self) -> None:
        Service.stopService(self)
        self._ended.set()

    def _run(self, work: Callable[[], object]) -> None:
        while not self._ended.wait(_POLL):
            while self._sign.exists() and not self._ended.is_set():
                work()

    def _mine(self) -> None:
        self._kernel.search(b"", self._is_over, 0, _TOO_MANY)

    def _is_over(self) -> bool:
        return self._ended.is_set() or not self._sign.exists()

    def _verify(self) -> None:
        archive = self._archive
        invalid = self._kernel.first_invalid(
            bytes(archive.view()), archive.offsets, 0, archive.height, 0
        )
        assert invalid is None

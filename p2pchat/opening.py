"""Opening the history, again and again while the disk fails."""

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from p2pchat.history import History, Opened, StoreError

#: Seconds until a history that cannot be opened is tried again.
RETRY_TIME = 5.0


class HistoryOpening:
    """Opens a history, and has `opened` take up what an earlier run left.

    `failed` hears of each attempt that fails: why, and whether it is for another reason than the
    one before.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        history: History,
        failed: Callable[[str, bool], None],
        opened: Callable[[Opened], Coroutine[Any, Any, None]],
    ) -> None:
        self._clock = clock
        self._history = history
        self._failed = failed
        self._opened = opened
        self._running = False
        self._opening: Deferred[None] = succeed(None)
        self._pause: Deferred[None] = succeed(None)

    def start(self) -> None:
        """Begin to open it."""
        self._running = True
        self._opening = Deferred.fromCoroutine(self._open())
        self._opening.addErrback(lambda failure: self.log.failure("no history", failure))

    async def stop(self) -> None:
        """Try no more, and wait for an attempt that is under way."""
        self._running = False
        self._pause.cancel()
        await self._opening

    async def _open(self) -> None:
        told = ""
        while self._running:
            try:
                opened = await self._history.open()
            except StoreError as error:
                self._failed(str(error), str(error) != told)
                told = str(error)
                self._pause = deferLater(self._clock, RETRY_TIME)
                await self._pause.addErrback(lambda failure: failure.trap(CancelledError))
            else:
                await self._opened(opened)
                return

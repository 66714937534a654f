"""Writes the archive and our chats to the storage, in a thread, one write at a time.

What changes during a write is written with the next one, so that a slow disk costs writes and not
memory. If the disk fails the node lives on without it and tries again.
"""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure

from p2pchat.archive.archive import Archive
from p2pchat.archive.storage import Loaded, OwnRecord, Storage

#: Seconds until a write that failed is tried again.
RETRY_TIME = 5.0


class Keeper:
    """Keeps storage up to date.

    `failed` hears of the first write of several that fails, with the reason; `recovered` of the
    first one after that which does not.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        storage: Storage,
        failed: Callable[[str], None],
        recovered: Callable[[], None],
    ) -> None:
        self._reactor = reactor
        self._clock: IReactorTime = reactor
        self._storage = storage
        self._failed = failed
        self._recovered = recovered
        self._saved = self._archive = Archive()
        self._own: list[OwnRecord] | None = None
        self._waiting: list[Callable[[], None]] = []
        self._writing: Deferred[None] | None = None
        self._retry: IDelayedCall | None = None
        #: Why the last write failed, "" if it did not.
        self.trouble = ""

    async def load(self) -> Loaded:
        """Read what is stored; OSError if it can't be read."""
        loaded: Loaded = await self._in_thread(self._storage.load)
        self._saved = self._archive = loaded.archive
        return loaded

    def keep(self, archive: Archive) -> None:
        """Store this archive."""
        self._archive = archive
        self._write_soon()

    def keep_own(self, records: list[OwnRecord]) -> None:
        """Store these chats of ours."""
        self._own = records
        self._write_soon()

    def when_saved(self, call: Callable[[], None]) -> None:
        """Call when all that was to be stored until now is."""
        if self._saved is self._archive and self._own is None and self._writing is None:
            call()
        else:
            self._waiting.append(call)

    async def stop(self) -> None:
        """Try to store what is not stored yet, once more."""
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
            self._write_soon()
        if self._writing is not None:
            await self._writing
        if self._retry is not None:
            self._retry.cancel()

    def _write_soon(self) -> None:
        if self._writing is None and self._retry is None:
            writing = self._writing = Deferred()
            Deferred.fromCoroutine(self._write()).addBoth(self._written, writing)

    def _written(self, result: Any, writing: "Deferred[None]") -> None:
        self._writing = None
        writing.callback(None)
        if isinstance(result, Failure):
            self._log_bug(result)

    async def _write(self) -> None:
        while self._own is not None or self._saved is not self._archive or self._waiting:
            waiting, self._waiting = self._waiting, []
            try:
                await self._write_own()
                await self._write_archive()
            except Exception as error:  # noqa: BLE001  # whatever it is, nothing is stored
                self._waiting = waiting + self._waiting
                self._fail(error)
                return
            self._recover()
            for call in waiting:
                maybeDeferred(call).addErrback(self._log_bug)

    async def _write_own(self) -> None:
        own = self._own
        if own is not None:
            await self._in_thread(self._storage.save_own, own)
            # unless there are others meanwhile
            self._own = None if self._own is own else self._own

    async def _write_archive(self) -> None:
        saved, archive = self._saved, self._archive
        if archive is saved:
            return
        if saved.common(archive) == saved.height:
            await self._in_thread(self._storage.append, archive, saved.height)
        else:
            await self._in_thread(self._storage.replace, archive)
        self._saved = archive

    def _fail(self, error: Exception) -> None:
        self._retry = self._clock.callLater(RETRY_TIME, self._try_again)
        if not isinstance(error, OSError):
            self._log_bug(Failure(error))
        reason = getattr(error, "strerror", None) or str(error)
        if filename := getattr(error, "filename", None):
            reason = f"{filename}: {reason}"
        if not self.trouble:
            self.trouble = f"cannot be written: {reason}"
            self._failed(reason)

    def _recover(self) -> None:
        if self.trouble:
            self.trouble = ""
            self._recovered()

    def _log_bug(self, failure: Failure) -> None:
        self.log.failure("storing the archive failed", failure)

    def _try_again(self) -> None:
        self._retry = None
        self._write_soon()

    def _in_thread(self, function: Callable[..., Any], *arguments: Any) -> "Deferred[Any]":
        pool = self._reactor.getThreadPool()
        return deferToThreadPool(self._reactor, pool, function, *arguments)

"""A registry that outlives its process: it answers from memory and writes to a file behind that.

Changes gather for WRITE_TIME and are then written together, in a thread; a request never waits for
the disk, and DISCOVER writes nothing. What was registered in the last second or two before a crash
is lost, which costs little: clients register again when they find themselves unknown.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure

from p2pchat.events import Level
from p2pchat.rendezvous.listing import Listing
from p2pchat.rendezvous.messages import Register
from p2pchat.rendezvous.registry import MemoryRegistry, RegistryFullError
from p2pchat.rendezvous.roll import Key, Term
from p2pchat.rendezvous.sqlite_file import DamagedError, FileError, Kept, RegistrationFile
from p2pchat.rendezvous.trouble import Trouble

T = TypeVar("T")

#: Seconds that changes gather before they are written.
WRITE_TIME = 1.0

#: Seconds until a file that could not be written is tried again.
RETRY_TIME = 5.0


class SqliteRegistry:
    """A MemoryRegistry whose registrations are in the file at `path` when it is opened again.

    `seconds` tells the time, which must not go back, and `wall_clock` the seconds since 1970.
    `pool` is of threads, one at least, and its own. A bad file is set aside, and a disk that fails
    costs what was to be kept, not a request: `notify` hears of either.
    """

    at_once = True
    log = Logger()

    def __init__(
        self,
        reactor: Any,
        pool: Any,
        path: Path,
        *,
        seconds: Callable[[], float],
        wall_clock: Callable[[], float],
        notify: Callable[[Level, str], None],
        max_entries: int,
        max_per_ip: int,
    ) -> None:
        self._reactor = reactor
        self._clock: IReactorTime = reactor
        self._pool = pool
        self._file = RegistrationFile(path)
        self._seconds = seconds
        self._wall_clock = wall_clock
        self._notify = notify
        self._memory = MemoryRegistry(
            seconds, max_entries=max_entries, max_per_ip=max_per_ip, changed=self._changed
        )
        # At most one for each registration and each that has gone since the last write.
        self._changes: dict[Key, Term | None] = {}
        # Once a write has failed, the next one writes everything: no changes have to gather.
        self._whole = False
        # What the file had at the start is not known yet: nothing may be written over it.
        self._unread = True
        # Who has gone until then, and must not come back with it: as many as it can have.
        self._gone: set[Key] = set()
        self._max_gone = max_entries
        self._timer: IDelayedCall | None = None
        self._writing: Deferred[None] | None = None
        self._is_open = False
        self._trouble = Trouble(
            notify, f"registrations can't be kept in {path}", f"registrations are in {path} again"
        )

    async def open(self) -> None:
        """Read what is in the file; one that can't be read now is read when it can be."""
        self._pool.start()
        self._is_open = True
        try:
            await self._take_in()
        except FileError as error:
            self._failed(error)
            self._write_later(RETRY_TIME)

    async def close(self) -> None:
        """Write what is not written yet."""
        if not self._is_open:
            return
        self._is_open = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._writing is not None:
            await self._writing
        if self._whole or self._changes:
            await self._write_out()
        await self._in_thread(self._file.close)
        self._pool.stop()

    async def register(self, ip: str, registration: Register) -> None:
        await self._memory.register(ip, registration)
        self._write_later(WRITE_TIME)

    async def knows(self, ip: str) -> bool:
        return await self._memory.knows(ip)

    async def find(self, namespace: str | None) -> Listing:
        return await self._memory.find(namespace)

    async def unregister(self, ip: str, namespace: str, name: str | None, port: int | None) -> int:
        gone = await self._memory.unregister(ip, namespace, name, port)
        if gone:
            self._write_later(WRITE_TIME)
        return gone

    async def census(self) -> Mapping[str, int]:
        return await self._memory.census()

    async def _take_in(self) -> None:
        """Take over what is in the file, but for what has changed meanwhile; FileError."""
        kept = await self._read()
        newer = self._memory.snapshot().keys() | self._gone
        self._unread = False
        self._gone = set()
        self._restore([one for one in kept if one[0] not in newer] if newer else kept)

    async def _read(self) -> list[Kept]:
        now = self._wall_clock()
        try:
            return await self._in_thread(lambda: self._file.read(now))
        except DamagedError as error:
            await self._set_aside(error)
            return await self._in_thread(lambda: self._file.read(now))

    def _restore(self, kept: list[Kept]) -> None:
        now, wall_now = self._seconds(), self._wall_clock()
        kept.reverse()
        while kept:
            key, term = kept.pop()  # each goes as it comes: there may be 100,000
            # if the clock was set back, what is left can be more than there ever was
            left = min(term.expires_at - wall_now, term.ttl)
            try:
                self._memory.restore(key, Term(term.port, term.ttl, now + left))
            except RegistryFullError:
                self._whole = True
        if self._whole:
            self._write_later(WRITE_TIME)

    def _changed(self, key: Key, term: Term | None) -> None:
        # what has expired is found by any request, but gives no reason to write
        if not self._whole:
            self._changes[key] = term
        if self._unread and term is None and len(self._gone) < self._max_gone:
            self._gone.add(key)

    def _write_later(self, delay: float) -> None:
        if self._is_open and self._timer is None and self._writing is None:
            self._timer = self._clock.callLater(delay, self._write)

    def _write(self) -> None:
        self._timer = None
        writing = self._writing = Deferred.fromCoroutine(self._write_out())
        writing.addErrback(self._broken)
        writing.addCallback(self._written)

    def _written(self, _: None) -> None:
        self._writing = None
        if self._whole:
            self._write_later(RETRY_TIME)
        elif self._changes:
            self._write_later(WRITE_TIME)

    def _broken(self, failure: Failure) -> None:
        self.log.failure("[Rendezvous] registrations were not written", failure)
        self._whole = True

    async def _write_out(self) -> None:
        if self._unread:
            try:
                await self._take_in()
            except FileError as error:
                self._failed(error)
                return
        whole, self._whole = self._whole, False
        changes, self._changes = self._changes, {}
        everything: Mapping[Key, Term | None] = self._memory.snapshot() if whole else changes
        later = self._wall_clock() - self._seconds()
        try:
            await self._in_thread(lambda: self._file.write(everything, later, whole=whole))
        except DamagedError as error:
            self._failed(error)
            await self._set_aside(error)
        except FileError as error:
            self._failed(error)
        else:
            self._trouble.worked()

    async def _set_aside(self, error: DamagedError) -> None:
        path = self._file.path
        try:
            aside = await self._in_thread(self._file.set_aside)
        except FileError as failed:
            self._failed(failed)
            return
        self._notify(
            "warning", f"{path} can't be used: {error}; it is {aside} now, a new one begun"
        )

    def _failed(self, error: FileError) -> None:
        self._whole = True
        self._changes = {}
        self._trouble.failed(str(error))

    def _in_thread(self, work: Callable[[], T]) -> "Deferred[T]":
        return deferToThreadPool(self._reactor, self._pool, work)

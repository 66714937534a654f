"""The history in a file: what the node sees of it."""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, TimeoutError, fail
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from p2pchat.events import Level
from p2pchat.history import (
    Bounds,
    Entry,
    FinalState,
    Found,
    KnownPeer,
    Opened,
    OutboxEntry,
    Received,
    StoreError,
    Unread,
    to_milliseconds,
)
from p2pchat.identity import Address, PeerId
from p2pchat.store import answers, queries
from p2pchat.store.database import Database
from p2pchat.store.errors import DamagedError
from p2pchat.store.inspector import Inspector
from p2pchat.store.journal import Journal
from p2pchat.store.reader import Query, Reader
from p2pchat.store.transactions import Transactions
from p2pchat.store.writer import Writer

T = TypeVar("T")

#: The name of the file in the node's folder.
FILE = "history.db"

#: For how long a search waits for what is not indexed yet, in seconds.
INDEX_TIME = 1.0

#: What the user has to know when it cannot be written.
CONSEQUENCE = (
    "until that is mended messages are neither shown nor confirmed, so that their senders try again"
)

_BEGINNING = (to_milliseconds(datetime.min.replace(tzinfo=UTC)), 0)


def make_pool() -> ThreadPool:
    """Make threads of our own: those of the reactor may all be busy looking up names."""
    return ThreadPool(minthreads=0, maxthreads=3, name="history")


class SqliteHistory:
    """A History in the file at `path`, in a folder that no other process writes to.

    `notify` hears what the user has to know while it is open. Threads come from what `make_pool`
    returns; they end when the history is closed, or else with the reactor.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        path: Path,
        me: PeerId,
        bounds: Bounds,
        wall_clock: Callable[[], datetime],
        notify: Callable[[Level, str], None],
        make_pool: Callable[[], Any] = make_pool,
    ) -> None:
        self._reactor = reactor
        self._me = me
        self._max_peers = bounds.max_peers
        self._notify = notify
        self._database = Database(path, me, bounds, wall_clock)
        self._transactions = Transactions(self._database)
        self._pool = make_pool()
        self._writer = Writer(reactor, self._pool, self._transactions, self._written_to)
        self._reader = Reader(reactor, self._pool, self._database)
        self._inspector = Inspector(
            *(reactor, self._pool, self._database.inspection), self._writer.keep_up
        )
        self._shutdown: Any = None
        self._closing: Deferred[None] | None = None
        self._open = False
        self._opening: list[Deferred[None]] | None = None
        self._trouble = False
        self._replaced: list[Callable[[], None]] = []

    def open(self) -> "Deferred[Opened]":
        """Open the file, or begin one; StoreError."""
        if self._shutdown is None:
            self._pool.start()
            trigger = ("during", "shutdown", self._pool.stop)
            self._shutdown = self._reactor.addSystemEventTrigger(*trigger)
        self._opening = self._opening or []
        opening = self._in_thread(self._transactions.open).addCallback(self._opened)
        return opening.addBoth(self._let_ask)

    def close(self) -> "Deferred[None]":
        """Do what was asked for before, then end; fires without error."""
        self._open = False
        if self._closing is None:
            self._closing = Deferred.fromCoroutine(self._close())
        closed: Deferred[None] = Deferred()
        self._closing.chainDeferred(closed)
        return closed

    def watch(self, replaced: Callable[[], None]) -> None:
        """Call `replaced` whenever a new file took the place of a damaged one."""
        self._replaced.append(replaced)

    # What is written

    def receive(self, batch: Sequence[Received]) -> "Deferred[list[int | None]]":
        """Store what came in."""
        text = sum(len(message.text) for message in batch)
        return self._write(lambda journal: journal.receive(batch), len(batch), text)

    def queue(self, to: PeerId, msg_id: str, text: str, time: datetime) -> "Deferred[int]":
        """Put a message into the outbox."""
        return self._write(lambda journal: journal.queue(to, msg_id, text, time), 1, len(text))

    def requeue(self, entries: Sequence[OutboxEntry]) -> "Deferred[int]":
        """Put back into the outbox what a damaged file has lost."""
        text = sum(len(entry.text) for entry in entries)
        return self._write(lambda journal: journal.requeue(entries), len(entries), text)

    def published(self, target: str, msg_id: str, text: str, time: datetime) -> "Deferred[int]":
        """Store what we published."""
        return self._write(
            lambda journal: journal.published(target, msg_id, text, time), 1, len(text)
        )

    def attempting(self, msg_id: str) -> "Deferred[bool]":
        """Count an attempt."""
        return self._write(lambda journal: journal.attempting(msg_id))

    def written(self, msg_id: str, *, counted: bool = False) -> "Deferred[bool]":
        """Note that it is sent."""
        return self._write(lambda journal: journal.written(msg_id, counted))

    def settled(self, msg_id: str, state: FinalState, reason: str = "") -> "Deferred[bool]":
        """Take a message out of the outbox."""
        return self._write(lambda journal: journal.settled(msg_id, state, reason))

    def cancel(self, message: int | str) -> "Deferred[bool]":
        """Withdraw what is in the outbox."""
        return self._write(lambda journal: journal.cancel(message))

    def read(self, stored_id: int) -> "Deferred[None]":
        """Note that all up to this message were read."""
        return self._write(lambda journal: journal.read(stored_id))

    def import_entries(self, entries: Sequence[Entry]) -> "Deferred[tuple[int, int]]":
        """Store messages from an export."""
        text = sum(len(entry.text) for entry in entries)
        return self._write(lambda journal: journal.import_entries(entries), len(entries), text)

    def peer_seen(
        self, peer: PeerId, addresses: Sequence[Address], time: datetime
    ) -> "Deferred[None]":
        """Note a contact."""
        return self._write(lambda journal: journal.peer_seen(peer, addresses, time))

    def archive_peer_seen(self, host: str, time: datetime) -> "Deferred[None]":
        """Note a link to a peer of the archive."""
        return self._write(lambda journal: journal.archive_peer_seen(host, time))

    # What is read

    def outbox(self) -> "Deferred[list[OutboxEntry]]":
        """Return what waits to be delivered."""
        return self._ask(answers.outbox)

    def entries(
        self, conversation: str | None, count: int, before: datetime | None = None
    ) -> "Deferred[list[Entry]]":
        """Return the last messages of a conversation."""
        until = None if before is None else to_milliseconds(before)
        return self._ask(lambda db: answers.entries(db, self._me, conversation, count, until))

    def search(self, words: str, count: int) -> "Deferred[list[Found]]":
        """Return what has all these words."""
        return Deferred.fromCoroutine(self._search(words, count))

    def unread(self, count: int) -> "Deferred[Unread]":
        """Count what nobody has read, and return the last of it."""
        return self._ask(lambda db: answers.unread(db, self._me, count))

    async def export(self) -> AsyncIterator[list[Entry]]:
        """Yield everything, oldest first."""
        await self._writer.when_indexed()
        after = _BEGINNING
        while page := await self._ask(partial(answers.page, me=self._me, after=after)):
            yield page
            after = (to_milliseconds(page[-1].time), page[-1].stored_id)

    def peers(self) -> "Deferred[list[KnownPeer]]":
        """Return the peers we had to do with."""
        return self._ask(lambda db: answers.peers(db, self._max_peers))

    def archive_peers(self) -> "Deferred[list[str]]":
        """Return the peers of the archive."""
        return self._ask(queries.archive_peers)

    def _opened(self, opened: Opened) -> Opened:
        self._open = True
        self._writer.keep_up()
        self._inspector.go_on()
        return opened

    def _let_ask(self, result: T) -> T:
        """Let go on what was asked while it was being opened, whatever came of that."""
        waiting, self._opening = self._opening or [], None
        for waiter in waiting:
            waiter.callback(None)
        return result

    async def _close(self) -> None:
        await self._writer.stop()
        await self._reader.stop()
        if self._shutdown is None:
            return
        inspected = self._inspector.stop()
        try:
            await self._in_thread(self._database.close)
        except StoreError as error:
            self.log.warn("[Store] not closed in order: {error}", error=error)
        await inspected
        self._reactor.removeSystemEventTrigger(self._shutdown)
        self._pool.stop()

    async def _search(self, words: str, count: int) -> list[Found]:
        try:
            await self._writer.when_indexed().addTimeout(INDEX_TIME, self._reactor)
        except (StoreError, TimeoutError) as error:
            # what came last is not found then, all the rest is
            self.log.warn("[Store] not indexed: {error}", error=error)
        return await self._ask(lambda db: answers.search(db, self._me, words, count))

    def _write(
        self, request: Callable[[Journal], T], messages: int = 1, text: int = 0
    ) -> "Deferred[T]":
        if not self._open:
            return fail(StoreError("the history is not open"))
        return self._writer.submit(request, messages, text)

    def _ask(self, query: "Query[T]") -> "Deferred[T]":
        if self._opening is not None:
            waiter: Deferred[None] = Deferred()
            self._opening.append(waiter)
            return waiter.addCallback(lambda _: self._ask(query))
        if not self._open:
            return fail(StoreError("the history is not open"))
        return self._reader.ask(query).addErrback(self._not_read)

    def _not_read(self, failure: Failure) -> Failure:
        if failure.check(DamagedError):
            self._writer.keep_up()
        return failure

    def _written_to(self, committed: bool, error: Exception | None) -> None:
        """Tell the user when the disk fails for the first time, and when it does not any more."""
        for notice in self._database.take_notices():
            self._notify(*notice)
        for replaced in self._replaced if self._database.take_replaced() else ():
            replaced()
        self._inspector.go_on()
        if isinstance(error, StoreError) and not self._trouble:
            self._trouble = True
            self._notify("error", f"the history cannot be written: {error}; {CONSEQUENCE}")
        elif error is not None and not isinstance(error, StoreError):
            self.log.failure("[Store] the store is not kept up", Failure(error))
        elif committed and self._trouble:
            self._trouble = False
            self._notify("info", "the history is written again")

    def _in_thread(self, work: Callable[[], T]) -> "Deferred[T]":
        return deferToThreadPool(self._reactor, self._pool, work)

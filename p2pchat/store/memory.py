"""The history of a node that keeps nothing: in memory, within the same bounds."""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from functools import partial
from typing import TypeVar

from twisted.internet.defer import CancelledError, Deferred, execute, fail, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from p2pchat.history import (
    MAX_COUNT,
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
)
from p2pchat.identity import Address, PeerId
from p2pchat.store.notebook import Notebook
from p2pchat.store.shelf import BEGINNING
from p2pchat.store.words import MAX_MATCHES, find, parse_search

T = TypeVar("T")

#: How many messages are searched before the reactor gets its turn.
SLICE = 200


class MemoryHistory:
    """A History of `me` that lasts as long as the object; times come from `wall_clock`."""

    def __init__(
        self,
        clock: IReactorTime,
        me: PeerId,
        bounds: Bounds,
        wall_clock: Callable[[], datetime],
    ) -> None:
        self._clock = clock
        self._notebook = Notebook(me, bounds, wall_clock)
        self._searches: set[Deferred[list[Found]]] = set()
        self._is_open = False

    def open(self) -> "Deferred[Opened]":
        """Begin, with what is there if it was closed before."""
        self._is_open = True
        return self._do(self._opened)

    def close(self) -> "Deferred[None]":
        """End."""
        for search in list(self._searches):
            search.cancel()
        self._is_open = False
        return succeed(None)

    def watch(self, replaced: Callable[[], None]) -> None:
        """There is no file that could be replaced."""

    # What is written

    def receive(self, batch: Sequence[Received]) -> "Deferred[list[int | None]]":
        """Keep what came in."""
        return self._do(lambda: self._notebook.receive(batch))

    def queue(self, to: PeerId, msg_id: str, text: str, time: datetime) -> "Deferred[int]":
        """Put a message into the outbox."""
        return self._do(lambda: self._notebook.queue(to, msg_id, text, time))

    def requeue(self, entries: Sequence[OutboxEntry]) -> "Deferred[int]":
        """Put back into the outbox what is not there."""
        return self._do(lambda: self._notebook.requeue(entries))

    def published(self, target: str, msg_id: str, text: str, time: datetime) -> "Deferred[int]":
        """Keep what we published."""
        return self._do(lambda: self._notebook.published(target, msg_id, text, time))

    def attempting(self, msg_id: str) -> "Deferred[bool]":
        """Count an attempt."""
        return self._do(lambda: self._notebook.attempting(msg_id))

    def written(self, msg_id: str, *, counted: bool = False) -> "Deferred[bool]":
        """Note that it is sent."""
        return self._do(lambda: self._notebook.written(msg_id, counted))

    def settled(self, msg_id: str, state: FinalState, reason: str = "") -> "Deferred[bool]":
        """Take a message out of the outbox."""
        return self._do(lambda: self._notebook.settled(msg_id, state, reason))

    def cancel(self, message: int | str) -> "Deferred[bool]":
        """Withdraw what is in the outbox."""
        return self._do(lambda: self._notebook.cancel(message))

    def read(self, stored_id: int) -> "Deferred[None]":
        """Note that all up to this message were read."""
        return self._do(lambda: self._notebook.read(stored_id))

    def import_entries(self, entries: Sequence[Entry]) -> "Deferred[tuple[int, int]]":
        """Keep messages from an export."""
        return self._do(lambda: self._notebook.import_entries(entries))

    def peer_seen(
        self, peer: PeerId, addresses: Sequence[Address], time: datetime
    ) -> "Deferred[None]":
        """Note a contact."""
        return self._do(lambda: self._notebook.peer_seen(peer, addresses, time))

    def archive_peer_seen(self, host: str, time: datetime) -> "Deferred[None]":
        """Note a link to a peer of the archive."""
        return self._do(lambda: self._notebook.archive_peer_seen(host, time))

    # What is read

    def outbox(self) -> "Deferred[list[OutboxEntry]]":
        """Return what waits to be delivered."""
        return self._do(self._notebook.outbox)

    def entries(
        self, conversation: str | None, count: int, before: datetime | None = None
    ) -> "Deferred[list[Entry]]":
        """Return the last messages of a conversation."""
        return self._do(lambda: self._notebook.entries(conversation, count, before))

    def search(self, words: str, count: int) -> "Deferred[list[Found]]":
        """Return what has all these words."""
        if not self._is_open:
            return fail(StoreError("the history is not open"))
        search = Deferred.fromCoroutine(self._search(words, count))
        self._searches.add(search)
        return search.addBoth(self._searched, search)

    def unread(self, count: int) -> "Deferred[Unread]":
        """Count what nobody has read, and return the last of it."""
        return self._do(lambda: self._notebook.unread(count))

    async def export(self) -> AsyncIterator[list[Entry]]:
        """Yield everything, oldest first."""
        after = (BEGINNING, 0)
        while page := await self._do(partial(self._notebook.page, after)):
            yield page
            after = (page[-1].time, page[-1].stored_id)

    def peers(self) -> "Deferred[list[KnownPeer]]":
        """Return the peers we had to do with."""
        return self._do(self._notebook.peers)

    def archive_peers(self) -> "Deferred[list[str]]":
        """Return the peers of the archive."""
        return self._do(self._notebook.archive_peers)

    def _opened(self) -> Opened:
        self._notebook.prune()
        return Opened(self._notebook.unread(0).total, self._notebook.outbox(), [])

    async def _search(self, words: str, count: int) -> list[Found]:
        phrases = parse_search(words)
        matches: list[Found] = []
        for number, entry in enumerate(self._notebook.last_stored() if phrases else (), 1):
            marks = find(phrases, entry.text)
            if marks is not None:
                matches.append(Found(entry, marks))
            if len(matches) == MAX_MATCHES:
                break
            if not number % SLICE:
                await deferLater(self._clock, 0)
        matches.sort(key=lambda found: (found.entry.time, found.entry.stored_id), reverse=True)
        return matches[: max(0, min(count, MAX_COUNT))]

    def _searched(self, result: T | Failure, search: "Deferred[list[Found]]") -> T | Failure:
        self._searches.discard(search)
        if isinstance(result, Failure) and result.check(CancelledError):
            return Failure(StoreError("the history is closed"))
        return result

    def _do(self, work: Callable[[], T]) -> "Deferred[T]":
        return execute(work) if self._is_open else fail(StoreError("the history is not open"))

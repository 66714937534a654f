"""Which messages are there already, and the numbers of those that come; numbers of names.

The numbers of names, that of the last message and the identities that are not indexed yet are kept
in memory; rolled_back() brings them back to what the file says.
"""

import sqlite3
from collections.abc import Sequence
from itertools import islice
from typing import Any, NamedTuple

from p2pchat.store import queries, statements, takeover
from p2pchat.store.rows import Named, Row, checksum, identity, pack_id, unpack_id, way_of
from p2pchat.store.wreck import Wreck

#: How many names are kept in memory.
MAX_NAMES = 10_000


class Draft(NamedTuple):
    """A message before it has a number, with its names as text."""

    way: int
    author: str
    conversation: str
    time: int
    flags: int
    msg_id: str
    text: str
    reason: str = ""


class Numbered(NamedTuple):
    """A message that had a number in a file that is lost."""

    number: int
    draft: Draft


class Register:
    """Adds messages to the file; every method is part of a transaction that was begun before."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._names: dict[str, int] = {}
        indexed = queries.progress(db).indexed
        #: The messages that are not indexed yet, by identity, in the order of their numbers.
        self._tail = dict(statements.unindexed(db))
        self._indexed = 0
        #: Damaged files from which not all is taken over yet; the first one is next.
        self.wrecks: list[Wreck] = []
        self._is_first_done = False
        self.last = self._committed = max(indexed, *self._tail.values(), 0)

    @property
    def backlog(self) -> int:
        """How many messages are not indexed yet."""
        return len(self._tail)

    def unindexed(self, count: int) -> list[tuple[int, int]]:
        """Return the first messages that are not indexed yet, with their numbers."""
        return list(islice(self._tail.items(), count))

    def indexed(self, count: int) -> None:
        """Note that so many of them are in the indexes now."""
        self._indexed = count

    def committed(self) -> None:
        """What was done will last."""
        if self._is_first_done:
            self.wrecks.pop(0).close()
            self._is_first_done = False
        self._committed = self.last
        for key, _ in self.unindexed(self._indexed):
            del self._tail[key]
        self._indexed = 0

    def rolled_back(self) -> None:
        """What was done since it was committed is undone."""
        self._names.clear()
        self._is_first_done = False
        self._indexed = 0
        while self.last > self._committed:
            self._tail.popitem()
            self.last -= 1

    def name(self, text: str) -> int:
        """Return the number of a name, which may be new."""
        number = self._names.get(text)
        if number is None:
            number = queries.find_name(self._db, text) or statements.add_name(self._db, text)
            if len(self._names) >= MAX_NAMES:
                self._names.clear()
            self._names[text] = number
        return number

    def forget_names(self) -> None:
        """Look names up anew, as some may have gone from the file."""
        self._names.clear()

    def find(self, way: int, author: str, msg_id: str) -> int | None:
        """Return the number of a message that is there."""
        wanted = identity(way, author, msg_id)
        return self._find([wanted]).get(wanted)

    def add(self, drafts: Sequence[Draft]) -> list[int | None]:
        """Add what is not there yet, and return the numbers; None for what is."""
        identities = [identity(draft.way, draft.author, draft.msg_id) for draft in drafts]
        known = self._find(identities)
        fresh: dict[int, int] = {}
        rows: list[tuple[Any, ...]] = []
        numbers: list[int | None] = []
        for draft, key in zip(drafts, identities, strict=True):
            if key in known or key in fresh:
                numbers.append(None)
                continue
            number = fresh[key] = self.last + 1 + len(rows)
            numbers.append(number)
            rows.append(self._row(number, draft))
        statements.insert_messages(self._db, rows)
        self._tail.update(fresh)
        self.last += len(rows)
        return numbers

    def take_over(self, messages: Sequence[Named]) -> list[Row]:
        """Add messages of a damaged file with the numbers they have, and index them.

        Returns the rows as they are now of those that were not there.
        """
        last = queries.progress(self._db).indexed
        numbers = [named.row.id for named in messages]
        there = takeover.taken_numbers(self._db, numbers)
        fresh = {
            identity(way_of(named.row.flags), named.author, unpack_id(named.row.msg_id)): named
            for named in messages
            if 0 < named.row.id <= last and named.row.id not in there
        }
        for key in self._known(list(fresh)):
            del fresh[key]
        rows = [self._renamed(named) for named in fresh.values()]
        statements.insert_messages(self._db, rows)
        late = zip(fresh, rows, strict=True)
        statements.index_late(self._db, [(key, row.id) for key, row in late])
        return rows

    def put_back(self, messages: Sequence[Numbered]) -> list[int]:
        """Return the numbers of messages, of which those that are not there are added.

        They get the number they had if no other message has it.
        """
        keys = [identity(way, author, msg_id) for _, (way, author, _, _, _, msg_id, *_) in messages]
        known = self._find(keys)
        lost = [one for key, one in zip(keys, messages, strict=True) if key not in known]
        self.take_over([_named(number, draft) for number, draft in lost])
        self.add([draft for _, draft in lost])
        known = self._known(keys)
        return [known[key] for key in keys]

    def forget_wreck(self) -> None:
        """Look no more into the first damaged file."""
        self._is_first_done = True

    def begin_behind(self, number: int) -> None:
        """Give the numbers up to this one to nothing new."""
        if not self._tail and number > self.last:
            takeover.set_indexed(self._db, number)
            self.last = self._committed = number

    def _find(self, identities: Sequence[int]) -> dict[int, int]:
        """Find messages here, or else in the damaged files, from which they are taken over then."""
        known = self._known(identities)
        for wreck in self.wrecks:
            others = [key for key in identities if key not in known]
            if others and self.take_over(wreck.messages(wreck.find(others))):
                known |= self._known(others)
        return known

    def _known(self, identities: Sequence[int]) -> dict[int, int]:
        tail = self._tail
        found = {key: tail[key] for key in identities if key in tail}
        others = [key for key in identities if key not in found]
        return found | statements.find_identities(self._db, others) if others else found

    def _row(self, number: int, draft: Draft) -> tuple[Any, ...]:
        _, author, conversation, time, flags, msg_id, text, reason = draft
        code = checksum(time, flags, author, conversation, msg_id, text)
        names = self._names
        return (
            number,
            names.get(conversation) or self.name(conversation),
            names.get(author) or self.name(author),
            *(time, flags, pack_id(msg_id), code, text, reason or None),
        )

    def _renamed(self, named: Named) -> Row:
        conversation, author = self.name(named.conversation), self.name(named.author)
        return named.row._replace(conversation=conversation, author=author)


def _named(number: int, draft: Draft) -> Named:
    _, author, conversation, time, flags, msg_id, text, reason = draft
    code = checksum(time, flags, author, conversation, msg_id, text)
    row = Row(number, 0, 0, time, flags, pack_id(msg_id), code, text, reason or None)
    return Named(row, author, conversation)

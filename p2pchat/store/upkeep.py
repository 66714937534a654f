"""What the store does when nobody waits for it: index what came, drop what is too much, make room.

Each function does a slice, as part of a transaction, and tells whether there was anything to do.
"""

import sqlite3
from collections.abc import Iterable
from itertools import accumulate

from p2pchat.store import queries, statements
from p2pchat.store.errors import DamagedError
from p2pchat.store.journal import Journal

#: How many messages are indexed, and how many dropped, at once.
SLICE = 512

#: How many bytes of text are indexed, dropped or taken over at once, but for a message that has
#: more: what waits for the disk waits for a slice.
SLICE_TEXT = 128 * 1024

#: How many pages of the full text index are merged at once.
PAGES = 64

#: It is merged when more messages were dropped since it last was than this, and than a quarter of
#: those that are there.
DROPPED = 1_000
SHARE = 4


def count_fitting(sizes: Iterable[int]) -> int:
    """Count the first texts of these sizes that have SLICE_TEXT together; one at least."""
    return max(1, sum(size <= SLICE_TEXT for size in accumulate(sizes)))


def index(journal: Journal) -> bool:
    """Bring the indexes up to date with the next messages."""
    first = journal.register.unindexed(SLICE)
    if not first:
        return False
    fit = queries.count_fitting(journal.db, first[0][1], first[-1][1], SLICE_TEXT)
    first = first[:fit]
    try:
        statements.index(journal.db, first[0][1], first[-1][1], first)
    except sqlite3.IntegrityError as error:
        raise DamagedError("its indexes don't fit its messages") from error
    journal.register.indexed(len(first))
    return True


def prune(journal: Journal) -> bool:
    """Drop some of what is beyond the bounds."""
    cut_off = journal.cut_off()
    too_old = 0 if cut_off is None else _drop(journal, cut_off, SLICE)
    too_many = _drop(journal, None, min(_excess(journal), SLICE - too_old))
    return too_old + too_many > 0


def merge(journal: Journal) -> bool:
    """Make room in the full text index, where what was dropped goes on to be.

    It would take several times the room of what is there otherwise.
    """
    progress = queries.progress(journal.db)
    if progress.merging:
        statements.go_on_merging(journal.db, PAGES)
    elif progress.dropped > max(DROPPED, progress.messages // SHARE):
        statements.begin_merging(journal.db, PAGES)
    else:
        return False
    return True


def _drop(journal: Journal, before: int | None, count: int) -> int:
    """Drop the oldest messages, so many at most; return how many those were."""
    old = statements.oldest(journal.db, before, count) if count > 0 else []
    old = old[: count_fitting(message.size for message in old)]
    if old:
        statements.delete(journal.db, old)
        names = {name for message in old for name in message.names}
        statements.delete_names(journal.db, sorted(names))
        journal.register.forget_names()
    return len(old)


def _excess(journal: Journal) -> int:
    """Count the messages that are too many."""
    progress = queries.progress(journal.db)
    messages = progress.messages + journal.register.last - progress.indexed
    return messages - journal.bounds.max_messages

"""Histories to measure with, written by the store itself."""

import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from benchmarks.figures import BenchmarkError
from benchmarks.history_texts import BOB, ME, Talk
from p2pchat.history import Bounds, Entry
from p2pchat.store.database import Database
from p2pchat.store.journal import Journal
from p2pchat.store.sqlite import FILE
from p2pchat.store.transactions import Outcome, Transactions

#: Pages of an export that are put into one transaction, and messages that may wait to be indexed.
GROUP = 10
LAG = 5_000

#: About so many texts are kept to ask for their words.
SAMPLES = 500


class Built(NamedTuple):
    """A history of `size` messages in a folder, made in so many seconds.

    `text_bytes` is how long all its texts are; `texts` are some of them.
    """

    folder: Path
    size: int
    seconds: float
    text_bytes: int
    texts: list[str]

    @property
    def file_bytes(self) -> int:
        """How large the file is now, with what is not moved into it yet."""
        return sum(path.stat().st_size for path in self.folder.glob(f"{FILE}*"))


def build(folder: Path, talk: Talk, count: int) -> Built:
    """Make a history of so many messages, with all indexes, and close it in order."""
    started = time.perf_counter()
    folder.mkdir()
    database = Database(folder / FILE, ME, Bounds(max_messages=count), _utc_now)
    transactions = Transactions(database)
    transactions.open()
    _check(transactions.carry_out([lambda journal: journal.peer_seen(BOB, (), _utc_now())]))
    text_bytes, texts = 0, []
    pages = talk.entries(count, _utc_now())
    while group := list(islice(pages, GROUP)):
        said = [entry.text for page in group for entry in page]
        text_bytes += sum(len(text.encode()) for text in said)
        texts += said[:: max(1, count // SAMPLES)]
        _put(transactions, group)
    _keep_up(transactions, 0)
    database.close()
    return Built(folder, count, time.perf_counter() - started, text_bytes, texts)


def _put(transactions: Transactions, pages: Iterable[list[Entry]]) -> None:
    _check(
        transactions.carry_out([partial(Journal.import_entries, entries=page) for page in pages])
    )
    _keep_up(transactions, LAG)


def _keep_up(transactions: Transactions, backlog: int) -> None:
    """Index what waits, until it is no more than that; with 0 do all that is to be done."""
    more = True
    while more and (transactions.backlog > backlog or not backlog):
        outcome = transactions.keep_up()
        _check([outcome])
        more = outcome.value


def _check(outcomes: Iterable[Outcome]) -> None:
    for outcome in outcomes:
        if outcome.error is not None:
            raise BenchmarkError(f"the history cannot be made: {outcome.error}")


def _utc_now() -> datetime:
    return datetime.now(UTC)


def triples(talk: Talk, texts: Iterable[str]) -> Iterator[str]:
    """Yield three words of each text, by turns its rarest, its commonest, and one of each kind."""
    for turn, text in enumerate(texts):
        words = talk.by_frequency(text)
        if len(words) > 3:
            middle = len(words) // 2
            kinds = (words[-3:], words[:3], [words[0], words[middle], words[-1]])
            yield " ".join(kinds[turn % len(kinds)])

"""A damaged history, and what can be taken over from it: `p2pchat.store`.

Nobody guesses the pages of a database, so here an input is damage done to one of a hundred
messages: byte 0 chooses whether it was closed in order, where it is cut, and whether the damage is
found at the start or later; then each step of four bytes changes a page, at a place in it, in some
way. Whatever is done, a node starts, or is told that the file is somebody else's; what it has then
is what was written, once, is found sound the next time, and goes on.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar
from unittest.mock import patch

from p2pchat.history import Bounds, Entry, StoreError
from p2pchat.identity import Address
from p2pchat.store import answers, salvage, wreck
from p2pchat.store.database import Database
from p2pchat.store.files import Files
from p2pchat.store.transactions import Transactions
from p2pchat.store.wreck import Wreck
from tests.fuzz.targets.archive_disk import _memory
from tests.fuzz.watch import no_failures_logged
from tests.store.cases import ALICE, BOB, EVE, START, at, received

T = TypeVar("T")

MAX_LENGTH = 4 * 24 + 2
WORDS = (b"\0\0\0\0", b"\0\0\x12\xff", b"\1\0\0\5", b"\2\x40\3\xff", b"\3\x80\0\0", b"\4\xc0\0\2")

SIZE, PAGE, MAX_STEPS = 100, 4096, 24

#: Bits of the first byte; those above tell where the file is cut, if it is.
CLOSED, LATER, CUT = 1, 2, 4

#: Most rows that a question to a damaged file brings: each page says a few hundred at the most.
MOST_ROWS = 20_000

#: How many numbers are tried behind the last that is known: enough here, and done at once.
TAIL = 500

#: Slices of work in which all has to be done.
MOST_SLICES = 2000

NEW = 5000


def check(data: bytes) -> None:
    """Start with a history to which this was done."""
    mode, steps = data[0] if data else 0, data[1:]
    with TemporaryDirectory(dir=_memory()) as name, no_failures_logged(), _watched():
        path = Path(name) / "history.db"
        _lay_out(path, mode, _damaged(steps, mode))
        stored = path.read_bytes()
        try:
            taken = _started(path, later=bool(mode & LATER))
        except StoreError as error:
            refused = str(error)
        else:
            assert taken == _started(path), "it reads otherwise the next time"
            return
        assert "belongs to" in refused or "newer version" in refused, refused
        assert path.read_bytes() == stored, "what is somebody else's was changed"


def original() -> bytes:
    """Return the file before anything was done to it."""
    return _history()[0]


@cache
def _history() -> tuple[bytes, dict[tuple[str, str], Entry]]:
    """Return a file and what is in it, by who said it and its msg_id; its last messages are in no
    index."""
    with TemporaryDirectory(dir=_memory()) as name:
        path = Path(name) / "history.db"
        database, transactions = _open(path)
        _fill(transactions)
        entries = database.read(lambda db: answers.entries(db, ALICE, None, 10_000, None))
        database.close()
        return path.read_bytes(), {_key(entry): _as_said(entry) for entry in entries}


def _fill(transactions: Transactions) -> None:
    def keep(first: int, end: int) -> Callable[[Any], Any]:
        batch = [received(number, f"reunião {number}, " * 3) for number in range(first, end)]
        return lambda journal: journal.receive(batch)

    transactions.carry_out(
        [
            keep(0, SIZE - 10),
            lambda journal: journal.queue(BOB, "waits", "as it was", at(0)),
            lambda journal: journal.queue(EVE, "written", "twice", at(0)),
            *[lambda journal: journal.written("written")] * 2,
            lambda journal: journal.queue(EVE, "failed", "no", at(0)),
            lambda journal: journal.settled("failed", "failed", "too long"),
            lambda journal: journal.published("#CIC", "pub", "good morning", at(1)),
            lambda journal: journal.peer_seen(BOB, [Address("10.0.0.1", 4000)], at(5)),
            lambda journal: journal.read(20),
        ]
    )
    _keep_up(transactions)
    transactions.carry_out([keep(SIZE - 10, SIZE)])


def _damaged(steps: bytes, mode: int) -> bytes:
    content = bytearray(original())
    pages = len(content) // PAGE
    for step in range(0, min(len(steps) - 3, 4 * MAX_STEPS), 4):
        page, high, low, value = steps[step : step + 4]
        start, place = page % pages * PAGE, (high << 8 | low) % PAGE
        match high >> 6:
            case 0:
                content[start + place] = value
            case 1:
                content[start + place] ^= value
            case 2:
                end = min(start + place + 1 + value, start + PAGE)
                content[start + place : end] = bytes(end - start - place)
            case _:
                other = value % pages * PAGE
                content[start : start + PAGE] = content[other : other + PAGE]
    if mode & CUT:
        del content[len(content) * (mode >> 3) // 32 :]
    return bytes(content)


def _lay_out(path: Path, mode: int, content: bytes) -> None:
    path.write_bytes(content)
    if mode & CLOSED:
        Files(path).put_stamp(checked=True)


def _open(path: Path) -> tuple[Database, Transactions]:
    database = Database(path, ALICE, Bounds(), lambda: START)
    transactions = Transactions(database)
    transactions.open()
    return database, transactions


def _started(path: Path, *, later: bool = False) -> dict[tuple[str, str], Entry]:
    """Start with a file, go on until all is done, and return all that it has."""
    database, transactions = _open(path)
    try:
        if later:
            database.suspect("it was found later")
        _keep_up(transactions)
        entries = _all(database, transactions)
        (stored,) = transactions.carry_out(
            [lambda journal: journal.receive([received(NEW, "one more")])]
        )
        assert stored.error is None, f"nothing can be stored: {stored.error}"
        _keep_up(transactions)
        _check(entries)
        known = {_key(entry): _as_said(entry) for entry in _all(database, transactions)}
    finally:
        database.close()
    assert any(entry.text == "one more" for entry in known.values()), "what came is not there"
    return known


def _all(database: Database, transactions: Transactions) -> list[Entry]:
    """Return all that it has; a file that turns out to be damaged is replaced before."""
    for _ in range(4):
        with suppress(StoreError):
            return database.read(lambda db: answers.entries(db, ALICE, None, 10_000, None))
        _keep_up(transactions)
    raise AssertionError("it cannot be read, again and again")


def _keep_up(transactions: Transactions) -> None:
    for _ in range(MOST_SLICES):
        outcome = transactions.keep_up()
        if outcome.error is None and not outcome.value:
            return
    raise AssertionError(f"it is never done: {outcome.error}")


def _check(entries: list[Entry]) -> None:
    _, written = _history()
    keys = [_key(entry) for entry in entries]
    assert len(set(keys)) == len(keys), "a message is there twice"
    for entry in entries:
        if entry.text != "one more":
            assert written.get(_key(entry)) == _as_said(entry), f"never written: {entry}"


def _key(entry: Entry) -> tuple[str, str]:
    return entry.source, entry.msg_id


def _as_said(entry: Entry) -> Entry:
    """Return what a checksum holds of it: all but what becomes of it later."""
    return Entry(
        time=entry.time,
        msg_id=entry.msg_id,
        source=entry.source,
        to=entry.to,
        text=entry.text,
        kind=entry.kind,
        direction=entry.direction,
        relayed=entry.relayed,
    )


@contextmanager
def _watched() -> Iterator[None]:
    """Look how much is read of a damaged file at once."""
    read = Wreck._rows

    def rows(self: Wreck, query: Callable[[Any], Any]) -> list[Any]:
        found: list[Any] = read(self, query)
        assert len(found) <= MOST_ROWS, "too much is kept of a damaged file"
        return found

    with (
        patch.object(Wreck, "_rows", rows),
        patch.multiple(salvage, SLICE=16, MAX_TAIL=TAIL),
        patch.object(wreck, "MAX_TAIL", TAIL),
    ):
        yield

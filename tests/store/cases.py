"""A history in a folder of its own, with threads that are none, and messages to put into it."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.history import Bounds, Entry, History, Opened, Received
from p2pchat.identity import PeerId
from p2pchat.store.sqlite import SqliteHistory
from tests.store.inline import InlinePool, InlineReactor
from tests.temporary import temporary_path

T = TypeVar("T")

ALICE, BOB, EVE = PeerId("alice@CIC"), PeerId("bob@CIC"), PeerId("eve@CIC")
START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def uuid(number: int) -> str:
    return str(UUID(int=number, version=4))


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def received(number: int, text: str = "hello", **others: Any) -> Received:
    """Return a message from Bob to us, one second after the one before."""
    message = Received(uuid(number), BOB, ALICE, text, "send", False, at(number))
    return message._replace(**others)


def texts(entries: Sequence[Entry]) -> list[str]:
    return [entry.text for entry in entries]


class StoreCase(SynchronousTestCase):
    """A history that is open; `told` is what the user heard, `now` what the wall clock shows."""

    bounds = Bounds()

    def setUp(self) -> None:
        self.folder = temporary_path(self)
        self.folder.mkdir()
        self.path = self.folder / "history.db"
        self.told: list[tuple[str, str]] = []
        self.now = START
        self.opened = self.begin()
        self.addCleanup(self.end)

    def make(self) -> SqliteHistory:
        """Make a history of the file."""
        self.reactor = InlineReactor()
        self.pool = InlinePool()
        return SqliteHistory(
            self.reactor,
            self.path,
            ALICE,
            self.bounds,
            lambda: self.now,
            lambda level, text: self.told.append((level, text)),
            lambda: self.pool,
        )

    def begin(self) -> Opened:
        """Open the file, which may be there already."""
        self.history: History = self.make()
        return self.get(self.history.open())

    def end(self) -> None:
        """Close the file, if it is open; nothing is left running."""
        if self.pool.started:
            self.get(self.history.close())
        self.assertFalse(self.pool.started)
        self.assertEqual(self.reactor.triggers, [])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def restart(self) -> Opened:
        self.end()
        return self.begin()

    def crash(self) -> Opened:
        """Open the file as a kill would have left it."""
        copies = {path.name: path.read_bytes() for path in self.folder.iterdir()}
        self.end()
        self.fill_folder(copies)
        return self.begin()

    def fill_folder(self, files: dict[str, bytes]) -> None:
        for path in self.folder.iterdir():
            path.unlink()
        for name, data in files.items():
            (self.folder / name).write_bytes(data)

    def names(self) -> list[str]:
        return sorted(os.listdir(self.folder))

    def get(self, deferred: "Deferred[T]") -> T:
        """Return what it fired with; it must have."""
        return self.successResultOf(deferred)

    def receive(self, *messages: Received) -> list[int | None]:
        return self.get(self.history.receive(messages))

    def all(self) -> list[Entry]:
        return self.get(self.history.entries(None, 1000))

    def exported(self) -> list[list[Entry]]:
        """Return the pages of an export."""

        async def collect() -> list[list[Entry]]:
            return [page async for page in self.history.export()]

        return self.get(Deferred.fromCoroutine(collect()))

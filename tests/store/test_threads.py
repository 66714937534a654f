"""With threads that are some: order, reading beside writing, and that none is left behind."""

import threading
from random import Random

from twisted.internet import reactor
from twisted.internet.defer import gatherResults
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from p2pchat.history import Bounds, StoreError
from p2pchat.store.sqlite import SqliteHistory
from tests.store.cases import ALICE, BOB, START, at, received
from tests.temporary import temporary_path


def threads() -> set[threading.Thread]:
    return set(threading.enumerate())


class ThreadTests(TestCase):
    #: In seconds; only a hang ever takes so long.
    timeout = 120

    async def open(self) -> SqliteHistory:
        folder = temporary_path(self)
        folder.mkdir()
        self.before = threads()
        history = SqliteHistory(
            *(reactor, folder / "history.db", ALICE, Bounds(max_messages=2000)),
            *(lambda: START, lambda level, text: self.fail(text)),
        )
        await history.open()
        self.assertGreater(len(threads() - self.before), 0)
        return history

    async def close(self, history: SqliteHistory) -> None:
        await history.close()
        self.assertEqual(threads() - self.before, set())

    async def test_numbers_are_in_the_order_asked_for(self) -> None:
        history = await self.open()
        random = Random(1)
        answers = []
        for number in range(300):
            batch = [received(10 * number + n) for n in range(random.randrange(1, 10))]
            answers.append(history.receive(batch))
            answers.append(history.queue(BOB, f"out {number}", "text", at(number)))
            if random.random() < 0.1:
                await deferLater(reactor, 0, lambda: None)
        numbers = []
        for answer in await gatherResults(answers):
            numbers += answer if isinstance(answer, list) else [answer]
        self.assertEqual(numbers, list(range(1, len(numbers) + 1)))
        await self.close(history)

    async def test_reading_beside_writing(self) -> None:
        history = await self.open()
        stored = 0
        while stored < 6000:
            writing = history.receive([received(stored + n, f"word {n}") for n in range(500)])
            reading = [
                history.entries(None, 100),
                history.search("word 7", 100),
                history.entries(BOB, 100, at(100)),
            ]
            await writing
            stored += 500
            for answer in await gatherResults(reading):
                self.assertLessEqual(len(answer), 100)
        found = await history.search("word 7", 100)
        self.assertEqual({one.entry.text for one in found}, {"word 7"})
        await self.close(history)

    async def test_closing_does_not_wait_for_a_long_search(self) -> None:
        history = await self.open()
        endless = (
            "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"
        )
        searching = history._ask(lambda db: db.execute(endless).fetchone())
        waiting = history.entries(None, 1)
        await deferLater(reactor, 0.1, lambda: None)
        await self.close(history)
        await self.assertFailure(searching, StoreError)
        await self.assertFailure(waiting, StoreError)

    async def test_closing_while_much_waits(self) -> None:
        history = await self.open()
        answers = [history.receive([received(number)]) for number in range(500)]
        await self.close(history)
        numbers = [number for answer in answers for number in self.successResultOf(answer)]
        self.assertEqual(numbers, list(range(1, 501)))

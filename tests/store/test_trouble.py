"""What the user hears when the disk fails, and what goes on all the same."""

import sqlite3
from collections.abc import Callable
from typing import Any

from p2pchat.errors import QueueFullError
from p2pchat.history import StoreError
from p2pchat.store import reader, statements, upkeep
from p2pchat.store.sqlite import CONSEQUENCE, INDEX_TIME
from tests.store.cases import BOB, StoreCase, at, received, texts, uuid

FULL = f"the history cannot be written: database or disk is full; {CONSEQUENCE}"


class TroubleTests(StoreCase):
    def break_down(self, name: str, reason: str = "database or disk is full") -> Callable[[], None]:
        """Let the disk fail wherever this function is called; return what mends it."""
        function = getattr(statements, name)

        def fail(*_: Any) -> None:
            raise sqlite3.OperationalError(reason)

        self.patch(statements, name, fail)
        return lambda: self.patch(statements, name, function)

    def refused(self, number: int) -> str:
        failure = self.failureResultOf(self.history.receive([received(number)]), StoreError)
        return str(failure.value)

    def test_told_once_and_once_more_when_it_is_over(self) -> None:
        mend = self.break_down("insert_messages")
        for number in range(3):
            self.assertEqual(self.refused(number), "database or disk is full")
        self.reactor.advance(10)
        begin = ("error", FULL)
        self.assertEqual(self.told, [begin])
        mend()
        self.assertEqual(self.receive(received(1)), [1])
        end = ("info", "the history is written again")
        self.assertEqual(self.told, [begin, end])
        self.receive(received(2))
        mend = self.break_down("insert_messages")
        self.refused(3)
        mend()
        self.receive(received(3))
        self.assertEqual(self.told, [begin, end, begin, end])

    def test_what_is_there_can_be_read_meanwhile(self) -> None:
        self.receive(received(1, "one word"))
        self.reactor.advance(1)
        self.receive(received(2, "another word"))
        self.break_down("insert_messages")
        self.break_down("index")
        self.refused(3)
        self.assertEqual(texts(self.all()), ["one word", "another word"])
        # it is not in the index yet, and now can't be
        found = self.get(self.history.search("word", 9))
        self.assertEqual(texts([one.entry for one in found]), ["one word"])

    def test_a_search_does_not_wait_for_long(self) -> None:
        self.receive(received(1, "one word"))
        self.reactor.advance(1)
        self.patch(upkeep, "SLICE", 1)
        self.receive(*(received(number, "another word") for number in range(2, 5)))
        self.pool.held = True
        search = self.history.search("word", 9)
        self.pool.run()
        self.reactor.advance(INDEX_TIME)
        self.assertNoResult(search)
        self.pool.run()
        self.assertLess(len(self.get(search)), 4)
        while self.pool.run():
            pass
        self.pool.held = False
        self.reactor.advance(1)
        self.assertEqual(len(self.get(self.history.search("word", 9))), 4)

    def test_indexing_is_tried_again(self) -> None:
        mend = self.break_down("index")
        self.receive(received(1, "word"))
        self.reactor.advance(1)
        self.assertEqual(len(self.told), 1)
        mend()
        self.reactor.advance(5)
        self.assertEqual(len(self.get(self.history.search("word", 9))), 1)
        self.assertEqual(self.told, [("error", FULL)])
        self.receive(received(2))
        self.assertEqual(self.told[1:], [("info", "the history is written again")])

    def test_a_bug_in_upkeep_is_logged_and_stops_nothing(self) -> None:
        self.patch(upkeep, "merge", lambda journal: 1 / 0)
        self.receive(received(1))
        self.reactor.advance(1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.receive(received(2)), [2])
        self.assertEqual(self.told, [])
        self.end()
        self.flushLoggedErrors(ZeroDivisionError)

    def test_too_many_questions(self) -> None:
        self.patch(reader, "MAX_WAITING", 2)
        self.pool.held = True
        answers = [self.history.entries(None, 1) for _ in range(3)]
        self.failureResultOf(self.history.peers(), QueueFullError)
        while self.pool.run():
            pass
        for answer in answers:
            self.assertEqual(self.get(answer), [])
        self.pool.held = False

    def test_a_question_that_fails_stops_no_other(self) -> None:
        self.failureResultOf(self.history.entries("\ud800", 1), UnicodeEncodeError)
        self.assertEqual(self.all(), [])

    def test_questions_wait_for_no_request(self) -> None:
        self.pool.held = True
        stored = self.history.queue(BOB, uuid(1), "text", at(1))
        asked = self.history.entries(None, 1)
        self.assertEqual(self.pool.run(), 2)
        self.get(stored)
        self.get(asked)
        self.pool.held = False
        self.reactor.advance(1)

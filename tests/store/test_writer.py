"""When what is written: groups gather, upkeep waits for peace, bounds hold, the end is orderly."""

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import QueueFullError
from p2pchat.history import StoreError
from p2pchat.store import writer
from p2pchat.store.transactions import Outcome
from p2pchat.store.writer import HOLD, LAG, MAX_LAG, PEACE, RETRY_TIME, ROUND_TIME, Writer
from tests.store.inline import InlinePool, InlineReactor


class FakeTransactions:
    """Notes what it is given; a request is a name, and stores as many messages as `stores` says."""

    def __init__(self) -> None:
        self.done: list[Any] = []
        self.last = 0
        self.indexed = 0
        self.stores = 0
        self.slice = 1000
        self.error: Exception | None = None

    @property
    def backlog(self) -> int:
        return self.last - self.indexed

    def carry_out(self, requests: list[Any]) -> list[Outcome]:
        self.done.append(list(requests))
        self.last += self.stores
        return [Outcome(f"{request} done", self.error) for request in requests]

    def keep_up(self) -> Outcome:
        self.done.append("upkeep")
        if self.error is None:
            self.indexed = min(self.last, self.indexed + self.slice)
        return Outcome(self.backlog > 0, self.error)


class WriterCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = InlineReactor()
        self.pool = InlinePool()
        self.pool.start()
        self.transactions = FakeTransactions()
        self.reported: list[Any] = []
        self.writer = Writer(
            *(self.reactor, self.pool, self.transactions), lambda *what: self.reported.append(what)
        )
        self.writer.keep_up()
        self.transactions.done.clear()
        self.reported.clear()
        self.pool.held = True

    @property
    def done(self) -> list[Any]:
        """Return what was done since this was asked for last."""
        done, self.transactions.done = self.transactions.done, []
        return done

    def submit(self, name: Any, *weight: int) -> "Deferred[Any]":
        return self.writer.submit(name, *weight)

    def run_all(self) -> None:
        while self.pool.run():
            pass


class GroupTests(WriterCase):
    def test_what_comes_while_one_is_written_goes_together(self) -> None:
        answers = [self.submit(name) for name in "abc"]
        self.pool.run()
        self.assertEqual(self.successResultOf(answers[0]), "a done")
        self.assertNoResult(answers[1])
        self.submit("d")
        self.pool.run()
        self.assertEqual(self.done, [["a"], ["b", "c"]])
        self.assertEqual(self.successResultOf(answers[2]), "c done")
        self.pool.run()
        self.assertEqual(self.done, [["d"]])
        self.assertEqual(self.pool.run(), 0)

    def test_one_group_at_a_time_in_one_thread(self) -> None:
        for name in range(5):
            self.submit(name)
        self.assertEqual(self.pool.run(), 1)
        self.assertEqual(self.pool.run(), 1)
        self.assertEqual(self.pool.run(), 0)

    def test_asked_from_an_answer(self) -> None:
        answers: list[Any] = []
        self.submit("a").addCallback(lambda _: self.submit("b").addCallback(answers.append))
        self.run_all()
        self.assertEqual(answers, ["b done"])

    def test_who_does_not_listen_any_more_is_no_harm(self) -> None:
        gone = self.submit("a")
        other = self.submit("b")
        gone.addErrback(lambda _: None)
        gone.cancel()
        self.run_all()
        self.assertEqual(self.successResultOf(other), "b done")

    def test_errors_go_to_who_asked_and_are_reported_once_a_group(self) -> None:
        self.transactions.error = StoreError("full")
        answers = [self.submit(name) for name in "abc"]
        self.run_all()
        for answer in answers:
            self.failureResultOf(answer, StoreError)
        self.assertEqual(self.reported, [(False, self.transactions.error)] * 2)
        self.reported.clear()
        self.transactions.error = None
        self.submit("d")
        self.run_all()
        self.assertEqual(self.reported, [(True, None)])


class BoundTests(WriterCase):
    def setUp(self) -> None:
        super().setUp()
        self.patch(writer, "MAX_WAITING", 10)
        self.patch(writer, "MAX_WAITING_TEXT", 100)
        self.submit("under way", 10, 100)

    def test_too_many_messages(self) -> None:
        self.submit("a", 9, 1)
        self.submit("b", 1, 1)
        refused = self.failureResultOf(self.submit("c", 1, 1), QueueFullError)
        self.assertEqual(str(refused.value), "10 messages wait for the disk already")
        self.run_all()
        self.assertEqual(self.done, [["under way"], ["a", "b"]])
        self.submit("c", 10, 1)

    def test_too_much_text(self) -> None:
        self.submit("a", 1, 99)
        self.failureResultOf(self.submit("b", 1, 2), QueueFullError)
        self.submit("c", 1, 1)

    def test_what_is_too_large_by_itself_is_taken_when_nothing_waits(self) -> None:
        self.submit("a", 11, 101)
        self.failureResultOf(self.submit("b", 1, 1), QueueFullError)
        self.run_all()
        self.assertEqual(self.done, [["under way"], ["a"]])


class UpkeepTests(WriterCase):
    def store(self, count: int) -> None:
        self.transactions.stores = count
        self.submit("store")
        self.pool.run()
        self.transactions.stores = 0
        self.assertEqual(self.done, [["store"]])

    def test_after_a_while_of_peace(self) -> None:
        self.store(1)
        self.reactor.advance(PEACE / 2)
        self.store(1)
        self.reactor.advance(PEACE * 0.75)
        self.run_all()
        self.assertEqual(self.done, [])
        self.reactor.advance(PEACE * 0.5)
        self.run_all()
        self.assertEqual(self.done, ["upkeep"])
        self.assertEqual(self.transactions.backlog, 0)

    def test_at_once_when_there_is_much_but_requests_go_first(self) -> None:
        self.store(LAG)
        self.submit("a")
        self.pool.run()
        self.submit("b")
        self.pool.run()
        self.run_all()
        self.assertEqual(self.done, ["upkeep", ["a"], ["b"], "upkeep"])

    def test_before_all_else_when_there_is_too_much(self) -> None:
        self.store(MAX_LAG + 1500)
        self.submit("a")
        for _ in range(3):
            self.pool.run()
        self.assertEqual(self.done, ["upkeep", "upkeep", ["a"]])

    def test_for_a_while_only_and_the_longer_the_more_there_is(self) -> None:
        self.transactions.slice = 0
        for backlog, slices in ((MAX_LAG, 4), (2 * MAX_LAG, 6)):
            self.transactions.last = self.transactions.indexed = 0
            self.store(backlog)
            for name in "ab":
                self.submit(name)
                for _ in range(slices):
                    self.assertEqual(self.transactions.done.count([name]), 0)
                    self.pool.run()
                    self.reactor.advance(HOLD / 2.25)
                self.pool.run()
                self.assertEqual(self.done, ["upkeep"] * slices + [[name]])
            self.transactions.indexed = backlog
            self.run_all()
            self.transactions.done.clear()

    def test_every_hour(self) -> None:
        self.run_all()
        for _ in range(3):
            self.reactor.advance(ROUND_TIME - 1)
            self.run_all()
            self.assertEqual(self.done, [])
            self.reactor.advance(1)
            self.run_all()
            self.assertEqual(self.done, ["upkeep"])

    def test_what_fails_is_tried_again_later(self) -> None:
        self.store(LAG)
        self.transactions.error = StoreError("full")
        self.run_all()
        self.assertEqual(self.done, ["upkeep"])
        self.assertEqual(self.reported[-1], (False, self.transactions.error))
        self.reactor.advance(RETRY_TIME - 1)
        self.submit("a").addErrback(lambda _: None)
        self.run_all()
        self.assertEqual(self.done, [["a"]])
        self.reactor.advance(1)
        self.transactions.error = None
        self.run_all()
        self.assertEqual(self.done, ["upkeep", "upkeep"])

    def test_when_somebody_waits_for_it(self) -> None:
        self.successResultOf(self.writer.when_indexed())
        self.store(1500)
        waiting = self.writer.when_indexed()
        self.transactions.stores = 5
        self.submit("a")
        self.pool.run()
        self.assertNoResult(waiting)
        self.pool.run()
        self.assertNoResult(waiting)
        self.pool.run()
        self.assertEqual(self.done, ["upkeep", ["a"], "upkeep"])
        self.successResultOf(waiting)

    def test_who_waits_no_more(self) -> None:
        self.store(1500)
        waiting = self.writer.when_indexed()
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.submit("a")
        self.pool.run()
        self.submit("b")
        for _ in range(3):
            self.pool.run()
        self.assertEqual(self.done, ["upkeep", ["a"], ["b"], "upkeep"])

    def test_who_waits_hears_of_a_failure(self) -> None:
        self.store(1)
        waiting = self.writer.when_indexed()
        self.transactions.error = StoreError("full")
        self.pool.run()
        self.failureResultOf(waiting, StoreError)

    def test_who_waits_for_what_a_new_file_does_not_have(self) -> None:
        self.store(500)
        waiting = self.writer.when_indexed()
        self.transactions.last = self.transactions.indexed = 0
        self.pool.run()
        self.successResultOf(waiting)


class EndTests(WriterCase):
    def test_all_that_was_asked_for_is_done_first(self) -> None:
        self.transactions.stores = LAG
        self.submit("a")
        self.submit("b")
        stopped = self.writer.stop()
        self.failureResultOf(self.submit("c"), StoreError)
        self.pool.run()
        self.assertNoResult(stopped)
        self.pool.run()
        self.successResultOf(stopped)
        self.assertEqual(self.done, [["a"], ["b"]])
        self.assertEqual(self.pool.run(), 0)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_even_if_much_is_to_be_indexed_first(self) -> None:
        self.transactions.stores = MAX_LAG
        self.submit("a")
        waiting = self.submit("b")
        self.transactions.slice = MAX_LAG
        stopped = self.writer.stop()
        self.run_all()
        self.assertEqual(self.done, [["a"], "upkeep", ["b"]])
        self.successResultOf(waiting)
        self.successResultOf(stopped)

    def test_who_waits_for_the_index_does_not_hold_it_up(self) -> None:
        self.transactions.stores = 5000
        self.submit("a")
        self.pool.run()
        waiting = self.writer.when_indexed()
        stopped = self.writer.stop()
        self.failureResultOf(waiting, StoreError)
        self.pool.run()
        self.assertEqual(self.done, [["a"], "upkeep"])
        self.successResultOf(stopped)
        self.successResultOf(self.writer.when_indexed())

    def test_with_nothing_to_do(self) -> None:
        self.successResultOf(self.writer.stop())
        self.assertEqual(self.reactor.getDelayedCalls(), [])

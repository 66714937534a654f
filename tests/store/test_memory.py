"""The history in memory where it is not the same as the one in a file: turns, and its end.

All else it has in common with that one: test_history_machine.py.
"""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.history import Bounds, StoreError
from p2pchat.store import memory, notebook
from p2pchat.store.memory import SLICE, MemoryHistory
from tests.store.cases import ALICE, BOB, START, at, received, texts


class MemoryTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.history = MemoryHistory(self.clock, ALICE, Bounds(), lambda: START)
        self.successResultOf(self.history.open())

    def store(self, count: int) -> None:
        messages = [received(number, f"word {number}") for number in range(count)]
        self.successResultOf(self.history.receive(messages))

    def test_a_search_gives_others_their_turn(self) -> None:
        self.store(3 * SLICE)
        turns: list[float] = []
        later = self.clock.callLater
        self.patch(self.clock, "callLater", lambda *call: turns.append(call[0]) or later(*call))
        search = self.history.search("word 7", 10)
        self.assertNoResult(search)
        self.clock.advance(0)
        (found,) = self.successResultOf(search)
        self.assertEqual(found.entry.text, "word 7")
        self.assertEqual(turns, [0, 0, 0])

    def test_what_comes_during_a_search_is_no_part_of_it(self) -> None:
        self.store(SLICE)
        search = self.history.search("word", 1000)
        self.successResultOf(self.history.receive([received(10_000, "word too")]))
        self.clock.advance(0)
        self.assertEqual(len(self.successResultOf(search)), SLICE)

    def test_among_too_many_matches_those_stored_last_are_looked_at(self) -> None:
        self.patch(memory, "MAX_MATCHES", 2)
        old = received(1, "word old", time=at(-1))
        self.successResultOf(
            self.history.receive([received(2, "word 1"), received(3, "word 2"), old])
        )
        found = self.successResultOf(self.history.search("word", 9))
        self.assertEqual(texts([one.entry for one in found]), ["word 2", "word old"])

    def test_no_more_text_is_kept_than_has_room_but_for_the_outbox(self) -> None:
        self.patch(notebook, "MAX_TEXT", 10)
        self.successResultOf(self.history.queue(BOB, "waits", "w" * 90, at(0)))
        messages = [received(number, f"{number}" * 3) for number in range(1, 10)]
        self.successResultOf(self.history.receive(messages))
        self.assertEqual(self.kept(), ["w" * 90, "777", "888", "999"])
        self.successResultOf(self.history.settled("waits", "delivered"))
        self.successResultOf(self.history.receive([received(10, "10")]))
        self.assertEqual(self.kept(), ["888", "999", "10"])

    def kept(self) -> list[str]:
        return texts(self.successResultOf(self.history.entries(None, 99)))

    def test_closing_ends_what_is_searched(self) -> None:
        self.store(SLICE)
        search = self.history.search("word", 9)
        self.successResultOf(self.history.close())
        self.failureResultOf(search, StoreError)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_nothing_is_done_while_it_is_closed(self) -> None:
        self.store(1)
        self.successResultOf(self.history.close())
        for ask in (
            lambda: self.history.receive([received(1)]),
            lambda: self.history.entries(None, 1),
            lambda: self.history.search("word", 1),
        ):
            self.failureResultOf(ask(), StoreError)
        self.assertEqual(self.successResultOf(self.history.open()).unread, 1)

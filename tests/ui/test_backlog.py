"""What waits for a thread is bounded, and what is lost is counted."""

from threading import Thread

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.ui.backlog import Backlog
from tests.ui.fakes import PATIENCE


class BacklogTests(SynchronousTestCase):
    def test_in_order_by_size(self) -> None:
        backlog = Backlog[str](100)
        for item in ("aa", "bb", "cc"):
            backlog.put(item, 2)
        self.assertEqual(backlog.take(4), (["aa", "bb"], 0))
        self.assertEqual(backlog.take(1), (["cc"], 0))
        self.assertEqual(backlog.take(1), ([], 0))

    def test_what_does_not_fit_is_one_gap(self) -> None:
        backlog = Backlog[str](4)
        for item in ("aa", "bb", "cc", "d"):
            backlog.put(item, len(item))
        self.assertEqual(backlog.take(2), (["aa"], 0))
        backlog.put("e", 1)
        self.assertEqual(backlog.take(9), (["bb"], 3))
        backlog.put("f", 1)
        self.assertEqual(backlog.take(9), (["f"], 0))

    def test_an_item_beyond_the_limit_is_lost_at_once(self) -> None:
        backlog = Backlog[str](4)
        backlog.put("12345", 5)
        self.assertTrue(backlog.wait())
        self.assertEqual(backlog.take(9), ([], 1))

    @given(st.lists(st.integers(1, 9) | st.none(), max_size=60), st.integers(1, 20))
    def test_nothing_is_lost_unnoticed(self, steps: list[int | None], limit: int) -> None:
        backlog = Backlog[int](limit)
        put, taken, lost = 0, [], 0
        for size in [*steps, None]:
            if size is None:
                items, count = backlog.take(1000)
                self.assertLessEqual(sum(items), limit)
                taken += items
                lost += count
            else:
                backlog.put(size, size)
                put += 1
        self.assertEqual(len(taken) + lost, put)

    def test_close_keeps_what_is_inside(self) -> None:
        backlog = Backlog[str](4)
        backlog.put("a", 1)
        backlog.close()
        backlog.put("b", 1)
        self.assertTrue(backlog.wait())
        self.assertEqual(backlog.take(9), (["a"], 0))
        self.assertFalse(backlog.wait())

    def test_wait_wakes_up(self) -> None:
        for wake, expected in ((lambda log: log.put("a", 1), True), (Backlog.close, False)):
            backlog, woken = Backlog[str](4), []
            thread = Thread(target=lambda log=backlog, out=woken: out.append(log.wait()))
            thread.start()
            wake(backlog)
            thread.join(PATIENCE)
            self.assertEqual(woken, [expected])

"""Which messages were taken already: the newest are remembered, and no more than twice as many."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chat.seen import Seen

CAPACITY = 4


class SeenTests(SynchronousTestCase):
    def test_new_once(self) -> None:
        seen = Seen()
        self.assertTrue(seen.add("1"))
        self.assertFalse(seen.add("1"))
        self.assertTrue(seen.add("2"))

    def test_what_is_older_than_twice_the_capacity_is_forgotten(self) -> None:
        seen = Seen(CAPACITY)
        self.assertTrue(seen.add("first"))
        for number in range(2 * CAPACITY):
            seen.add(str(number))
        self.assertTrue(seen.add("first"))

    @settings(deadline=None, max_examples=100)
    @given(st.lists(st.integers(0, 12).map(str), max_size=60))
    def test_remembers_the_newest_and_forgets_the_rest(self, ids: list[str]) -> None:
        seen = Seen(CAPACITY)
        added: list[str] = []
        for msg_id in ids:
            new = seen.add(msg_id)
            if msg_id in added[-CAPACITY:]:
                self.assertFalse(new, "one of the newest was forgotten")
            if msg_id not in added[-2 * CAPACITY :]:
                self.assertTrue(new, "more than twice the capacity is kept")
            if new:
                added.append(msg_id)

"""What a link owes us comes again in order, and nothing before it."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chat.owed import MAX_OWED, PATIENCE, Owed


class OwedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.owed = Owed()

    def taken(self, msg_ids: str, now: float = 0.0) -> str:
        return "".join(msg_id for msg_id in msg_ids if self.owed.takes(msg_id, now))

    def test_without_debts_everything_is_taken(self) -> None:
        self.assertEqual(self.taken("abc"), "abc")

    def test_what_is_new_waits_for_what_is_owed_and_is_owed_too(self) -> None:
        self.owed.failed("ab", 0.0)
        self.assertEqual(self.taken("c"), "")
        self.assertEqual(self.taken("ba"), "a")
        self.assertEqual(self.taken("cb"), "b")
        self.owed.stored("ab")
        self.assertEqual(self.taken("dc"), "c")
        self.assertEqual(self.taken("de"), "de")
        self.owed.stored("cde")
        self.assertFalse(self.owed)
        self.assertEqual(self.taken("f"), "f")

    def test_what_comes_behind_those_that_came_again_follows_them(self) -> None:
        self.owed.failed("ab", 0.0)
        self.assertEqual(self.taken("abcd"), "abcd")
        self.owed.failed("abcd", 0.0)
        self.assertEqual(self.taken("dcba"), "a")

    def test_what_fails_again_keeps_its_place(self) -> None:
        self.owed.failed("abc", 0.0)
        self.assertEqual(self.taken("ab"), "ab")
        self.owed.failed("a", 1.0)
        self.owed.failed("b", 1.0)
        self.assertEqual(self.taken("cba"), "a")
        self.assertEqual(self.taken("bc"), "bc")

    def test_what_comes_twice_is_told_twice(self) -> None:
        self.owed.failed("ab", 0.0)
        self.assertEqual(self.taken("aab"), "aab")

    def test_what_never_comes_is_not_waited_for_for_ever(self) -> None:
        self.owed.failed("ab", 0.0)
        self.assertEqual(self.taken("c", PATIENCE - 1), "")
        self.assertEqual(self.taken("c", PATIENCE), "c")
        self.owed.stored("c")
        self.assertFalse(self.owed)

    def test_nor_if_something_else_is_stored_all_the_time(self) -> None:
        """Publications are, which nobody waits for."""
        self.owed.failed("a", 0.0)
        for now in (0.3 * PATIENCE, 0.6 * PATIENCE, 0.9 * PATIENCE):
            self.owed.stored("")
            self.assertEqual(self.taken("b", now), "")
        self.assertEqual(self.taken("b", PATIENCE), "b")

    def test_the_others_are_waited_for_all_the_same(self) -> None:
        """Its sender took back the first one: what is behind it stays in its order."""
        self.owed.failed("abcd", 0.0)
        self.assertEqual(self.taken("bcd", 0.5 * PATIENCE), "")
        self.assertEqual(self.taken("edcb", PATIENCE), "b")
        self.assertEqual(self.taken("edc", 1.4 * PATIENCE), "c")
        self.assertEqual(self.taken("ede", 1.4 * PATIENCE), "de")

    def test_debts_are_bounded(self) -> None:
        self.owed.failed(map(str, range(MAX_OWED + 10)), 0.0)
        for number in range(MAX_OWED):
            self.assertTrue(self.owed.takes(str(number), 0.0))
        self.assertEqual(self.taken("abc"), "abc")
        self.owed.stored(map(str, range(MAX_OWED)))
        self.assertFalse(self.owed)

    @given(st.data())
    def test_whatever_fails_how_often_all_is_stored_in_order(self, data) -> None:
        self.setUp()
        wanted = [str(number) for number in range(data.draw(st.integers(1, 12)))]
        stored: list[str] = []
        first = data.draw(st.integers(0, len(wanted)))
        stored += wanted[:first]
        self.owed.failed(wanted[first:], 0.0)
        rounds = 0
        while len(stored) < len(wanted):
            rounds += 1
            left = [msg_id for msg_id in wanted if msg_id not in stored]
            tried = [msg_id for msg_id in left if self.owed.takes(msg_id, 0.0)]
            fails = rounds < 5 and data.draw(st.booleans())
            if fails:
                self.owed.failed(tried, 0.0)
            else:
                self.owed.stored(tried)
                stored += tried
            assert rounds < 50
        self.assertEqual(stored, wanted)

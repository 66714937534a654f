"""Which chat of ours is mined when: in order, on the newest archive, after a lost race later."""

from random import Random
from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.archive import miner
from p2pchat.archive.archive import Archive
from p2pchat.archive.mining import DOUBLINGS, PATIENCE, PAUSE, Mining
from tests.archive.mined import (
    arriving,
    easy_proof,
    grown,
    mark_of,
    new_replica,
    post,
    receive,
    texts,
)
from tests.archive.threads import ThreadedClock


class MiningCase(SynchronousTestCase):
    threads = 1

    def setUp(self):
        self.enterContext(easy_proof())
        self.clock = ThreadedClock()
        self.replica = new_replica()
        self.base = grown(Archive(), "b0", "b1")
        self.replica.load(self.base)
        self.changes = []
        self.mining = Mining(self.clock, Random(1), self.replica, self.threads, self.grown)
        self.mining.start()

    def tearDown(self):
        self.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def stop(self):
        stopped = []
        self.mining.stop().addBoth(stopped.append)
        self.clock.finish_all()
        self.assertEqual(stopped, [None])

    def grown(self, change):
        self.changes.append(change)
        self.mining.update()

    def post(self, text):
        chat = post(self.replica, text)
        self.mining.update()
        return chat

    def receive(self, archive):
        change = receive(self.replica, archive)
        self.mining.update()
        return change

    def assert_holds(self, *expected):
        self.assertEqual(texts(self.replica.archive), ["b0", "b1", *expected])

    def lose_a_race(self):
        """Let a chat of ours be displaced, which is then mined again after a pause."""
        chat = self.post("one")
        self.clock.finish_all()
        self.receive(grown(self.base, "x", "y"))
        self.assertEqual(chat.state, "displaced")
        return chat

    def pause(self):
        """Return how long from now on nothing is searched."""
        self.assertFalse(self.mining.active)
        self.assertEqual(self.clock.threads, [])
        (begin,) = self.clock.getDelayedCalls()
        return begin.getTime() - self.clock.seconds()


class MiningTests(MiningCase):
    def test_chats_in_order_one_after_the_other(self):
        chats = [self.post(text) for text in ("one", "two", "three")]
        for count in (1, 2, 3):
            self.assertTrue(self.mining.active)
            self.assertEqual(len(self.clock.threads), 1)
            self.clock.finish()
            self.assertEqual(len(self.changes), count)
        self.assert_holds("one", "two", "three")
        self.assertEqual([change.moved for change in self.changes], [[chat] for chat in chats])
        self.assertFalse(self.mining.active)
        self.assertGreaterEqual(self.mining.rate, 0)

    def test_nothing_before_the_start(self):
        mining = Mining(self.clock, Random(1), self.replica, 1, self.grown)
        post(self.replica, "one")
        mining.update()
        self.assertFalse(mining.active)
        mining.start()
        self.assertTrue(mining.active)
        self.clock.finish()
        self.assert_holds("one")

    def test_what_goes_on_is_not_begun_again(self):
        self.post("one")
        for _ in range(3):
            self.mining.update()
        self.post("two")
        self.receive(grown(self.base.truncated(1), "x"))  # no longer than ours
        self.assertEqual(len(self.clock.threads), 1)
        self.clock.finish()
        self.assert_holds("one")

    def test_begun_again_when_the_archive_grows(self):
        one = self.post("one")
        self.receive(grown(self.base, "x"))
        self.assertEqual(len(self.clock.threads), 2)
        self.clock.finish()
        self.assertEqual(self.changes, [])
        self.assertTrue(self.mining.active)
        self.clock.finish()
        self.assert_holds("x", "one")
        self.assertEqual(one.height, 4)

    def test_given_up_when_the_chat_came_in_another_archive(self):
        one = self.post("one")
        fork = grown(self.base, "x")
        self.receive(grown(fork, "one", mark=mark_of("one")))
        self.assertEqual(one.state, "archived")
        self.assertFalse(self.mining.active)
        self.clock.finish_all()
        self.assertEqual(self.changes, [])
        self.assert_holds("x", "one")

    def test_code_found_while_the_archive_had_just_grown(self):
        self.post("one")
        receive(self.replica, grown(self.base, "x"))  # nobody has told the mining yet
        self.clock.finish()
        self.assertEqual(self.changes, [])
        self.assertTrue(self.mining.active)
        self.clock.finish()
        self.assert_holds("x", "one")

    def test_chat_asked_for_while_another_is_reported(self):
        self.mining = Mining(
            self.clock, Random(1), self.replica, 1, lambda change: self.post("two")
        )
        self.mining.start()
        self.post("one")
        self.clock.finish()
        self.assert_holds("one")
        self.assertEqual(len(self.clock.threads), 1)

    def test_search_that_failed_is_begun_again_at_the_next_occasion(self):
        with patch.object(miner, "search", side_effect=MemoryError):
            self.post("one")
            self.clock.finish()
        self.assertEqual(len(self.flushLoggedErrors(MemoryError)), 1)
        self.assertFalse(self.mining.active)
        self.mining.update()
        self.assertTrue(self.mining.active)
        self.clock.finish()
        self.assert_holds("one")

    def test_nothing_after_the_stop(self):
        self.post("one")
        self.stop()
        self.post("two")
        self.assertFalse(self.mining.active)
        self.assertEqual(self.clock.threads, [])
        self.assert_holds()

    def test_stopped_when_its_threads_are(self):
        self.post("one")
        self.receive(grown(self.base, "x"))
        stopped = []
        self.mining.stop().addBoth(stopped.append)
        self.assertEqual(len(self.clock.threads), 2)
        self.clock.finish(1)
        self.assertEqual(stopped, [])
        self.clock.finish()
        self.assertEqual(stopped, [None])
        self.assert_holds("x")


class LostRaceTests(MiningCase):
    def test_again_after_a_short_pause(self):
        one = self.lose_a_race()
        pause = self.pause()
        self.assertTrue(PAUSE[0] <= pause <= PAUSE[1])
        self.clock.advance(pause)
        self.assertTrue(self.mining.active)
        self.clock.finish()
        self.assert_holds("x", "y", "one")
        self.assertEqual(one.state, "archived")

    def test_pauses_differ(self):
        pauses = set()
        self.lose_a_race()
        archive = self.replica.archive
        for number in range(5):
            pauses.add(self.pause())
            archive = grown(archive, f"z{number}")
            self.receive(archive)
        self.assertEqual(len(pauses), 5)

    def test_pause_is_not_made_longer_by_what_changes_nothing(self):
        self.lose_a_race()
        pause = self.pause()
        self.clock.advance(pause / 2)
        self.mining.update()
        self.post("two")
        self.receive(grown(self.base, "z"))
        self.assertAlmostEqual(self.pause(), pause / 2)

    def test_back_again_during_the_pause(self):
        one = self.lose_a_race()
        fork = grown(self.base, "one", mark=mark_of("one"))
        self.receive(grown(fork, "p", "q", "r"))
        self.assertEqual(one.state, "archived")
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertFalse(self.mining.active)

    def test_back_again_while_it_is_mined(self):
        one = self.lose_a_race()
        self.clock.advance(PAUSE[1])
        self.assertTrue(self.mining.active)
        fork = grown(self.base, "one", mark=mark_of("one"))
        self.receive(grown(fork, "p", "q", "r"))
        self.assertFalse(self.mining.active)
        self.clock.finish_all()
        self.assert_holds("one", "p", "q", "r")
        self.assertEqual((self.changes[1:], one.height), ([], 3))

    def test_one_that_never_lost_does_not_wait_behind_the_others(self):
        self.lose_a_race()
        self.post("two")
        self.clock.advance(PAUSE[1])
        self.clock.finish()
        self.assert_holds("x", "y", "one")
        self.assertTrue(self.mining.active)
        self.clock.finish()
        self.assert_holds("x", "y", "one", "two")

    def test_the_others_that_lost_follow_without_a_pause(self):
        chats = [self.post(text) for text in ("one", "two", "three")]
        self.clock.finish_all()
        self.receive(grown(self.base, "w", "x", "y", "z"))
        self.assertEqual({chat.state for chat in chats}, {"displaced"})
        self.clock.advance(self.pause())
        for _ in chats:
            self.assertTrue(self.mining.active)
            self.clock.finish()
        self.assert_holds("w", "x", "y", "z", "one", "two", "three")

    def test_pause_begins_anew_when_somebody_else_mines(self):
        self.lose_a_race()
        self.clock.advance(self.pause() * 0.99)
        self.receive(grown(self.replica.archive, "z"))
        self.assertGreaterEqual(self.pause(), PAUSE[0])

    def longest_pause(self):
        """Return how long the longest of many pauses is, as somebody else mines again and again."""
        pauses = []
        for _ in range(50):
            self.receive(grown(self.replica.archive, "z"))
            pauses.append(self.pause())
        return max(pauses)

    def lose_again(self):
        self.clock.advance(self.pause())
        self.clock.finish()
        self.lose(self.replica.archive)

    def lose(self, archive):
        self.receive(grown(archive.truncated(archive.height - 1), "v", "w"))

    def test_longer_pauses_while_races_are_lost_in_a_row(self):
        self.lose_a_race()
        for losses in range(DOUBLINGS + 3):
            most = PAUSE[1] * 2 ** min(losses, DOUBLINGS)
            self.assertTrue(0.8 * most < self.longest_pause() <= most, losses)
            self.lose_again()

    def test_short_pauses_again_when_all_is_confirmed(self):
        self.lose_a_race()
        self.lose_again()
        self.clock.advance(self.pause())
        self.clock.finish()
        same = arriving(self.replica, self.replica.archive)
        self.assertEqual(len(self.replica.confirmed("10.0.0.2", same)), 1)
        self.lose(self.replica.archive)
        self.assertLessEqual(self.longest_pause(), PAUSE[1])

    def test_stop_in_the_pause(self):
        self.lose_a_race()
        self.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.clock.advance(PAUSE[1])
        self.assertEqual(self.clock.threads, [])


class RivalTests(MiningCase):
    """Archives as long as ours that lack a chat of ours."""

    def setUp(self):
        super().setUp()
        self.one = self.post("one")
        self.clock.finish()
        rivals = [grown(self.base, f"rival {number}") for number in range(200)]
        rivals.sort(key=lambda rival: rival.tip)
        self.smaller, self.greater = rivals[0], rivals[-1]
        assert self.smaller.tip < self.replica.archive.tip < self.greater.tip

    def test_ours_gives_way_soon(self):
        self.receive(self.smaller)
        pause = self.pause()
        self.assertTrue(PAUSE[0] <= pause <= PAUSE[1])
        self.clock.advance(pause)
        self.clock.finish()
        self.assertEqual(texts(self.replica.archive), [*texts(self.smaller), "one"])
        self.assertEqual(self.changes[-1].dropped, 1)

    def test_ours_gives_way_late_if_nobody_else_does(self):
        self.receive(self.greater)
        pause = self.pause()
        self.assertTrue(PATIENCE[0] <= pause <= PATIENCE[1])
        self.clock.advance(pause)
        self.clock.finish()
        self.assertEqual(texts(self.replica.archive), [*texts(self.greater), "one"])

    def test_somebody_else_gives_way_before(self):
        self.receive(self.greater)
        self.receive(grown(self.replica.archive, texts(self.greater)[-1]))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertFalse(self.mining.active)

    def test_pause_and_search_are_not_begun_again_when_more_peers_send_it(self):
        again = grown(self.base, texts(self.smaller)[-1])
        self.receive(self.smaller)
        pause = self.pause()
        self.clock.advance(pause / 2)
        self.receive(again)
        self.assertAlmostEqual(self.pause(), pause / 2)
        self.clock.advance(pause / 2)
        self.receive(again)
        self.assertEqual(len(self.clock.threads), 1)
        self.clock.finish()
        self.assertEqual(texts(self.replica.archive), [*texts(self.smaller), "one"])

    def test_new_chat_settles_it_at_once(self):
        self.receive(self.greater)
        self.post("two")
        self.assertTrue(self.mining.active)
        self.clock.finish()
        self.assert_holds("one", "two")
        self.assertEqual(self.clock.getDelayedCalls(), [])


class TwoMinersTests(MiningCase):
    threads = 2

    def test_every_chat_once(self):
        for text in ("one", "two"):
            self.post(text)
        self.assertEqual(len(self.clock.threads), 2)
        self.clock.finish_all()
        self.assert_holds("one", "two")
        self.assertEqual(len(self.changes), 2)

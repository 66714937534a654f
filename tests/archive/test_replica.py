"""The archive that we hold: what takes its place, what is mined, who gives way (3.10)."""

from p2pchat.archive.archive import Archive
from p2pchat.archive.replica import Job, Turn
from tests.archive.mined import (
    arriving,
    code_for,
    grown,
    mark_of,
    mine,
    new_replica,
    post,
    receive,
    texts,
)
from tests.archive.replica_case import BASE, ReplicaCase


class AdoptionTests(ReplicaCase):
    """Only what is strictly longer takes the place of ours."""

    def test_from_nothing(self):
        change = receive(self.replica, self.base)
        self.assertEqual((change.common, change.dropped, change.moved), (0, 0, []))
        self.assertIs(change.archive, self.replica.archive)
        self.assert_holds(*BASE)

    def test_longer_on_top_of_ours(self):
        self.replica.load(self.base)
        change = receive(self.replica, grown(self.base, "x", "y"))
        self.assertEqual((change.common, change.dropped), (3, 0))
        self.assert_holds(*BASE, "x", "y")

    def test_longer_from_a_fork(self):
        self.replica.load(self.base)
        change = receive(self.replica, grown(self.base.truncated(1), "x", "y", "z"))
        self.assertEqual((change.common, change.dropped), (1, 2))
        self.assert_holds("b0", "x", "y", "z")

    def test_equal_shorter_or_as_long_changes_nothing(self):
        self.replica.load(self.base)
        for other in (
            self.base,
            self.base.truncated(2),
            grown(self.base.truncated(2), "x"),
            grown(Archive(), "x"),
            Archive(),
        ):
            self.assertIsNone(receive(self.replica, other))
            self.assertIs(self.replica.archive, self.base)

    def test_longer_than_ours_was_when_it_began_to_arrive(self):
        for now, adopted in (("x",), True), (("x", "y"), False), (("x", "y", "z"), False):
            self.replica = new_replica()
            self.replica.load(self.base)
            late = arriving(self.replica, grown(self.base, "p", "q"))
            receive(self.replica, grown(self.base, *now))
            change = self.replica.received(late)
            self.assertEqual(change is not None, adopted, now)
            self.assert_holds(*BASE, *(("p", "q") if adopted else now))
            if change is not None:
                self.assertEqual((change.common, change.dropped), (3, 1))

    def test_our_chats_in_it_are_found_and_those_it_lacks_wait(self):
        self.replica.load(self.base)
        one, two = post(self.replica, "one"), post(self.replica, "two")
        mine(self.replica)
        self.assertEqual((one.height, two.height), (4, None))
        fork = grown(self.base, "two", mark=mark_of("two"))
        change = receive(self.replica, grown(fork, "x"))
        self.assertEqual(change.moved, [one, two])
        self.assertEqual((one.state, two.state), ("displaced", "archived"))
        self.assertEqual(two.height, 4)


class CommonTests(ReplicaCase):
    """What a peer's archive confirms."""

    def test_as_far_as_it_agrees_with_what_we_hold_now(self):
        self.replica.load(self.base)
        fork = grown(self.base.truncated(2), "x")
        for other, common in ((self.base, 3), (fork, 2), (self.base.truncated(1), 1)):
            incoming = arriving(self.replica, other)
            self.assertEqual(self.replica.common(incoming), common)
        incoming = arriving(self.replica, self.base)
        receive(self.replica, grown(self.base.truncated(1), "p", "q", "r"))
        self.assertEqual(self.replica.common(incoming), 1)

    def test_what_was_adopted_confirms_what_stayed(self):
        self.replica.load(self.base)
        incoming = arriving(self.replica, grown(self.base, "x"))
        self.assertIsNotNone(self.replica.received(incoming))
        self.assertGreaterEqual(self.replica.common(incoming), 3)

    def test_what_is_not_there_in_full_confirms_as_far_as_it_came(self):
        self.replica.load(self.base)
        incoming = self.replica.incoming(3)
        self.assertEqual(self.replica.common(incoming), 0)


class MiningTests(ReplicaCase):
    """Chats of ours go on top, in order."""

    def test_nothing_to_mine(self):
        self.assertIsNone(self.replica.job())

    def test_first_that_waits_on_what_we_hold(self):
        self.replica.load(self.base)
        one, two = post(self.replica, "one"), post(self.replica, "two")
        self.assertEqual(self.replica.job(), Job(one, self.base, Turn.NOW))
        change = mine(self.replica)
        self.assertEqual((change.common, change.dropped, change.moved), (3, 0, [one]))
        self.assertEqual(self.replica.job(), Job(two, self.replica.archive, Turn.NOW))
        mine(self.replica)
        self.assert_holds(*BASE, "one", "two")
        self.assertEqual((one.height, two.height), (4, 5))
        self.assertIsNone(self.replica.job())

    def test_one_that_was_displaced_waits_a_little(self):
        one = post(self.replica, "one")
        mine(self.replica)
        receive(self.replica, self.base)
        self.assertEqual(self.replica.job(), Job(one, self.replica.archive, Turn.SOON))
        mine(self.replica)
        self.assert_holds(*BASE, "one")
        self.assertEqual(one.state, "archived")

    def test_code_for_an_archive_that_has_grown_is_of_no_use(self):
        self.replica.load(self.base)
        one = post(self.replica, "one")
        job = self.replica.job()
        code = code_for(job.base.prefix_for(one.text), one.start)
        receive(self.replica, grown(self.base, "x"))
        self.assertIsNone(self.replica.mined(job, code))
        self.assert_holds(*BASE, "x")
        self.assertIsNone(one.height)

    def test_code_that_proves_nothing_is_refused(self):
        one = post(self.replica, "one")
        code = code_for(self.replica.job().base.prefix_for(one.text), one.start)
        wrong = bytes([code[0] ^ 1]) + code[1:]
        self.assertRaises(ValueError, self.replica.mined, self.replica.job(), wrong)
        self.assert_holds()
        self.assertIsNotNone(self.replica.mined(self.replica.job(), code))

    def test_nothing_beyond_the_limit_is_mined(self):
        size = self.base.size + 33 + len("three")
        for limit, fits in ((size - 1, False), (size, True)):
            self.replica = new_replica(limit)
            self.replica.load(self.base)
            self.assertEqual(self.replica.has_room(b"three"), fits)
            self.assertTrue(self.replica.has_room(b"four"))
            post(self.replica, "three")
            self.assertEqual(self.replica.job() is not None, fits)
        mine(self.replica)
        self.assertEqual(self.replica.archive.size, size)


class FullTests(ReplicaCase):
    """Chats that do not fit wait; those that do go past them."""

    def test_what_waits_takes_room(self):
        full = new_replica(limit=self.base.size + 2 * 40)
        full.load(self.base)
        self.assertTrue(full.has_room(b"1234567"))
        post(full, "1234567")
        self.assertTrue(full.has_room(b"1234567"))
        post(full, "7654321")
        self.assertFalse(full.has_room(b""))

    def test_one_that_does_not_fit_holds_up_no_other(self):
        full = new_replica(limit=self.base.size + 40)
        full.load(self.base)
        post(full, "too long for it")
        post(full, "short")
        mine(full)
        self.assertEqual(texts(full.archive), [*BASE, "short"])
        self.assertIsNone(full.job())
        self.assertEqual(len(full.own.waiting), 1)

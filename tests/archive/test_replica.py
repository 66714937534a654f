"""The archive that we hold: what takes its place, what is mined, who gives way (3.10)."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.archive import own, replica
from p2pchat.archive.archive import Archive
from p2pchat.archive.own import MARK_SIZE, look_up
from p2pchat.archive.replica import Job, Turn
from tests.archive.mined import (
    arriving,
    code_for,
    easy_proof,
    grown,
    mark_of,
    mine,
    new_replica,
    post,
    receive,
    texts,
)

BASE = ("b0", "b1", "b2")


class ReplicaCase(SynchronousTestCase):
    def setUp(self):
        self.enterContext(easy_proof())
        self.base = grown(Archive(), *BASE)
        self.replica = new_replica()

    def assert_holds(self, *expected):
        self.assertEqual(texts(self.replica.archive), list(expected))


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


class RivalTests(ReplicaCase):
    """Of two archives as long, each with chats of its own, one gives way."""

    def setUp(self):
        super().setUp()
        self.replica.load(self.base)
        self.one = post(self.replica, "one")
        mine(self.replica)
        self.ours = self.replica.archive
        rivals = [grown(self.base, f"rival {number}") for number in range(200)]
        self.smaller = [rival for rival in rivals if rival.tip < self.ours.tip]
        self.greater = [rival for rival in rivals if rival.tip > self.ours.tip]
        assert len(self.smaller) > 2 < len(self.greater)

    def receive(self, archive):
        self.assertIsNone(receive(self.replica, archive))
        self.assertIs(self.replica.archive, self.ours)
        return self.replica.job()

    def test_ours_gives_way_to_the_one_with_the_smaller_tip(self):
        rival = self.smaller[0]
        self.assertEqual(self.receive(rival), Job(self.one, rival, Turn.SOON))
        change = mine(self.replica)
        self.assertEqual((change.common, change.dropped, change.moved), (3, 1, [self.one]))
        self.assert_holds(*texts(rival), "one")
        self.assertEqual((self.one.height, self.one.state), (5, "archived"))
        self.assertIsNone(self.replica.job())

    def test_one_with_a_greater_tip_is_given_time_to_do_so(self):
        rival = self.greater[0]
        self.assertEqual(self.receive(rival), Job(self.one, rival, Turn.LATE))
        mine(self.replica)
        self.assert_holds(*texts(rival), "one")

    def test_only_one_of_two_gives_way(self):
        other = new_replica()
        other.load(self.base)
        post(other, "two")
        mine(other)
        theirs = other.archive
        turns = {self.receive(theirs).turn}
        self.assertIsNone(receive(other, self.ours))
        turns.add(other.job().turn)
        self.assertEqual(turns, {Turn.SOON, Turn.LATE})

    def test_of_several_the_one_with_the_smallest_tip(self):
        tips = sorted([*self.smaller[:3], *self.greater[:2]], key=lambda rival: rival.tip)
        for order in (tips, tips[::-1], tips[2:] + tips[:2]):
            self.replica = new_replica()
            self.replica.load(self.base)
            self.one = post(self.replica, "one")
            mine(self.replica)
            self.ours = self.replica.archive
            for rival in order:
                job = self.receive(rival)
            self.assertEqual(job, Job(self.one, tips[0], Turn.SOON))

    def test_the_same_one_again_is_the_same_job(self):
        for rival in (self.greater[0], self.smaller[0]):
            job = self.receive(rival)
            for again in (rival, grown(self.base, texts(rival)[-1])):
                self.assertIs(self.receive(again).base, job.base)
        code = code_for(job.base.prefix_for(b"one"), self.one.start)
        self.assertIsNotNone(self.replica.mined(job, code))

    def test_a_better_one_makes_the_code_for_another_useless(self):
        first, better = sorted(self.smaller[:2], key=lambda rival: rival.tip, reverse=True)
        job = self.receive(first)
        code = code_for(job.base.prefix_for(b"one"), self.one.start)
        self.assertEqual(self.receive(better).base, better)
        self.assertIsNone(self.replica.mined(job, code))
        self.assertIs(self.replica.archive, self.ours)

    def test_what_waits_comes_first_and_settles_it(self):
        self.receive(self.smaller[0])
        two = post(self.replica, "two")
        self.assertEqual(self.replica.job(), Job(two, self.ours, Turn.NOW))
        mine(self.replica)
        self.assert_holds(*BASE, "one", "two")
        self.assertIsNone(self.replica.job())

    def test_a_longer_one_settles_it(self):
        job = self.receive(self.smaller[0])
        code = code_for(job.base.prefix_for(b"one"), self.one.start)
        receive(self.replica, grown(self.ours, "x"))
        self.assertIsNone(self.replica.job())
        self.assertIsNone(self.replica.mined(job, code))
        self.assert_holds(*BASE, "one", "x")

    def test_no_rival_if_it_holds_ours_too(self):
        self.replica = new_replica()
        self.replica.load(grown(self.base, "x"))
        two = post(self.replica, "two")
        mine(self.replica)
        fork = grown(self.base, "two", mark=mark_of("two"))
        self.assertEqual(two.height, 5)
        self.assertIsNone(receive(self.replica, grown(fork, "y")))
        self.assertIsNone(self.replica.job())

    def test_no_rival_if_none_of_ours_is_behind_the_fork(self):
        self.replica.load(grown(self.ours, "x"))
        self.assertIsNone(receive(self.replica, grown(self.ours, "y")))
        self.assertIsNone(self.replica.rival)
        self.assertIsNone(self.replica.job())

    def test_no_rival_that_is_shorter_by_now(self):
        late = arriving(self.replica, grown(self.base, "x", "y"))
        for text in ("two", "three"):
            post(self.replica, text)
            mine(self.replica)
        self.assertIsNone(self.replica.received(late))
        self.assertIsNone(self.replica.job())

    def test_one_that_holds_ours_too_is_in_no_rivals_way(self):
        self.replica = new_replica()
        self.replica.load(grown(self.base, "x"))
        post(self.replica, "two")
        mine(self.replica)
        fork = grown(self.base, "two", mark=mark_of("two"))
        ends = [grown(fork, f"end {number}") for number in range(50)]
        friend = min(ends, key=lambda archive: archive.tip)
        rival = grown(self.base, "p", "q")
        self.assertLess(friend.tip, rival.tip)
        for archive in (friend, rival):
            self.assertIsNone(receive(self.replica, archive))
        self.assertEqual(self.replica.job().base, rival)

    def test_no_rival_that_is_not_valid(self):
        rival = self.smaller[0]
        data = bytearray(rival.view())
        data[-1] ^= 1
        invalid = Archive(data, rival.offsets)
        self.assertIsNotNone(arriving(self.replica, invalid).invalid)
        self.assertIsNone(self.replica.job())

    def test_one_that_began_to_arrive_before_ours_was_mined(self):
        rival = grown(self.ours, "x")
        incoming = arriving(self.replica, rival)
        two = post(self.replica, "two")
        mine(self.replica)
        self.assertIsNone(self.replica.received(incoming))
        self.assertEqual(self.replica.job()[:2], (two, rival))

    def test_several_of_ours_that_it_lacks_are_mined_in_order(self):
        two = post(self.replica, "two")
        mine(self.replica)
        self.ours = self.replica.archive
        rival = grown(self.base, "x", "y")
        self.assertEqual(self.receive(rival)[:2], (self.one, rival))
        change = mine(self.replica)
        self.assertEqual(change.moved, [self.one, two])
        self.assertEqual(self.replica.job(), Job(two, self.replica.archive, Turn.SOON))
        mine(self.replica)
        self.assert_holds(*BASE, "x", "y", "one", "two")

    def test_nothing_beyond_the_limit_is_mined_on_it(self):
        self.replica.limit = self.ours.size + 5
        self.assertIsNone(self.receive(self.smaller[0]))

    def test_after_a_restart_too(self):
        records = self.replica.own.records()
        restarted = new_replica()
        restarted.load(self.ours)
        restarted.own.restore(look_up(records, self.ours))
        self.assertIsNone(receive(restarted, self.smaller[0]))
        self.assertEqual(restarted.job().base, self.smaller[0])


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


class OrderTests(ReplicaCase):
    """The same chats in two orders: nobody has anything to mine, so the lesser tip decides."""

    def setUp(self):
        super().setUp()
        self.replica.load(self.base)
        post(self.replica, "mine")
        mine(self.replica)
        receive(self.replica, grown(self.replica.archive, "theirs"))
        mark = mark_of("mine")
        self.orders = [grown(grown(self.base, "theirs"), "mine", mark=mark)]
        while {order.tip < self.replica.archive.tip for order in self.orders} != {True, False}:
            marked = bytes([len(self.orders)]) * MARK_SIZE
            other = grown(self.base, "theirs", mark=marked)
            self.orders.append(grown(other, "mine", mark=mark))

    def test_only_the_lesser_tip_replaces_ours(self):
        before = self.replica.archive
        greater = next(order for order in self.orders if order.tip > before.tip)
        lesser = next(order for order in self.orders if order.tip < before.tip)
        self.assertIsNone(receive(self.replica, greater))
        self.assertIs(self.replica.archive, before)
        change = receive(self.replica, lesser)
        self.assertEqual((change.common, change.dropped), (3, 2))
        self.assert_holds(*BASE, "theirs", "mine")
        self.assertIsNone(receive(self.replica, before))
        self.assertIsNone(self.replica.job())

    def test_other_chats_are_no_order_of_ours(self):
        for number in range(50):
            marked = bytes([number]) * MARK_SIZE
            other = grown(self.base, "strange", mark=marked)
            other = grown(other, "mine", mark=mark_of("mine"))
            self.assertIsNone(receive(self.replica, other))

    def test_also_for_who_has_no_chat_in_it(self):
        """Whoever holds the other order would keep it until the next chat."""
        stranger = new_replica()
        *_, greatest = by_tip = sorted(self.orders, key=lambda order: order.tip)
        stranger.load(greatest)
        for order in reversed(by_tip[:-1]):
            change = receive(stranger, order)
            self.assertEqual((change.archive, change.common, change.dropped), (order, 3, 2))
        self.assertIsNone(receive(stranger, greatest))

    def test_who_has_no_chat_in_it_looks_at_the_newest_alone(self):
        self.patch(replica, "TIE_DEPTH", 2)
        stranger = new_replica()
        lesser, *_, greater = sorted(self.orders, key=lambda order: order.tip)
        stranger.load(grown(greater, "next"))
        self.assertIsNone(receive(stranger, grown(lesser, "next")))
        stranger.load(greater)
        self.assertIsNotNone(receive(stranger, lesser))


class DeepForkTests(ReplicaCase):
    """A pass over 100,000 chats for some of ours would hold up the reactor for 40 ms."""

    def test_ours_are_looked_for_as_it_arrives_and_not_when_it_is_taken(self):
        ours = ["one", "two", "three", "four", "five", "six"]
        for text in ours:
            post(self.replica, text)
            mine(self.replica)
        with_one = grown(grown(Archive(), "x"), "four", mark=mark_of("four"))
        incoming = arriving(self.replica, grown(with_one, *"abcdef"))
        passed = []
        beginnings = own.beginnings

        def count(*arguments):
            for index, beginning in beginnings(*arguments):
                passed.append(index)
                yield index, beginning

        self.patch(own, "beginnings", count)
        change = self.replica.received(incoming)
        self.assertEqual((change.common, change.dropped), (0, 6))
        heights = [chat.height for chat in self.replica.own]
        self.assertEqual(heights, [None, None, None, 2, None, None])
        self.assertEqual(passed, [])

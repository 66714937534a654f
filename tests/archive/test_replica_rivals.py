"""What a replica makes of archives that rival with ours."""

from p2pchat.archive import own, replica
from p2pchat.archive.archive import Archive
from p2pchat.archive.own import MARK_SIZE, look_up
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

    def test_settled_although_another_chat_of_ours_has_no_room(self):
        self.replica.limit = self.ours.size + 50
        post(self.replica, "x" * 30)
        rival = self.smaller[0]
        self.assertEqual(self.receive(rival), Job(self.one, rival, Turn.SOON))
        mine(self.replica)
        self.assert_holds(*texts(rival), "one")
        self.assertIsNone(self.replica.job())

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

"""Our chats: recognised wherever they stand, looked after until they are settled."""

from unittest.mock import patch

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.archive import own
from p2pchat.archive.archive import Archive
from p2pchat.archive.own import (
    MARK_SIZE,
    MAX_CONFIRMATIONS,
    MAX_ID,
    MAX_WATCHED,
    Noted,
    OwnChat,
    OwnChats,
    heights_in,
    locate,
    look_up,
)
from p2pchat.archive.record import head
from p2pchat.archive.storage import OwnRecord
from p2pchat.errors import RequestError
from tests.archive.mined import sketch


def find(archive: Archive, chat: OwnChat, start: int) -> int | None:
    """Return where one chat stands."""
    return locate(archive, [chat], start).get(chat)


MARK, OTHER = b"markmark", b"strange!"
ME = OwnChat(1, b"me", MARK)


def record_bytes(text, code, digest=bytes(16)):
    return head(text) + code.ljust(16, b"\0") + digest


def archive_of(*records):
    archive = Archive()
    for record in records:
        archive = archive.appended(record, [archive.size + len(record)])
    return archive


class FindTests(SynchronousTestCase):
    """One is found at the beginning of a chat and nowhere else."""

    def test_first_middle_and_last(self):
        mine, foreign = ("me", MARK), ("you", OTHER)
        for chats, height in (
            ([mine], 1),
            ([mine, foreign], 1),
            ([foreign, mine, foreign], 2),
            ([foreign, foreign, mine], 3),
            ([foreign], None),
            ([], None),
        ):
            self.assertEqual(find(sketch(*chats), ME, 0), height, chats)

    def test_same_text_or_same_mark_alone_is_not_it(self):
        archive = sketch(("me", OTHER), ("you", MARK), ("xme", MARK), ("me ", MARK))
        self.assertIsNone(find(archive, ME, 0))

    def test_behind_what_is_known(self):
        archive = sketch(("me", MARK), ("you", OTHER), ("me", MARK), ("you", OTHER))
        found = [find(archive, ME, start) for start in range(5)]
        self.assertEqual(found, [1, 3, 3, None, None])

    def test_its_bytes_within_a_text_are_not_it(self):
        wanted = head(b"me") + MARK
        inside = record_bytes(b"a" + wanted + b"z", OTHER)
        self.assertIsNone(find(archive_of(inside), ME, 0))
        archive = archive_of(inside, record_bytes(b"me", MARK), inside)
        self.assertEqual(find(archive, ME, 0), 2)

    def test_its_bytes_across_two_chats_are_not_it(self):
        chat = OwnChat(1, b" ", MARK)
        wanted = head(chat.text) + MARK
        # a length of 32, written as a byte, is the text
        second = record_bytes(MARK.ljust(32), OTHER)
        across = archive_of(record_bytes(b"you", OTHER, wanted[:1].rjust(16, b"\0")), second)
        within = archive_of(record_bytes(b"you", OTHER, wanted.rjust(16, b"\0")), second)
        for archive in (across, within):
            self.assertIn(wanted, bytes(archive.view()))
            self.assertIsNone(find(archive, chat, 0))

    def test_what_grew_from_the_same_bytes_is_not_searched(self):
        archive = sketch(("you", OTHER))
        record = record_bytes(b"me", MARK)
        longer = archive.appended(record, [archive.size + len(record)])
        self.assertIsNone(find(archive, ME, 0))
        self.assertEqual(find(longer, ME, 0), 2)

    @given(st.lists(st.binary(max_size=80), max_size=8), st.data())
    def test_found_exactly_where_a_loop_finds_it(self, texts, data):
        wanted = head(ME.text) + MARK
        pieces = st.sampled_from([b"", wanted, wanted[:5], wanted[5:]])
        records = []
        for text in texts:
            text = (text + data.draw(pieces))[:255]
            code, digest = data.draw(pieces), data.draw(pieces)
            records.append(record_bytes(text, code, digest.rjust(16, b"\0")))
        records.insert(data.draw(st.integers(0, len(records))), record_bytes(b"me", MARK))
        archive = archive_of(*records)
        start = data.draw(st.integers(0, archive.height))
        heights = (
            index + 1
            for index in range(start, archive.height)
            if archive.chat(index).text == b"me" and archive.chat(index).code.startswith(MARK)
        )
        self.assertEqual(find(archive, ME, start), next(heights, None))


class NotedTests(SynchronousTestCase):
    @given(
        st.lists(st.sampled_from(["a", "b", "aa", "c"]), max_size=12),
        st.integers(0, 12),
        st.integers(0, 12),
    )
    def test_what_was_noted_as_it_arrived_need_not_be_searched(self, said, start, noted_from):
        archive = sketch(*((text, MARK) for text in said))
        chats = [OwnChat(number, text, MARK) for number, text in enumerate((b"a", b"aa", b"b"))]
        found = locate(archive, chats, noted_from)
        noted = Noted(noted_from, {chat.beginning: height for chat, height in found.items()})
        start = min(start, noted_from)
        self.assertEqual(heights_in(archive, chats, start, noted), locate(archive, chats, start))


class OwnCase(SynchronousTestCase):
    def setUp(self):
        self.own = OwnChats(max_pending=3)
        self.foreign = ("you", OTHER)

    def add(self, text):
        return self.own.add(text.encode(), self.mark(text))

    def mark(self, text):
        return text.encode()[-MARK_SIZE:].rjust(MARK_SIZE, b"_")

    def chats(self, *texts):
        return sketch(*((text, self.mark(text)) for text in texts))

    def adopt(self, archive, common, own=None):
        """Adopt an archive in which nothing was noted as it arrived."""
        return (own or self.own).adopted(archive, common, Noted(archive.height, {}))

    def states(self):
        return [(chat.chat_id, chat.state, chat.height) for chat in self.own]


class WaitingTests(OwnCase):
    def test_in_the_order_they_were_asked_for(self):
        chats = [self.add(text) for text in ("one", "two", "three")]
        self.assertEqual(self.own.waiting, chats)
        self.assertEqual(
            self.states(), [(1, "mining", None), (2, "mining", None), (3, "mining", None)]
        )

    def test_no_more_than_the_bound(self):
        for text in ("one", "two", "three"):
            self.add(text)
        error = self.assertRaises(RequestError, self.add, "four")
        self.assertIn("3 chats wait", str(error))
        self.assertEqual(len(list(self.own)), 3)
        self.adopt(self.chats("one"), 0)
        self.assertEqual(self.add("four").chat_id, 4)

    def test_first_code_begins_with_the_mark(self):
        chat = self.add("one")
        self.assertEqual(chat.start.to_bytes(16, "big"), self.mark("one") + bytes(8))


class AdoptedTests(OwnCase):
    def test_those_that_are_in_it_moved(self):
        one, two, three = (self.add(text) for text in ("one", "two", "three"))
        moved = self.adopt(self.chats("x", "two", "y", "one"), 0)
        self.assertEqual(moved, [one, two])
        self.assertEqual(
            self.states(), [(1, "archived", 4), (2, "archived", 2), (3, "mining", None)]
        )
        self.assertEqual(self.own.waiting, [three])
        self.assertEqual(self.own.heights(), {2, 4})
        self.assertEqual(self.own.highest, 4)

    def test_those_below_the_fork_are_not_looked_for(self):
        one = self.add("one")
        self.adopt(self.chats("one"), 0)
        self.assertEqual(self.adopt(self.chats("one", "x"), 1), [])
        self.assertEqual(one.height, 1)

    def test_those_that_are_not_in_it_any_more_wait_again_unconfirmed(self):
        one, two = self.add("one"), self.add("two")
        self.adopt(self.chats("one", "two"), 0)
        self.own.confirmed("peer", 2)
        self.assertEqual(two.state, "confirmed")
        self.assertEqual(self.adopt(self.chats("one", "x", "y"), 1), [two])
        self.assertEqual(self.states(), [(1, "confirmed", 1), (2, "displaced", None)])
        self.assertEqual(self.own.waiting, [two])
        self.assertEqual(two.info().confirmations, 0)
        self.assertEqual(one.info().confirmations, 1)

    def test_displaced_ones_keep_their_place_in_the_order(self):
        one, two, three = (self.add(text) for text in ("one", "two", "three"))
        self.adopt(self.chats("one", "two"), 0)
        self.adopt(self.chats("x", "y", "z"), 0)
        self.assertEqual(self.own.waiting, [one, two, three])

    def test_one_that_stands_elsewhere_moved_and_stays_confirmed(self):
        one = self.add("one")
        self.adopt(self.chats("x", "one"), 0)
        self.own.confirmed("peer", 2)
        self.assertEqual(self.adopt(self.chats("y", "z", "one"), 0), [one])
        self.assertEqual(self.states(), [(1, "confirmed", 3)])
        self.assertEqual(self.adopt(self.chats("y", "w", "one", "v"), 1), [])

    def test_one_that_waits_and_is_not_in_it_did_not_move(self):
        self.add("one")
        self.assertEqual(self.adopt(self.chats("x"), 0), [])
        self.assertEqual(self.states(), [(1, "mining", None)])


class ConfirmedTests(OwnCase):
    def setUp(self):
        super().setUp()
        self.one, self.two = self.add("one"), self.add("two")
        self.add("three")
        self.adopt(self.chats("one", "x", "two"), 0)

    def test_those_within_what_is_common(self):
        for common, changed in ((0, []), (1, [self.one]), (2, []), (3, [self.two]), (9, [])):
            self.assertEqual(self.own.confirmed("peer", common), changed, common)

    def test_each_peer_counts_once(self):
        for peer, count in (("a", 1), ("b", 2), ("a", 2), ("c", 3)):
            self.own.confirmed(peer, 1)
            self.assertEqual(self.one.info().confirmations, count)
        self.assertEqual(self.one.state, "confirmed")
        self.assertEqual(self.two.state, "archived")

    def test_peers_noted_are_bounded(self):
        for number in range(MAX_CONFIRMATIONS):
            self.assertEqual(self.own.confirmed(f"peer {number}", 1), [self.one])
        self.assertEqual(self.own.confirmed("one more", 1), [])
        self.assertEqual(self.one.info().confirmations, MAX_CONFIRMATIONS)

    def test_who_sends_the_same_again_costs_no_look_at_all_of_them(self):
        """A peer can send the first chat of our archive sixty times in a turn."""
        self.add("one")
        self.add("two")
        self.adopt(self.chats("one", "two"), 0)
        self.assertEqual(len(self.own.confirmed("peer", 2)), 2)
        with patch.object(self.own, "_chats", None):
            self.assertEqual([self.own.confirmed("peer", common) for common in (1, 2)], [[], []])
        self.adopt(self.chats("x", "y", "z"), 0)
        self.adopt(self.chats("one", "two", "x", "y"), 0)
        self.assertEqual(len(self.own.confirmed("peer", 2)), 2)

    def test_newest_confirmed_ones_are_watched_on(self):
        own = OwnChats(max_pending=MAX_WATCHED + 5)
        texts = [f"chat {number}" for number in range(MAX_WATCHED + 5)]
        for text in texts:
            own.add(text.encode(), self.mark(text))
        self.adopt(self.chats(*texts), 0, own)
        own.confirmed("peer", MAX_WATCHED + 2)
        ids = [chat.chat_id for chat in own]
        self.assertEqual(ids, list(range(3, MAX_WATCHED + 6)))
        self.assertEqual(sum(chat.state == "confirmed" for chat in own), MAX_WATCHED)

    def test_none_that_nobody_confirms_is_given_up(self):
        """Beyond their bound new ones are refused, until a peer has confirmed some."""
        self.patch(own, "MAX_UNCONFIRMED", 5)
        chats = OwnChats(max_pending=10)
        texts = [f"chat {number}" for number in range(6)]
        for text in texts[:3]:
            chats.add(text.encode(), self.mark(text))
        self.adopt(self.chats(*texts[:3]), 0, chats)
        for text in texts[3:5]:
            chats.add(text.encode(), self.mark(text))
        with self.assertRaisesRegex(RequestError, "nobody else's archive"):
            chats.add(b"chat 5", self.mark("chat 5"))
        self.adopt(self.chats("a longer one"), 0, chats)
        self.assertEqual([chat.text for chat in chats.waiting], [t.encode() for t in texts[:5]])
        self.adopt(self.chats(*texts[:5]), 0, chats)
        chats.confirmed("peer", 1)
        chats.add(b"chat 5", self.mark("chat 5"))


class RestoreTests(OwnCase):
    def records(self):
        for text in ("one", "two", "three"):
            self.add(text)
        self.adopt(self.chats("one", "two"), 0)
        self.own.confirmed("peer", 1)
        return self.own.records()

    def test_records_hold_what_survives(self):
        records = self.records()
        self.assertEqual(records[1], OwnRecord(2, "two", self.mark("two").hex(), 2))
        self.assertEqual([record.height for record in records], [1, 2, None])

    def test_confirmed_in_an_earlier_run_it_is_not_news_again(self):
        own = OwnChats(3)
        own.restore(look_up(self.records(), self.chats("one", "two")))
        self.assertEqual([chat.text for chat in own.confirmed("peer", 2)], [b"two"])
        self.assertEqual([chat.state for chat in own], ["confirmed", "confirmed", "mining"])
        self.assertEqual(
            [chat.text for chat in self.adopt(self.chats("x", "y", "z"), 0, own)], [b"one", b"two"]
        )
        self.adopt(self.chats("x", "y", "z", "one"), 3, own)
        self.assertEqual([chat.text for chat in own.confirmed("peer", 4)], [b"one"])

    def test_as_it_was(self):
        own = OwnChats(3)
        own.restore(look_up(self.records(), self.chats("one", "two")))
        states = [(chat.chat_id, chat.state, chat.height) for chat in own]
        self.assertEqual(states, [(1, "confirmed", 1), (2, "archived", 2), (3, "mining", None)])
        self.assertEqual(own.records(), self.own.records())
        self.assertEqual(own.add(b"four", MARK).chat_id, 4)

    def test_what_the_archive_does_not_hold_any_more_is_displaced(self):
        own = OwnChats(3)
        own.restore(look_up(self.records(), self.chats("x")))
        states = [(chat.state, chat.height) for chat in own]
        self.assertEqual(states, [("displaced", None), ("displaced", None), ("mining", None)])

    def test_what_stands_elsewhere_by_now_is_found(self):
        records = self.records()
        for texts, heights in (
            (("three", "x", "two", "one"), [4, 3, 1]),
            (("two",), [None, 1, None]),
            (("x", "two", "y", "one"), [4, 2, None]),
        ):
            own = OwnChats(3)
            own.restore(look_up(records, self.chats(*texts)))
            self.assertEqual([chat.height for chat in own], heights)

    def test_what_was_asked_for_since_keeps_its_id_and_comes_later(self):
        own = OwnChats(9)
        since = [own.add(text.encode(), self.mark(text)) for text in ("new", "newer")]
        own.restore(look_up(self.records(), self.chats("one", "two")))
        self.assertEqual([chat.text for chat in own], [b"one", b"two", b"three", b"new", b"newer"])
        self.assertEqual([chat.chat_id for chat in since], [1, 2])
        ids = [chat.chat_id for chat in own]
        self.assertEqual(len(set(ids)), 5, ids)
        self.assertEqual(ids[2], 3)
        self.assertEqual(own.add(b"newest", MARK).chat_id, max(ids) + 1)

    def test_an_id_that_no_other_could_follow_is_not_kept(self):
        # Python writes no number of more than 4300 digits
        own = OwnChats(9)
        own.restore(look_up([OwnRecord(10**4300 - 1, "old", f"{1:016x}")], Archive()))
        own.add(b"new", MARK)
        self.assertTrue(all(chat.chat_id <= MAX_ID for chat in own))
        self.assertIn(b'"old"', msgspec.json.encode(own.records()))

    @given(st.lists(st.integers(-5, 12), max_size=8), st.integers(0, 4))
    def test_any_ids_become_unique_and_none_is_lost(self, ids, since):
        own = OwnChats(99)
        new = [own.add(b"new", MARK) for _ in range(since)]
        records = [OwnRecord(chat_id, "old", f"{n:016x}") for n, chat_id in enumerate(ids)]
        own.restore(look_up(records, Archive()))
        chats = list(own)
        self.assertEqual(len(chats), len(ids) + since)
        self.assertEqual(len({chat.chat_id for chat in chats}), len(chats))
        self.assertEqual(chats[len(ids) :], new)
        self.assertEqual([chat.chat_id for chat in new], list(range(1, since + 1)))
        self.assertNotIn(own.add(b"last", MARK).chat_id, {chat.chat_id for chat in chats})

    def test_stored_twice_it_is_one_chat(self):
        own = OwnChats(3)
        record = OwnRecord(1, "one", self.mark("one").hex())
        own.restore(look_up([record, record], self.chats("one")))
        self.assertEqual([(chat.text, chat.height) for chat in own], [(b"one", 1)])

    def test_more_than_may_wait_are_all_taken_up(self):
        own = OwnChats(1)
        own.restore(look_up([OwnRecord(n, "x", f"{n:016x}") for n in range(1, 4)], Archive()))
        self.assertEqual(len(own.waiting), 3)
        self.assertRaises(RequestError, own.add, b"y", MARK)

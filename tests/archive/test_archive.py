"""The archive as a value: what was made of it before stays as it is, whatever grows from it."""

from itertools import accumulate

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.archive.archive import Archive
from p2pchat.archive.record import head
from tests.archive.examples import (
    EXAMPLE,
    EXAMPLE_FILE,
    THOUSAND,
    THOUSAND_FILE,
    chats_of,
    joined,
)

#: Chats that differ early, late or not at all; an archive need not be valid to be a value.
CHATS = [head(b"a" * length) + bytes([fill]) * 32 for length in (0, 3) for fill in (0, 1)]


def appended(archive: Archive, *chats: bytes) -> Archive:
    ends = list(accumulate(map(len, chats), initial=archive.size))[1:]
    return archive.appended(b"".join(chats), ends)


class Content(SynchronousTestCase):
    def test_the_bytes_are_those_of_the_wire(self) -> None:
        for archive, file in ((EXAMPLE, EXAMPLE_FILE), (THOUSAND, THOUSAND_FILE)):
            self.assertEqual(archive.count() + bytes(archive.view()), file)
            self.assertEqual(archive.size, len(file) - 4)

    def test_a_chat_has_a_text_a_code_and_an_md5(self) -> None:
        for index, chat in enumerate(chats_of(THOUSAND)):
            text, code, digest = THOUSAND.chat(index)
            self.assertEqual(head(text) + code + digest, chat)
            self.assertEqual((len(code), len(digest)), (16, 16))

    def test_there_are_no_others(self) -> None:
        for archive, index in ((EXAMPLE, 5), (EXAMPLE, -1), (Archive(), 0), (Archive(), -1)):
            self.assertRaises(IndexError, archive.chat, index)
        # those that the bytes hold behind a shorter archive are not its own
        self.assertRaises(IndexError, EXAMPLE.truncated(2).chat, 2)

    def test_the_newest_come_with_their_index_the_oldest_of_them_first(self) -> None:
        self.assertEqual([index for index, _ in EXAMPLE.newest(2)], [3, 4])
        self.assertEqual([index for index, _ in EXAMPLE.newest(9)], [0, 1, 2, 3, 4])
        self.assertEqual(list(EXAMPLE.newest(0)), [])
        self.assertEqual(dict(EXAMPLE.newest(1))[4], EXAMPLE.chat(4))

    def test_the_tip_is_the_md5_of_the_last_chat(self) -> None:
        self.assertEqual(EXAMPLE.tip, EXAMPLE_FILE[-16:].hex())
        self.assertEqual(Archive().tip, "")

    def test_the_prefix_for_a_text_is_the_window_up_to_the_code(self) -> None:
        chats = chats_of(THOUSAND)
        for height in (0, 1, 18, 19, 20, 21, 1000):
            window = b"".join(chats[max(0, height - 19) : height])
            prefix = THOUSAND.truncated(height).prefix_for(b"text")
            self.assertEqual(prefix, window + b"\4text")

    def test_the_view_cannot_be_written_to(self) -> None:
        self.assertTrue(EXAMPLE.view().readonly)

    def test_equal_ones_have_equal_chats(self) -> None:
        self.assertEqual(EXAMPLE, joined(chats_of(EXAMPLE)))
        self.assertEqual(Archive(), EXAMPLE.truncated(0))
        self.assertNotEqual(EXAMPLE, EXAMPLE.truncated(4))
        self.assertNotEqual(EXAMPLE.truncated(4), EXAMPLE)
        self.assertNotEqual(joined(CHATS[:1]), joined(CHATS[1:2]))
        self.assertNotEqual(EXAMPLE, bytes(EXAMPLE.view()))


class Sharing(SynchronousTestCase):
    def test_what_grows_shares_its_bytes(self) -> None:
        base = appended(Archive(), *CHATS)
        grown = appended(base, CHATS[0])
        self.assertIs(grown.buffer, base.buffer)
        self.assertIs(base.truncated(2).buffer, base.buffer)

    def test_only_the_first_to_grow_does(self) -> None:
        base = appended(Archive(), *CHATS)
        first, second = appended(base, CHATS[0]), appended(base, CHATS[1])
        third = appended(first.truncated(1), CHATS[2])
        self.assertIsNot(second.buffer, first.buffer)
        self.assertEqual(chats_of(base), CHATS)
        self.assertEqual(chats_of(first), [*CHATS, CHATS[0]])
        self.assertEqual(chats_of(second), [*CHATS, CHATS[1]])
        self.assertEqual(chats_of(third), [CHATS[0], CHATS[2]])

    def test_a_view_outlives_all_growth(self) -> None:
        archive = appended(Archive(), CHATS[0])
        view, buffer = archive.view(), archive.buffer
        while archive.buffer is buffer:
            archive = appended(archive, *CHATS)
        self.assertEqual(bytes(view), CHATS[0])
        self.assertEqual(chats_of(archive)[:2], [CHATS[0], CHATS[0]])

    def test_growing_chat_by_chat_seldom_copies(self) -> None:
        archive, copies = Archive(), 0
        for _ in range(20_000):
            buffer = archive.buffer
            archive = appended(archive, CHATS[-1])
            copies += archive.buffer is not buffer
        self.assertEqual(archive.size, 20_000 * len(CHATS[-1]))
        self.assertLess(copies, 15)

    def test_truncating_takes_no_more_than_there_is(self) -> None:
        for height in (-1, 6):
            self.assertRaises(IndexError, EXAMPLE.truncated, height)
        self.assertRaises(IndexError, EXAMPLE.truncated(3).truncated, 4)

    @settings(deadline=None, max_examples=100)
    @given(st.data())
    def test_whatever_is_made_of_them_all_keep_their_chats(self, data: st.DataObject) -> None:
        made: list[tuple[Archive, list[bytes]]] = [(Archive(), [])]
        for _ in range(data.draw(st.integers(1, 12))):
            archive, chats = data.draw(st.sampled_from(made))
            if data.draw(st.booleans()):
                more = data.draw(st.lists(st.sampled_from(CHATS), max_size=4))
                made.append((appended(archive, *more), chats + more))
            else:
                height = data.draw(st.integers(0, len(chats)))
                made.append((archive.truncated(height), chats[:height]))
        for archive, chats in made:
            self.assertEqual(chats_of(archive), chats)
            self.assertEqual((archive.height, archive.size), (len(chats), len(b"".join(chats))))
        self.compare(*data.draw(st.tuples(st.sampled_from(made), st.sampled_from(made))))

    def compare(self, one: tuple[Archive, list[bytes]], other: tuple[Archive, list[bytes]]) -> None:
        same = [mine == theirs for mine, theirs in zip(one[1], other[1], strict=False)]
        self.assertEqual(one[0].common(other[0]), [*same, False].index(False))
        self.assertEqual(one[0] == other[0], one[1] == other[1])


class Comparing(SynchronousTestCase):
    @settings(deadline=None, max_examples=200)
    @given(st.data(), st.lists(st.sampled_from(CHATS), max_size=8))
    def test_bytes_at_any_place(self, data: st.DataObject, chats: list[bytes]) -> None:
        archive, content = joined(chats), b"".join(chats)
        at = data.draw(st.integers(0, len(content) + 5))
        other = bytearray(content[at:] + data.draw(st.binary(max_size=5)))
        if other and data.draw(st.booleans()):
            other[data.draw(st.integers(0, len(other) - 1))] ^= 1
        same = [mine == theirs for mine, theirs in zip(content[at:], other, strict=False)]
        self.assertEqual(archive.agrees(memoryview(other), at), [*same, False].index(False))

    def test_bytes_behind_the_end_agree_with_nothing(self) -> None:
        # those chats are in the buffer, but not in the archive
        self.assertEqual(EXAMPLE.truncated(2).agrees(EXAMPLE.view(), 0), EXAMPLE.offsets[2])
        self.assertEqual(EXAMPLE.truncated(0).agrees(EXAMPLE.view(), 0), 0)

    def test_the_height_at_any_place(self) -> None:
        for archive in (EXAMPLE, EXAMPLE.truncated(3), Archive()):
            ends = archive.offsets[1 : archive.height + 1]
            for position in range(EXAMPLE.size + 10):
                height = sum(end <= position for end in ends)
                self.assertEqual(archive.height_at(position), height)

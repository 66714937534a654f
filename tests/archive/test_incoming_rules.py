"""Any archive arriving in any pieces, against the rules applied to all of it at once."""

from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.archive import incoming as incoming_module
from p2pchat.archive.archive import Archive
from p2pchat.archive.incoming import Incoming
from tests.archive.examples import THOUSAND, branch, chats_of, invalid_chat, split
from tests.archive.heard import LIMIT, feed, verify

#: Where archives part, and how long they are: around the ends of a window, and of THOUSAND.
FORKS = (0, 1, 18, 19, 20, 30)
HEIGHTS = (0, 1, 2, 18, 19, 20, 21, 30, 33, 34)


class Outcome(NamedTuple):
    """What is to be said of an archive when all that arrives of it is here."""

    done: bool
    common: int
    invalid: int | None
    useful: bool
    taken: int


def expected(count: int, data: bytes, base: Archive, rival_below: int, rival_from: int) -> Outcome:
    """Apply the rules to all of the bytes that come."""
    chats = split(data, count)
    same = [mine == theirs for mine, theirs in zip(chats_of(base), chats, strict=False)]
    common = [*same, False].index(False)
    done = len(chats) == count
    differs = common < rival_below or common >= rival_from
    rival = count == base.height and common < count and differs
    kept = count > base.height or rival
    invalid = invalid_chat(chats) if kept else None
    taken = len(b"".join(chats)) if done else len(data)
    return Outcome(done, common, invalid, done and kept and invalid is None, taken)


@st.composite
def archives(draw: st.DrawFn) -> Archive:
    """Draw a valid archive that shares a part of its chats with the others."""
    height = draw(st.sampled_from(HEIGHTS))
    if draw(st.booleans()):
        return THOUSAND.truncated(height)
    archive = branch(draw(st.sampled_from(FORKS)), draw(st.sampled_from([b"one", b"two"])))
    return archive.truncated(min(height, archive.height))


@st.composite
def damaged(draw: st.DrawFn, archive: Archive) -> bytes:
    """Draw the archive's chats, perhaps with some changed bits, cut off, or followed by others."""
    data = bytearray(archive.view())
    for _ in range(draw(st.sampled_from([0, 0, 1, 2])) if data else 0):
        chat = draw(st.integers(0, archive.height - 1))
        start, end = archive.offsets[chat : chat + 2]
        data[draw(st.sampled_from([start, start + 1, end - 1]))] ^= 1 << draw(st.integers(0, 7))
    if draw(st.sampled_from([False, False, True])):
        del data[draw(st.integers(0, len(data))) :]
    return bytes(data) + draw(st.sampled_from([b"", b"", b"\1\3", bytes(400)]))


class AgainstTheRules(SynchronousTestCase):
    def setUp(self) -> None:
        # so that these archives too are put together in several parts
        self.patch(incoming_module, "_COPY", 300)

    def arrive(self, data: DataObject, incoming: Incoming, content: bytes) -> int:
        """Feed in pieces, verifying now and then as much as may be; return how much was taken."""
        sizes = data.draw(st.lists(st.integers(1, 700), min_size=1, max_size=8))
        slices = data.draw(st.lists(st.none() | st.integers(0, 3000), min_size=1, max_size=8))
        position = number = 0
        while position < len(content) and not incoming.done:
            piece = memoryview(content)[position : position + sizes[number % len(sizes)]]
            taken = incoming.feed(piece)
            self.assertTrue(taken == len(piece) or incoming.done)
            position += taken
            size = slices[number % len(slices)]
            if size is not None and incoming.unverified:
                incoming.verify(size)
            self.assertLessEqual(incoming.kept, 2 * position)  # while it is put together
            number += 1
        return position

    @settings(deadline=None, max_examples=250)
    @given(st.data(), archives(), archives())
    def test_any_archive_for_any_base(
        self, data: DataObject, base: Archive, other: Archive
    ) -> None:
        content = data.draw(damaged(other))
        count = max(0, other.height + data.draw(st.sampled_from([0, 0, 0, 1, -1, 2**31])))
        rival_below = data.draw(st.integers(0, 40))
        rival_from = data.draw(st.integers(-5, 40))
        outcome = expected(count, content, base, rival_below, rival_from)
        incoming = Incoming(count, base, LIMIT, rival_below, rival_from)
        self.assertEqual(self.arrive(data, incoming, content), outcome.taken)
        verify(incoming)
        self.assertEqual(incoming.done, outcome.done)
        self.assertEqual((incoming.invalid, incoming.useful), (outcome.invalid, outcome.useful))
        if outcome.done:
            self.assertEqual(incoming.common, outcome.common)
        self.check_archive(incoming, content, outcome)

    def check_archive(self, incoming: Incoming, content: bytes, outcome: Outcome) -> None:
        if not outcome.useful:
            self.assertRaises(ValueError, incoming.archive)
            return
        before = chats_of(incoming.base)
        archive = incoming.archive()
        self.assertEqual(chats_of(archive), split(content, incoming.count))
        self.assertEqual(chats_of(incoming.base), before)

    def test_every_fork_and_every_invalid_chat(self) -> None:
        base = THOUSAND.truncated(30)
        for at in range(31):
            for bit in (0, 7):
                chats = chats_of(THOUSAND.truncated(31))
                chats[at] = chats[at][:-1] + bytes([chats[at][-1] ^ 1 << bit])
                incoming = Incoming(31, base, LIMIT)
                feed(incoming, b"".join(chats))
                self.assertEqual((incoming.common, incoming.invalid), (at, at))
                self.assertTrue(incoming.done)
                self.assertEqual(incoming.kept, 0)

"""A large archive grows, and is put together, in parts: nothing large is copied at once."""

from collections.abc import Sequence

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.archive import incoming as incoming_module
from p2pchat.archive.archive import Archive
from p2pchat.archive.incoming import Incoming
from tests.archive.examples import THOUSAND, chats_of, joined
from tests.archive.heard import LIMIT

CHATS = chats_of(THOUSAND)
PART = 1000

#: A chat that is in none of the archives.
OTHER = bytes(33)


def grown(archive: Archive, chat: bytes) -> Archive:
    return archive.appended(chat, [archive.size + len(chat)])


class PutTogether(SynchronousTestCase):
    """What verify() does when it has verified all chats."""

    def setUp(self) -> None:
        self.patch(incoming_module, "_COPY", PART)
        self.copied: list[int] = []
        appended = Archive.appended

        def note(archive: Archive, data: memoryview, ends: Sequence[int]) -> Archive:
            self.copied.append(len(data) + (0 if archive.is_newest else archive.size))
            return appended(archive, data, ends)

        self.patch(Archive, "appended", note)

    def arrived(self, base: Archive) -> Incoming:
        """Return THOUSAND as it arrives on base, its chats verified and a part copied."""
        incoming = Incoming(1000, base, LIMIT)
        incoming.feed(THOUSAND.view())
        while not self.copied:
            incoming.verify(LIMIT)
        self.assertLessEqual(max(self.copied), PART)
        return incoming

    def test_wherever_it_differs(self) -> None:
        for common in (1, 19, 20, 21, 500, 998):
            for base in (joined([*CHATS[:common], OTHER]), joined(CHATS[:common])):
                incoming = self.arrived(base)
                while incoming.unverified:
                    self.assertFalse(incoming.useful)
                    self.assertRaises(ValueError, incoming.archive)
                    self.copied.clear()
                    incoming.verify(0)
                    self.assertIn(len(self.copied), (1, 2))
                    self.assertLessEqual(max(self.copied), PART)
                self.assertEqual(incoming.archive(), THOUSAND)
                self.assertEqual(chats_of(incoming.archive()), CHATS)
                self.copied.clear()

    def test_nothing_is_copied_if_it_differs_from_the_start(self) -> None:
        for base in (Archive(), joined([OTHER])):
            incoming = Incoming(1000, base, LIMIT)
            incoming.feed(THOUSAND.view())
            while incoming.unverified:
                incoming.verify(PART)
            archive = incoming.archive()
            self.assertEqual(chats_of(archive), CHATS)
            self.assertEqual(chats_of(grown(archive, OTHER)), [*CHATS, OTHER])
            self.assertIs(incoming.archive(), archive)
            self.assertEqual(chats_of(archive), CHATS)
        self.assertEqual(self.copied, [len(OTHER)] * 2)

    def test_only_what_is_new_is_copied_if_it_grows_from_ours(self) -> None:
        base = joined(CHATS[:998])
        archive = self.arrived(base).archive()
        self.assertEqual(self.copied, [len(CHATS[998]) + len(CHATS[999])])
        self.assertIs(archive.buffer, base.buffer)

    def test_a_large_copy_of_ours_waits_for_a_turn_of_its_own(self) -> None:
        incoming = Incoming(1000, joined([*CHATS[:998], OTHER]), LIMIT)
        incoming.feed(THOUSAND.view())
        incoming.verify(LIMIT)
        self.assertTrue(incoming.assembling)
        self.assertEqual(self.copied, [])

    def test_ours_grows_between_the_parts(self) -> None:
        base = joined(CHATS[:500])
        incoming = self.arrived(base)
        self.assertFalse(incoming.useful)
        ours = grown(base, OTHER)
        while incoming.unverified:
            incoming.verify(0)
        self.assertEqual(incoming.archive(), THOUSAND)
        self.assertEqual(chats_of(ours), [*CHATS[:500], OTHER])

    def test_ours_grew_before(self) -> None:
        base = joined(CHATS[:500])
        ours = grown(base, OTHER)
        self.copied.clear()
        incoming = self.arrived(base)
        while incoming.unverified:
            incoming.verify(0)
        self.assertEqual(incoming.archive(), THOUSAND)
        self.assertEqual(chats_of(ours), [*CHATS[:500], OTHER])


class Room(SynchronousTestCase):
    """Where the bytes are when more come."""

    def test_it_is_made_where_the_bytes_are(self) -> None:
        archive = joined(CHATS)
        buffer, room = archive.buffer, len(archive.buffer)
        while len(archive.buffer) == room:
            archive = grown(archive, OTHER)
        self.assertIs(archive.buffer, buffer)
        self.assertEqual(chats_of(archive)[:1000], CHATS)

    def test_elsewhere_while_somebody_sends_from_it(self) -> None:
        archive = joined(CHATS)
        view, buffer, room = archive.view(), archive.buffer, len(archive.buffer)
        while len(archive.buffer) == room:
            archive = grown(archive, OTHER)
        self.assertIsNot(archive.buffer, buffer)
        self.assertEqual(bytes(view), b"".join(CHATS))
        self.assertEqual(chats_of(archive)[:1000], CHATS)

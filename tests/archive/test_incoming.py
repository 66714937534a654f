"""An archive that arrives: what it takes, what it keeps, and what becomes of it."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.archive.archive import Archive
from p2pchat.archive.incoming import Incoming
from p2pchat.archive.record import MAX_CHAT, WINDOW
from p2pchat.errors import RemoteProtocolError
from tests.archive.examples import EXAMPLE, THOUSAND, branch, chats_of, joined, long_texts, mined
from tests.archive.heard import LIMIT, feed


class BaseThatMovesOn(SynchronousTestCase):
    """Ours may grow or be replaced while the other one arrives."""

    def test_ours_grows_meanwhile(self) -> None:
        for height in (0, 1, 20, 25):
            base = joined(chats_of(THOUSAND.truncated(height)))
            other = branch(20) if height == 20 else THOUSAND.truncated(height + 3)
            for cut in range(0, other.size, 61):
                incoming = Incoming(other.height, base, LIMIT)
                feed(incoming, other.view()[:cut])
                grown = base.appended(bytes(33), [base.size + 33])
                feed(incoming, other.view()[cut:])
                self.assertEqual(incoming.archive(), other)
                self.assertEqual(chats_of(grown)[-1], bytes(33))

    def test_what_two_of_them_become_is_apart(self) -> None:
        base = joined(chats_of(THOUSAND.truncated(20)))
        incomings = []
        for other in (THOUSAND.truncated(22), branch(20)):
            incoming = Incoming(other.height, base, LIMIT)
            feed(incoming, other.view())
            incomings.append((incoming.archive(), other))
        for archive, other in incomings:
            self.assertEqual(archive, other)
            self.assertIs(archive.buffer is base.buffer, other.height == 22)

    def test_the_archive_can_be_had_twice(self) -> None:
        incoming = Incoming(5, EXAMPLE.truncated(3), LIMIT)
        feed(incoming, EXAMPLE.view())
        self.assertEqual(incoming.archive(), incoming.archive())


class Memory(SynchronousTestCase):
    """Taken by what arrived and may be of use (docs/protocols.md, 3.7)."""

    def test_rule_7_nothing_is_kept_while_it_agrees(self) -> None:
        base = joined(chats_of(THOUSAND)[:999])
        incoming = Incoming(1000, base, LIMIT)
        for position in range(0, base.size - 50, 50):
            feed(incoming, THOUSAND.view()[position : position + 50])
            self.assertEqual(incoming.kept, 0)
        feed(incoming, THOUSAND.view()[position + 50 :])
        self.assertTrue(incoming.useful)
        self.assertLessEqual(incoming.kept, WINDOW * MAX_CHAT)

    def test_rule_7_nothing_is_kept_of_what_is_of_no_use(self) -> None:
        for base, other in (
            (THOUSAND, THOUSAND),
            (THOUSAND, THOUSAND.truncated(500)),
            (THOUSAND, branch(30)),
            (THOUSAND.truncated(34), branch(30)),
            (long_texts(), THOUSAND.truncated(22)),
        ):
            incoming = Incoming(other.height, base, LIMIT)
            for position in range(0, other.size, 50):
                feed(incoming, other.view()[position : position + 50])
                self.assertEqual(incoming.kept, 0)
            self.assertTrue(incoming.done)
            self.assertFalse(incoming.useful)

    def test_rule_7_nothing_is_kept_behind_a_chat_that_is_not_valid(self) -> None:
        incoming = Incoming(2**32 - 1, EXAMPLE, LIMIT)
        for _ in range(100):
            feed(incoming, bytes(1000))
            self.assertLess(incoming.kept, MAX_CHAT)
        self.assertEqual(incoming.invalid, 0)
        self.assertFalse(incoming.done)

    def test_rule_7_an_archive_beyond_the_limit_is_refused_of_use_or_not(self) -> None:
        for base in (Archive(), THOUSAND, branch(0)):
            limit = max(THOUSAND.truncated(900).size, base.size)
            for count in (1000, 2**32 - 1):
                incoming = Incoming(count, base, limit)
                self.assertEqual(feed(incoming, THOUSAND.view()[:limit]), limit)
                if limit < THOUSAND.size:
                    with self.assertRaises(RemoteProtocolError):
                        feed(incoming, THOUSAND.view()[limit : limit + 1])

    def test_rule_7_the_limit_itself_is_allowed(self) -> None:
        incoming = Incoming(5, Archive(), EXAMPLE.size)
        feed(incoming, bytes(EXAMPLE.view()) + b"\1\3")
        self.assertTrue(incoming.useful)


class Single(SynchronousTestCase):
    def test_one_that_is_ignored_finds_its_end_and_is_of_no_use(self) -> None:
        for count, size in ((5, EXAMPLE.size), (3, EXAMPLE.offsets[3]), (0, 0)):
            incoming = Incoming.ignored(count, LIMIT)
            self.assertEqual(feed(incoming, EXAMPLE.view()), size)
            self.assertEqual((incoming.done, incoming.kept), (True, 0))
            self.assertFalse(incoming.useful)

    def test_an_equal_one_is_no_rival_however_high_our_chats_are(self) -> None:
        for archive in (Archive(), EXAMPLE):
            incoming = Incoming(archive.height, archive, LIMIT, rival_below=100)
            feed(incoming, archive.view())
            self.assertTrue(incoming.done)
            self.assertFalse(incoming.useful)

    def test_one_of_equal_length_is_of_use_if_it_differs_low_enough(self) -> None:
        base, other = branch(18, b"one"), branch(18, b"two")
        for rival_below in range(23):
            incoming = Incoming(22, base, LIMIT, rival_below)
            feed(incoming, other.view())
            self.assertEqual(incoming.useful, rival_below > 18)

    def test_it_is_of_use_only_when_it_was_verified(self) -> None:
        incoming = Incoming(5, Archive(), LIMIT)
        incoming.feed(EXAMPLE.view())
        for left in range(5, 0, -1):
            self.assertEqual((incoming.done, incoming.unverified), (True, True), left)
            self.assertRaises(ValueError, incoming.archive)
            incoming.verify(0)
        self.assertTrue(incoming.useful)

    def test_verifying_takes_about_as_many_bytes_as_it_is_told(self) -> None:
        incoming = Incoming(1000, Archive(), LIMIT)
        incoming.feed(THOUSAND.view())
        rounds = 0
        while incoming.unverified:
            incoming.verify(7000)
            rounds += 1
        self.assertTrue(THOUSAND.size // 7000 <= rounds <= THOUSAND.size // (7000 - MAX_CHAT) + 1)

    def test_one_chat_more_costs_one_md5(self) -> None:
        incoming = Incoming(1000, THOUSAND.truncated(999), LIMIT)
        incoming.feed(THOUSAND.view())
        incoming.verify(0)
        self.assertTrue(incoming.useful)

    def test_bytes_of_any_kind_are_chats_of_others(self) -> None:
        other = mined(Archive(), b"", bytes(range(255)), b"\xff\0\n")
        incoming = Incoming(3, Archive(), LIMIT)
        feed(incoming, other.view())
        self.assertEqual(incoming.archive(), other)

"""Archives that come in on a link are verified in turns."""

from collections.abc import Callable
from itertools import pairwise

from twisted.internet.error import ConnectionLost
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.archive import incoming as incoming_module
from p2pchat.archive.archive import Archive
from p2pchat.archive.incoming import Incoming
from p2pchat.archive.protocol import MESSAGES
from tests.archive.bare import BareLink
from tests.archive.examples import THOUSAND, branch, chats_of, joined, wire
from tests.archive.protocol_case import FIVE, SEVEN, SIX, spoilt
from tests.archive.world import listing


class VerifyingTests(SynchronousTestCase):
    """Chats that wait to be verified stop the reading."""

    def setUp(self) -> None:
        self.link = BareLink(FIVE)
        self.protocol, self.transport = self.link.protocol, self.link.transport
        self.data = wire(THOUSAND)

    def test_reading_stops_and_goes_on(self) -> None:
        self.protocol.dataReceived(self.data[:2000])
        self.assertFalse(self.transport.reading)
        self.assertEqual(self.link.owner.what()[-1], "unverified")
        self.assertFalse(self.protocol.verify(1 << 20))
        self.assertTrue(self.transport.reading)
        self.protocol.dataReceived(self.data[2000:])
        self.assertFalse(self.transport.reading)
        self.assertFalse(self.protocol.verify(1 << 20))
        self.assertEqual(self.link.owner.heard[-1], ("arrived", 1000, True, None))
        self.assertTrue(self.transport.reading)

    def test_slice_by_slice(self) -> None:
        self.protocol.dataReceived(self.data)
        slices = 1
        while self.protocol.verify(10_000):
            self.assertFalse(self.transport.reading)
            slices += 1
        self.assertTrue(6 <= slices <= 8, slices)
        self.assertTrue(self.transport.reading)

    def test_what_needs_no_verifying_stops_nothing(self) -> None:
        for data in (wire(FIVE), wire(THOUSAND.truncated(4)), self.data[:5], self.data[:300]):
            link = BareLink(FIVE)
            link.protocol.dataReceived(data)
            self.assertTrue(link.transport.reading)
            self.assertNotIn("unverified", link.owner.what())

    def test_several_archives_of_one_read_are_taken_in_order(self) -> None:
        self.protocol.dataReceived(wire(SIX) + wire(SEVEN) + self.data[:3000])
        self.link.verify(100)
        arrived = [call for call in self.link.owner.heard if call[0] == "arrived"]
        self.assertEqual(arrived, [("arrived", 6, True, None), ("arrived", 7, True, None)])
        self.assertTrue(self.transport.reading)

    def test_what_is_held_is_counted_once(self) -> None:
        self.protocol.dataReceived(self.data[:20_000])
        held = self.protocol.kept
        self.assertTrue(19_000 < held <= 20_000, held)
        self.link.verify()
        self.assertEqual(self.protocol.kept, held)
        self.protocol.dataReceived(self.data[20_000:] + self.data[:20_000])
        self.assertTrue(len(self.data) - 1000 < self.protocol.kept <= len(self.data))
        self.link.verify()
        self.assertEqual(self.protocol.kept, 0)

    def test_nothing_is_held_of_what_agrees_or_is_worthless(self) -> None:
        link = BareLink(THOUSAND)
        link.hear(wire(THOUSAND)[:-1])
        self.assertEqual(link.protocol.kept, 0)
        self.link.hear(wire(spoilt(THOUSAND, 500))[:-1])
        self.assertEqual(self.protocol.kept, 0)

    def test_what_is_not_valid_is_reported_when_it_is_found_and_once(self) -> None:
        data = wire(spoilt(THOUSAND, 10))
        self.link.hear(data[:1000])
        self.assertEqual(self.link.owner.heard[-1], ("arrived", 1000, False, 10))
        self.link.hear(data[1000:] + b"\x01")
        self.assertEqual(self.link.owner.what().count("arrived"), 1)
        self.assertEqual(self.transport.value(), listing())

    def test_a_link_that_is_closed_verifies_nothing_more(self) -> None:
        self.protocol.dataReceived(self.data)
        self.protocol.drop("enough")
        self.assertFalse(self.protocol.verify(1 << 20))
        self.link.lose()
        self.assertFalse(self.protocol.verify(1 << 20))
        self.assertNotIn("arrived", self.link.owner.what())
        self.assertEqual(self.protocol.kept, 0)

    def test_an_archive_that_came_in_full_survives_the_connection(self) -> None:
        """In turns, like any other; until then its owner knows the link."""
        self.protocol.dataReceived(wire(THOUSAND) + wire(FIVE) + wire(THOUSAND)[:-1])
        self.link.lose(ConnectionLost())
        slices = 1
        while self.protocol.verify(10_000):
            self.assertNotIn("disconnected", self.link.owner.what())
            slices += 1
        self.assertGreaterEqual(slices, 7)
        self.assertEqual(self.link.owner.what()[-3:], ["arrived", "arrived", "disconnected"])
        self.assertEqual(self.link.owner.archive, THOUSAND)
        self.assertFalse(self.protocol.verify(10_000))
        self.assertEqual(self.link.clock.getDelayedCalls(), [])

    def test_its_owner_may_be_through_with_it_all_the_same(self) -> None:
        ends: list[Callable[[BareLink], None]] = [
            lambda link: link.protocol.drop("enough"),
            lambda link: link.protocol.leave(),
        ]
        for end in ends:
            link = BareLink(FIVE)
            link.protocol.dataReceived(self.data)
            link.lose(ConnectionLost("the cable"))
            end(link)
            self.assertFalse(link.protocol.verify(1 << 20))
            self.assertEqual(link.owner.what()[-2:], ["unverified", "disconnected"])
            self.assertIn("the cable", link.owner.heard[-1][1])

    def test_what_fails_as_it_is_taken_ends_the_link_and_is_not_taken_again(self) -> None:
        def fail(link: object) -> None:
            raise ZeroDivisionError

        self.link.owner.on_listed = fail
        data = listing("1.2.3.4") * 3
        self.assertRaises(ZeroDivisionError, self.protocol.dataReceived, data)
        self.link.lose()
        self.link.verify()
        self.assertEqual(self.link.owner.what()[-2:], ["listed", "disconnected"])
        self.assertEqual(self.link.owner.what().count("listed"), 1)

    def test_one_that_did_not_is_lost_with_it(self) -> None:
        self.protocol.dataReceived(self.data[:-1])
        self.link.lose(ConnectionLost())
        self.assertNotIn("arrived", self.link.owner.what())
        self.assertEqual(self.link.owner.what()[-1], "disconnected")

    def test_one_that_stands_alone_survives_too(self) -> None:
        self.protocol.dataReceived(self.data)
        self.link.lose(ConnectionLost())
        self.link.verify(10_000)
        self.assertEqual(self.link.owner.archive, THOUSAND)
        self.assertEqual(self.link.owner.what()[-2:], ["arrived", "disconnected"])


class TurnTests(SynchronousTestCase):
    """Of a read so many messages are taken in a turn, and the rest of it waits."""

    def setUp(self) -> None:
        self.link = BareLink(FIVE)
        self.protocol, self.transport = self.link.protocol, self.link.transport

    def listed(self) -> int:
        return self.link.owner.what().count("listed")

    def test_many_messages_take_several_turns(self) -> None:
        self.protocol.dataReceived(listing() * 3 * MESSAGES + listing()[:2])
        self.assertEqual(self.listed(), MESSAGES)
        for turn in (2, 3):
            self.assertFalse(self.transport.reading)
            self.assertEqual(self.link.owner.what()[-1], "unverified" if turn == 2 else "listed")
            self.assertTrue(self.protocol.verify(1))
            self.assertEqual(self.listed(), turn * MESSAGES)
        self.assertFalse(self.protocol.verify(1))
        self.assertTrue(self.transport.reading)
        self.protocol.dataReceived(listing()[2:])
        self.assertEqual(self.listed(), 3 * MESSAGES + 1)

    def test_long_lists_take_several_turns(self) -> None:
        """Each of them costs a millisecond, and a read can hold sixteen."""
        long = listing(*(f"230.0.0.{number % 256}" for number in range(1000)))
        self.protocol.dataReceived(long * 16)
        taken = [0, self.listed()]
        while self.protocol.verify(1):
            taken.append(self.listed())
        taken.append(self.listed())
        self.assertEqual(taken[-1], 16)
        self.assertLessEqual(max(after - before for before, after in pairwise(taken)), 2)

    def test_so_many_are_taken_at_once(self) -> None:
        self.protocol.dataReceived(listing() * MESSAGES)
        self.assertEqual(self.listed(), MESSAGES)
        self.assertTrue(self.transport.reading)
        self.assertNotIn("unverified", self.link.owner.what())

    def test_nothing_behind_chats_is_taken_before_they_are_verified(self) -> None:
        self.protocol.dataReceived(wire(THOUSAND) + listing() + wire(SIX))
        self.protocol.verify(1000)
        self.assertNotIn("listed", self.link.owner.what())
        self.link.verify()
        self.assertEqual(
            self.link.owner.heard[-3:],
            [("arrived", 1000, True, None), ("listed",), ("arrived", 6, False, None)],
        )

    def test_broken_far_behind_all_before_it_counts(self) -> None:
        self.protocol.dataReceived(listing() * (MESSAGES + 5) + wire(SEVEN) + b"\x77" + listing())
        self.link.verify()
        self.assertFalse(self.transport.open)
        self.assertEqual(self.listed(), MESSAGES + 5)
        self.assertEqual(self.link.owner.archive, SEVEN)

    def test_requests_of_a_turn_are_answered_once(self) -> None:
        self.protocol.dataReceived(b"\x01\x03" * (MESSAGES // 2))
        self.assertEqual(self.transport.value(), b"")
        self.link.settle()
        self.assertEqual(self.transport.value(), listing() + wire(FIVE))


class OutdatedTests(SynchronousTestCase):
    """Who comes too late with its archive does not put it together any more."""

    def setUp(self) -> None:
        self.patch(incoming_module, "_COPY", 1000)
        self.link = BareLink(branch(500))
        self.protocol, owner = self.link.protocol, self.link.owner
        self.protocol.dataReceived(wire(THOUSAND))
        while not self.protocol.assembling:
            self.assertTrue(self.protocol.verify(1 << 14))
        self.known = owner.archive.common(THOUSAND)

    def adopt(self, archive: Archive) -> None:
        self.link.owner.archive = archive

    def arrived(self) -> Incoming:
        """Let it go on until it is reported."""
        taken = []
        self.patch(self.link.owner, "arrived", lambda link, incoming: taken.append(incoming))
        self.link.verify()
        self.assertEqual(self.protocol.kept, 0)
        return taken[0]

    def test_what_is_copied_is_held(self) -> None:
        held = self.protocol.kept
        self.assertTrue(self.protocol.verify(1))
        self.assertTrue(held + 500 < self.protocol.kept <= held + 1000)

    def test_still_higher_than_ours_it_is_taken(self) -> None:
        self.adopt(joined(chats_of(THOUSAND)[:999]))
        self.assertEqual(self.arrived().archive(), THOUSAND)

    def test_the_same_as_ours_by_now_it_is_known_to_be(self) -> None:
        for begin in (False, True):
            self.setUp()
            if begin:
                self.protocol.verify(1)
            self.adopt(joined(chats_of(THOUSAND)))
            incoming = self.arrived()
            self.assertFalse(incoming.useful)
            self.assertEqual((incoming.common, incoming.invalid), (1000, None))
            self.assertIs(incoming.base, self.link.owner.archive)
            self.assertEqual(self.protocol.height, 1000)

    def test_another_one_that_is_as_high_or_higher(self) -> None:
        chats = chats_of(THOUSAND)
        for ours in ([*chats[:900], *[bytes(33)] * 100], [*chats[:900], *[bytes(33)] * 200]):
            self.setUp()
            self.adopt(joined(ours))
            incoming = self.arrived()
            self.assertEqual((incoming.useful, incoming.common), (False, 900))

    def test_ours_has_less_in_common_than_the_one_before(self) -> None:
        self.adopt(joined([bytes(33)] * 1000))
        incoming = self.arrived()
        self.assertEqual((incoming.useful, incoming.common), (False, self.known))

"""A link by itself: what it reports, when it reads, and how long it waits."""

from collections.abc import Callable
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.address import IPv6Address
from twisted.internet.error import ConnectionLost
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.archive import incoming as incoming_module
from p2pchat.archive.archive import Archive
from p2pchat.archive.codec import MAX_LIST_BYTES, Type
from p2pchat.archive.incoming import Incoming
from p2pchat.archive.pace import LEAST
from p2pchat.archive.protocol import MESSAGES, READ
from p2pchat.identity import Address
from tests.archive.bare import TIMEOUT, BareLink, Owner, Transport
from tests.archive.examples import THOUSAND, branch, chats_of, joined, wire
from tests.archive.world import listing

FIVE, SIX, SEVEN = (THOUSAND.truncated(height) for height in (5, 6, 7))
NOTIFICATION = b"\x05\x05hello"
ENDLESS_LIST = b"\x02\xff\xff\xff\xff"


def spoilt(archive: Archive, index: int) -> Archive:
    """Return an archive with one chat that is not valid."""
    chats = chats_of(archive)
    chats[index] = chats[index][:-1] + bytes([chats[index][-1] ^ 1])
    return joined(chats)


class ConnectingTests(SynchronousTestCase):
    def test_it_knows_both_ends(self) -> None:
        protocol = BareLink().protocol
        self.assertEqual(protocol.host, "10.0.0.2")
        self.assertEqual(protocol.remote, Address("10.0.0.2", 40000))
        self.assertEqual(protocol.local, Address("10.0.0.1", 51511))

    def test_it_sets_up_its_socket_and_says_nothing_by_itself(self) -> None:
        link = BareLink(FIVE)
        self.assertEqual(link.transport.options, {"nodelay", "keepalive"})
        self.assertEqual(link.transport.bufferSize, READ)
        self.assertEqual(link.transport.value(), b"")
        self.assertEqual(link.owner.what(), ["connected"])

    def test_an_identification_comes_before_what_the_owner_says(self) -> None:
        owner = Owner()
        owner.on_connected = lambda link: link.request_peers()
        link = BareLink(dialled=True, identify=True, owner=owner)
        link.settle()
        self.assertEqual(link.transport.value(), b"\x00\x0a\x00\x00\x01\x01")

    def test_without_an_ipv4_address_there_is_no_identification(self) -> None:
        here = IPv6Address("TCP", "::1", 1)
        link = BareLink(dialled=True, identify=True, transport=Transport(here, here))
        self.assertEqual(link.transport.value(), b"")


class HearingTests(SynchronousTestCase):
    def test_each_message_is_reported_in_order(self) -> None:
        link = BareLink(FIVE)
        link.hear(listing("1.2.3.4", "5.6.7.8") + NOTIFICATION + wire(SIX) + wire(FIVE))
        self.assertEqual(
            link.owner.heard[2:],
            [
                ("listed", "1.2.3.4", "5.6.7.8"),
                ("notified", b"hello"),
                ("unverified",),
                ("arrived", 6, True, None),
                ("arrived", 5, False, None),
            ],
        )

    def test_the_first_whole_message_is_the_first_word(self) -> None:
        link = BareLink()
        link.hear(b"\x02\x00\x00")
        self.assertTrue(link.protocol.heard)
        self.assertFalse(link.protocol.spoke)
        link.hear(b"\x00\x00", b"\x01\x01")
        self.assertTrue(link.protocol.spoke)
        self.assertEqual(link.owner.what().count("spoken"), 1)

    def test_requests_are_answered(self) -> None:
        link = BareLink(FIVE)
        link.owner.peers = ["10.0.0.7"]
        link.hear(b"\x01\x03")
        self.assertEqual(link.transport.value(), listing("10.0.0.7") + wire(FIVE))

    def test_a_broken_stream_is_closed(self) -> None:
        link = BareLink()
        link.hear(b"\x01\x77\x01")
        self.assertFalse(link.transport.open)
        self.assertTrue(link.protocol.dropped)
        link.lose()
        name, reason = link.owner.heard[-1]
        self.assertEqual(name, "disconnected")
        self.assertIn("0x77", reason)

    def test_the_height_is_that_of_the_last_archive(self) -> None:
        link = BareLink(SIX)
        self.assertIsNone(link.protocol.height)
        for archive in (SEVEN, FIVE, Archive()):
            link.hear(wire(archive))
            self.assertEqual(link.protocol.height, archive.height)

    def test_an_archive_that_is_not_valid_has_no_height(self) -> None:
        link = BareLink(FIVE)
        link.hear(wire(FIVE), b"\x04\xff\xff\xff\xff" + bytes(spoilt(SEVEN, 6).view()))
        self.assertEqual(link.protocol.height, 5)

    def test_the_reason_of_an_end_is_ours_if_it_was_us(self) -> None:
        link = BareLink()
        link.protocol.drop("we had enough")
        link.lose()
        self.assertEqual(link.owner.heard[-1], ("disconnected", "we had enough"))
        other = BareLink()
        other.lose(ConnectionLost("the cable"))
        self.assertIn("the cable", other.owner.heard[-1][1])
        self.assertFalse(other.protocol.dropped)


class ChunkingTests(SynchronousTestCase):
    """However the stream is cut into reads, the same is reported and answered."""

    STREAM = b"".join(
        (
            b"\x01",
            wire(SIX),
            NOTIFICATION,
            wire(spoilt(branch(3), 5)),
            b"\x03",
            wire(FIVE),
            listing("1.2.3.4"),
            wire(SEVEN),
            b"\x99",
            wire(THOUSAND),
        )
    )

    def outcome(self, *reads: bytes) -> object:
        link = BareLink(FIVE)
        link.hear(*reads)
        link.lose()
        heard = [call for call in link.owner.heard if call != ("unverified",)]
        return heard, link.owner.archive.tip

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.integers(0, len(STREAM)), max_size=12))
    def test_any_chunking_is_the_same(self, cuts: list[int]) -> None:
        places = [0, *sorted(cuts), len(self.STREAM)]
        reads = [self.STREAM[start:end] for start, end in pairwise(places) if start < end]
        self.assertEqual(self.outcome(*reads), self.outcome(self.STREAM))

    def test_byte_by_byte(self) -> None:
        reads = [bytes([byte]) for byte in self.STREAM]
        self.assertEqual(self.outcome(*reads), self.outcome(self.STREAM))

    def test_it_is_what_it_should_be(self) -> None:
        heard, tip = self.outcome(self.STREAM)
        self.assertEqual(tip, SEVEN.tip)
        self.assertIn("('arrived', 7, True, None)", repr(heard))
        self.assertIn("('arrived', 7, False, 5)", repr(heard))
        self.assertNotIn("1000", repr(heard))


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


class ProgressTests(SynchronousTestCase):
    """`progress_timeout` runs in the middle of a message only."""

    def setUp(self) -> None:
        self.link = BareLink(FIVE)

    def assert_up_for(self, seconds: float) -> None:
        """Hold that the link is closed after so many seconds, and not before."""
        self.link.clock.advance(seconds - 0.1)
        self.assertTrue(self.link.transport.open)
        self.link.clock.advance(0.2)
        self.assertFalse(self.link.transport.open)

    def test_not_before_the_first_byte_nor_between_messages(self) -> None:
        self.assertEqual(self.link.clock.getDelayedCalls(), [])
        for data in (b"\x01", listing("1.2.3.4"), NOTIFICATION, wire(FIVE), wire(SEVEN)):
            self.link.hear(data)
            self.assertEqual(self.link.clock.getDelayedCalls(), [])

    def test_from_the_last_byte_on(self) -> None:
        self.link.hear(ENDLESS_LIST)
        for _ in range(10):
            self.link.clock.advance(TIMEOUT - 1)
            self.link.hear(bytes(LEAST))
        self.assert_up_for(TIMEOUT)

    def test_a_byte_now_and_then_is_no_progress(self) -> None:
        for size, held in ((1, 1), (LEAST // 3, 1), (LEAST // 2 + 1, 2), (LEAST - 100, 12)):
            link = BareLink()
            link.hear(ENDLESS_LIST)
            count = 0
            while link.transport.open and count < 100:
                link.clock.advance(TIMEOUT - 1)
                link.hear(bytes(size))
                count += 1
            self.assertEqual(count, held + 1, size)
            link.lose()
            self.assertIn("slowly", link.owner.heard[-1][1])

    def test_each_message_has_its_own_time(self) -> None:
        message = listing("1.2.3.4")
        self.link.hear(message[:-1])
        for _ in range(10):
            self.link.clock.advance(TIMEOUT - 1)
            self.link.hear(message[-1:])
            self.link.clock.advance(10 * TIMEOUT)
            self.link.hear(message[:-1])
        self.assertTrue(self.link.transport.open)
        self.link.hear(message[-1:] + message[:-1])
        for _ in range(5):
            self.link.clock.advance(TIMEOUT - 1)
            self.link.hear(message[-1:] + message[:-1])
        self.assertTrue(self.link.transport.open)

    def test_our_own_slowness_is_not_held_against_it(self) -> None:
        self.link.hear(wire(THOUSAND)[:1000])
        for place in range(1000, 61_000, 300):
            self.link.protocol.dataReceived(wire(THOUSAND)[place : place + 300])
            self.assertFalse(self.link.transport.reading)
            self.link.clock.advance(10 * TIMEOUT)
            self.link.verify()
        self.assertTrue(self.link.transport.open)

    def test_not_while_we_are_the_ones_who_are_slow(self) -> None:
        self.link.hear(wire(THOUSAND)[:3])
        self.link.clock.advance(TIMEOUT / 2)
        self.link.protocol.dataReceived(wire(THOUSAND)[3:5000])
        self.link.clock.advance(10 * TIMEOUT)
        self.assertTrue(self.link.transport.open)
        self.link.verify()
        self.assert_up_for(TIMEOUT)

    def test_behind_a_chat_that_is_not_valid_bytes_do_not_help(self) -> None:
        data = wire(spoilt(THOUSAND, 6))
        self.link.hear(data[:1000])
        for place in range(1000, 1010):
            self.link.clock.advance(5)
            self.link.hear(data[place : place + 1])
        self.assert_up_for(10)
        self.link.lose()
        self.assertIn("not valid", self.link.owner.heard[-1][1])

    def test_its_end_in_time_ends_that(self) -> None:
        data = wire(spoilt(THOUSAND, 6))
        self.link.hear(data[:1000])
        self.link.clock.advance(TIMEOUT - 1)
        self.link.hear(data[1000:] + NOTIFICATION[:3])
        self.assert_up_for(TIMEOUT)

    def test_no_timer_outlives_the_link(self) -> None:
        ends: list[Callable[[BareLink], None]] = [
            lambda link: link.protocol.drop("enough"),
            lambda link: link.protocol.leave(),
            lambda link: link.lose(),
        ]
        for end in ends:
            link = BareLink(THOUSAND)
            link.protocol.push()
            link.hear(b"\x04")
            self.assertEqual(len(link.clock.getDelayedCalls()), 2)
            end(link)
            self.assertEqual(link.clock.getDelayedCalls(), [])


class ClosingTests(SynchronousTestCase):
    def test_dropped_in_the_middle_of_a_read_nothing_more_is_said(self) -> None:
        link = BareLink(FIVE)
        link.owner.on_listed = lambda listed: listed.drop("enough")
        link.protocol.dataReceived(listing("1.2.3.4") + b"\x01\x03" + wire(SIX) + NOTIFICATION)
        self.assertEqual(link.transport.value(), b"")
        self.assertNotIn("unverified", link.owner.what())
        heard = link.owner.what()
        link.protocol.dataReceived(listing("5.6.7.8"))
        link.lose()
        self.assertEqual(link.owner.what(), [*heard, "disconnected"])
        self.assertEqual(link.owner.heard[-1], ("disconnected", "enough"))
        self.assertEqual(link.owner.what().count("disconnected"), 1)

    def test_dropped_while_it_connects(self) -> None:
        owner = Owner(FIVE)
        owner.on_connected = lambda link: link.drop("no room")
        link = BareLink(owner=owner)
        link.protocol.push()
        link.protocol.request_peers()
        link.protocol.dataReceived(b"\x01")
        link.settle()
        self.assertEqual(link.transport.value(), b"")
        self.assertTrue(link.transport.disconnected)

    def test_leaving_lets_the_last_bytes_out(self) -> None:
        link = BareLink(FIVE)
        link.protocol.push()
        link.protocol.leave()
        self.assertEqual(link.transport.value(), wire(FIVE))
        self.assertTrue(link.transport.disconnecting)
        self.assertFalse(link.transport.disconnected)
        self.assertIsNone(link.transport.producer)

    def test_who_does_not_take_them_can_still_be_dropped(self) -> None:
        link = BareLink(FIVE)
        link.protocol.leave()
        link.protocol.drop("leaving")
        self.assertTrue(link.transport.disconnected)

    def test_who_reads_nothing_is_dropped(self) -> None:
        link = BareLink(THOUSAND)
        link.protocol.push()
        link.settle()
        link.clock.advance(TIMEOUT)
        self.assertTrue(link.transport.disconnected)


class SayingTests(SynchronousTestCase):
    def test_an_archive_without_chats_is_not_pushed(self) -> None:
        link = BareLink()
        link.protocol.push()
        link.settle()
        self.assertEqual(link.transport.value(), b"")

    def test_a_notification_goes_only_to_who_sent_one(self) -> None:
        link = BareLink()
        link.protocol.notify("archive ignored")
        link.settle()
        self.assertEqual(link.transport.value(), b"")
        link.hear(NOTIFICATION)
        link.protocol.notify("archive ignored")
        link.settle()
        self.assertEqual(link.transport.value(), b"\x05\x0farchive ignored")


class LengthTests(SynchronousTestCase):
    """What is too long is told in the way of Twisted's receivers: lengthLimitExceeded."""

    def check(self, kind: int, size: int) -> None:
        link = BareLink()
        link.owner.limit = 64 * 1024
        told: list[str] = []
        exceeded = link.protocol.lengthLimitExceeded
        link.protocol.lengthLimitExceeded = lambda what: told.append(what) or exceeded(what)
        link.hear(bytes([kind]) + b"\xff" * 4, *[bytes(16384)] * (size // 16384 + 2))
        self.assertEqual(len(told), 1)
        self.assertIn("more than", told[0])
        self.assertFalse(link.transport.open)

    def test_an_archive(self) -> None:
        self.check(Type.ARCHIVE_RESPONSE, 64 * 1024)

    def test_a_list(self) -> None:
        self.check(Type.PEER_LIST, MAX_LIST_BYTES)

"""A link by itself: what it reports, when it reads, and how long it waits."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.address import IPv6Address
from twisted.internet.error import ConnectionLost
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.archive.archive import Archive
from p2pchat.archive.codec import MAX_LIST_BYTES, Type
from p2pchat.archive.protocol import READ
from p2pchat.identity import Address
from tests.archive.bare import BareLink, Owner, Transport
from tests.archive.examples import THOUSAND, branch, wire
from tests.archive.protocol_case import FIVE, NOTIFICATION, SEVEN, SIX, spoilt
from tests.archive.world import listing


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

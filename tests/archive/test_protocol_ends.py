"""How long a peer of the archive may take, and how links end."""

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.archive.pace import LEAST
from tests.archive.bare import TIMEOUT, BareLink, Owner
from tests.archive.examples import THOUSAND, wire
from tests.archive.protocol_case import ENDLESS_LIST, FIVE, NOTIFICATION, SEVEN, SIX, spoilt
from tests.archive.world import listing


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

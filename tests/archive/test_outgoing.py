"""What goes out on a link: in order, without copies, and never more than what may wait."""

import tracemalloc
from array import array
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.archive.archive import Archive
from p2pchat.archive.codec import ARCHIVE_REQUEST, PEER_REQUEST, Type
from p2pchat.archive.outgoing import PART, Outgoing
from p2pchat.archive.record import OVERHEAD
from tests.archive.bare import ROOM, Transport
from tests.archive.examples import THOUSAND, wire

TIMEOUT = 60.0
FIVE = THOUSAND.truncated(5)

#: One chat takes so many bytes here.
SIZE = 100


def large(megabytes: int) -> Archive:
    """Return an archive of that size; it is not valid."""
    count = megabytes * 1_000_000 // SIZE
    chat = bytes([SIZE - OVERHEAD]) * SIZE
    return Archive(chat * count, array("Q", range(0, count * SIZE + 1, SIZE)))


class OutgoingCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.transport = Transport()
        self.stalled = 0
        self.outgoing = Outgoing(self.transport, self.clock, TIMEOUT, self.stall)

    def stall(self) -> None:
        self.stalled += 1

    def owe(self, kind: Type, message: bytes | Archive | None) -> None:
        self.outgoing.owe(kind, lambda: message)
        self.clock.advance(0)

    def fill(self) -> None:
        """Have more under way than the transport takes."""
        self.owe(Type.ARCHIVE_RESPONSE, THOUSAND)
        self.assertTrue(self.outgoing.busy)


class OrderTests(OutgoingCase):
    def test_what_there_is_room_for_goes_in_the_next_turn(self) -> None:
        self.owe(Type.PEER_REQUEST, PEER_REQUEST)
        self.owe(Type.ARCHIVE_RESPONSE, FIVE)
        self.owe(Type.ARCHIVE_REQUEST, ARCHIVE_REQUEST)
        self.assertEqual(self.transport.value(), PEER_REQUEST + wire(FIVE) + ARCHIVE_REQUEST)
        self.assertFalse(self.outgoing.busy)

    def test_an_archive_without_chats_is_its_header(self) -> None:
        self.owe(Type.ARCHIVE_RESPONSE, Archive())
        self.owe(Type.PEER_REQUEST, PEER_REQUEST)
        self.assertEqual(self.transport.value(), b"\x04\0\0\0\0\x01")

    def test_nothing_may_be_all_there_is_to_say(self) -> None:
        self.owe(Type.NOTIFICATION, None)
        self.owe(Type.PEER_REQUEST, PEER_REQUEST)
        self.assertEqual(self.transport.value(), PEER_REQUEST)

    def test_messages_are_never_mixed(self) -> None:
        archive = large(1)
        self.owe(Type.ARCHIVE_RESPONSE, archive)
        self.owe(Type.PEER_REQUEST, PEER_REQUEST)
        self.owe(Type.ARCHIVE_REQUEST, ARCHIVE_REQUEST)
        sent = self.transport.read_all()
        self.assertEqual(sent, wire(archive) + PEER_REQUEST + ARCHIVE_REQUEST)

    def test_what_waits_goes_in_the_order_it_was_first_owed(self) -> None:
        self.fill()
        self.owe(Type.NOTIFICATION, b"\x05\x06hello!")
        self.owe(Type.PEER_LIST, b"\x02\0\0\0\0")
        self.owe(Type.NOTIFICATION, b"\x05\x06again!")
        self.owe(Type.PEER_REQUEST, PEER_REQUEST)
        self.owe(Type.PEER_LIST, b"\x02\0\0\0\0")
        sent = self.transport.read_all()
        self.assertEqual(sent, wire(THOUSAND) + b"\x05\x06again!\x02\0\0\0\0\x01")


class WaitingTests(OutgoingCase):
    """What waits: the archive being sent, and the newest of each kind."""

    def test_of_a_kind_one_is_sent_in_a_turn_however_fast_it_is_read(self) -> None:
        for height in range(1000):
            self.outgoing.owe(Type.ARCHIVE_RESPONSE, lambda at=height: THOUSAND.truncated(at))
            self.outgoing.owe(Type.PEER_REQUEST, lambda: PEER_REQUEST)
        self.assertEqual(self.transport.value(), b"")
        self.clock.advance(0)
        sent = self.transport.read_all()
        self.assertEqual(sent, wire(THOUSAND.truncated(999)) + PEER_REQUEST)

    def test_flushed_nothing_waits_for_the_next_turn(self) -> None:
        self.outgoing.owe(Type.PEER_REQUEST, lambda: PEER_REQUEST)
        self.outgoing.flush()
        self.assertEqual(self.transport.value(), PEER_REQUEST)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_of_a_kind_only_the_last_one_is_sent(self) -> None:
        self.fill()
        for height in range(900, 1000):
            self.owe(Type.ARCHIVE_RESPONSE, THOUSAND.truncated(height))
        sent = self.transport.read_all()
        self.assertEqual(sent, wire(THOUSAND) + wire(THOUSAND.truncated(999)))

    def test_it_is_made_when_its_turn_comes(self) -> None:
        newest = [FIVE]
        made = []

        def make() -> Archive:
            made.append(newest[-1])
            return newest[-1]

        self.fill()
        self.outgoing.owe(Type.ARCHIVE_RESPONSE, make)
        newest.append(THOUSAND.truncated(7))
        self.assertEqual(made, [])
        self.assertEqual(self.transport.read_all(), wire(THOUSAND) + wire(newest[-1]))
        self.assertEqual(len(made), 1)

    def test_the_transport_never_holds_much_more_than_it_asked_for(self) -> None:
        self.owe(Type.ARCHIVE_RESPONSE, large(3))
        self.transport.read_all()
        self.assertLessEqual(self.transport.most_unread, ROOM + PART + 5)

    def test_many_slow_readers_of_a_large_archive_share_its_bytes(self) -> None:
        archive = large(7)
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        before = tracemalloc.get_traced_memory()[0]
        slow = []
        for _ in range(20):
            transport = Transport()
            slow.append((transport, Outgoing(transport, self.clock, TIMEOUT, self.stall)))
            slow[-1][1].owe(Type.ARCHIVE_RESPONSE, lambda: archive)
        self.clock.advance(0)
        self.assertTrue(all(outgoing.busy for _, outgoing in slow))
        # a transport of tests copies what it is given as it grows
        self.assertLess(tracemalloc.get_traced_memory()[0] - before, 20 * 4 * ROOM)

    def test_an_archive_that_grows_meanwhile_is_sent_as_it_was(self) -> None:
        archive = large(1)
        expected = wire(archive)
        self.owe(Type.ARCHIVE_RESPONSE, archive)
        for _ in range(3):
            archive = archive.appended(bytes(SIZE), [archive.size + SIZE])
        bigger = archive.appended(bytes(600_000), range(archive.size, archive.size + 600_000, SIZE))
        self.assertGreater(bigger.size, archive.size)
        self.assertEqual(self.transport.read_all(), expected)

    @given(st.lists(st.sampled_from([*"pPaArRn", "read"]), max_size=60))
    def test_all_that_is_owed_comes_and_at_most_twice_an_archive(self, acts: list[str]) -> None:
        self.setUp()
        sent, owed = b"", set()
        for act in acts:
            if act == "read":
                sent += self.transport.read()
            elif act in "aA":
                self.owe(Type.ARCHIVE_RESPONSE, THOUSAND if act == "A" else FIVE)
                owed.add(4)
            elif act == "n":
                self.owe(Type.NOTIFICATION, None)
            else:
                kind = Type.PEER_REQUEST if act in "pP" else Type.ARCHIVE_REQUEST
                self.owe(kind, bytes([kind]))
                owed.add(int(kind))
            self.assertLessEqual(self.transport.unread, ROOM + PART + 5)
        begun = len(sent)
        sent += self.transport.read_all()
        self.assertLessEqual(len(sent) - begun, ROOM + PART + 5 + 2 * len(wire(THOUSAND)) + 2)
        self.assertEqual(kinds_of(sent), owed)


def kinds_of(data: bytes) -> set[int]:
    """Return the types of all messages, of which the archives are FIVE or THOUSAND."""
    kinds = set()
    while data:
        kinds.add(data[0])
        size = len(wire(FIVE if data.startswith(wire(FIVE)) else THOUSAND)) if data[0] == 4 else 1
        data = data[size:]
    return kinds


class StallTests(OutgoingCase):
    def test_who_takes_nothing_is_reported_once(self) -> None:
        self.fill()
        self.clock.advance(TIMEOUT - 1)
        self.assertEqual(self.stalled, 0)
        self.clock.advance(1)
        self.assertEqual(self.stalled, 1)
        self.clock.advance(10 * TIMEOUT)
        self.assertEqual(self.stalled, 1)

    def test_who_takes_what_is_there_has_its_time_again(self) -> None:
        self.owe(Type.ARCHIVE_RESPONSE, large(1))
        for _ in range(5):
            self.clock.advance(TIMEOUT - 1)
            self.transport.read()
        self.assertEqual(self.stalled, 0)
        self.transport.read_all()
        self.clock.advance(10 * TIMEOUT)
        self.assertEqual(self.stalled, 0)

    def test_told_twice_to_pause_it_still_has_one_timer(self) -> None:
        self.fill()
        self.outgoing.pauseProducing()
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_while_nothing_is_owed_nobody_is_hurried(self) -> None:
        self.owe(Type.ARCHIVE_RESPONSE, FIVE)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class ClosingTests(OutgoingCase):
    def test_after_the_end_nothing_is_written_and_no_timer_runs(self) -> None:
        ends: list[Callable[[Outgoing], None]] = [
            lambda outgoing: outgoing.close(),
            lambda outgoing: outgoing.stopProducing(),
        ]
        for end in ends:
            self.setUp()
            self.outgoing.owe(Type.PEER_REQUEST, lambda: PEER_REQUEST)
            end(self.outgoing)
            self.assertEqual(self.clock.getDelayedCalls(), [])
            self.setUp()
            self.fill()
            self.owe(Type.PEER_REQUEST, PEER_REQUEST)
            self.transport.unregisterProducer()  # as a transport does that is at its end
            end(self.outgoing)
            self.transport.clear()
            self.owe(Type.ARCHIVE_REQUEST, ARCHIVE_REQUEST)
            self.assertEqual(self.transport.value(), b"")
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_closed_the_transport_has_no_producer_to_wait_for(self) -> None:
        self.fill()
        self.outgoing.close()
        self.assertIsNone(self.transport.producer)

    def test_a_message_that_closes_as_it_is_made_is_the_last_one(self) -> None:
        self.fill()
        self.outgoing.owe(Type.PEER_LIST, lambda: self.outgoing.close())
        self.owe(Type.PEER_REQUEST, PEER_REQUEST)
        self.assertEqual(self.transport.read_all(), wire(THOUSAND))

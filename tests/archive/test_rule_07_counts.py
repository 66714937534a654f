"""Rule 3.7: counts lie; memory goes by bytes that came, patience by progress."""

import tracemalloc

from tests.archive.examples import THOUSAND, chats_of, joined, wire
from tests.archive.world import (
    ARCHIVE,
    ARCHIVE_REQUEST,
    NOTIFICATION,
    PEER_LIST,
    SOON,
    ArchiveCase,
    ScriptedLink,
    listing,
)

ALICE, BOB, CAROL = "10.0.0.1", "10.0.0.2", "10.0.0.3"
FIVE, SIX = THOUSAND.truncated(5), THOUSAND.truncated(6)
MOST = b"\xff" * 4

#: Bytes that a node may take for a moment, whatever it is told.
LITTLE = 2_000_000


class CountCase(ArchiveCase):
    def setUp(self) -> None:
        super().setUp()
        self.alice = self.world.node(ALICE, archive=FIVE, max_archive_bytes=100_000)
        self.link = self.linked(self.alice, BOB)

    def assert_works(self) -> None:
        """Others are not harmed."""
        self.feed(self.alice, SIX)

    def drip(self, link: ScriptedLink, seconds: int, every: int, byte: bytes = b"\x01") -> None:
        for _ in range(seconds // every):
            link.say(byte)
            self.run_for(every)


class MemoryTests(CountCase):
    def test_rule_07_nothing_is_allocated_by_a_count(self) -> None:
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        for kind in (ARCHIVE, PEER_LIST):
            for peer in range(20, 40):
                self.linked(self.alice, f"10.0.{kind}.{peer}", bytes([kind]) + MOST + bytes(100))
        self.assertLess(tracemalloc.get_traced_memory()[1], LITTLE)
        self.assert_works()

    def test_rule_07_a_list_keeps_no_more_than_1000_addresses(self) -> None:
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        self.link.say(bytes([PEER_LIST]) + MOST)
        for _ in range(66):
            self.link.say(bytes(60_000))
            self.run_for(SOON)
        self.assertLess(tracemalloc.get_traced_memory()[1], LITTLE)
        self.assertTrue(self.link.up)

    def test_rule_07_a_list_that_would_never_end_is_none(self) -> None:
        self.link.say(bytes([PEER_LIST]) + MOST)
        for _ in range(67):
            self.link.say(bytes(60_000))
            self.run_for(SOON)
        self.assertFalse(self.link.up)
        self.assert_works()

    def test_rule_07_an_archive_is_bounded_by_its_bytes(self) -> None:
        """Whether it could be of use or not."""
        chats = bytes(THOUSAND.view())
        useless = bytes([ARCHIVE]) + (3).to_bytes(4, "big") + bytes([255]) * 288 * 3
        for count, body in (
            (MOST, bytes(100_001)),
            (MOST, bytes(THOUSAND.truncated(5).view()) + bytes(100_000)),
            (MOST, chats + chats),
        ):
            link = self.linked(self.alice, CAROL, bytes([ARCHIVE]) + count + body)
            self.run_for(5)
            self.assertFalse(link.up)
        self.link.say(useless)
        self.run_for(SOON)
        self.assertTrue(self.link.up)
        self.assert_works()

    def test_rule_07_up_to_the_bound_it_is_taken(self) -> None:
        node = self.world.node("10.0.0.10", max_archive_bytes=THOUSAND.size)
        self.feed(node, THOUSAND)

    def test_rule_07_one_byte_beyond_it_is_not(self) -> None:
        node = self.world.node("10.0.0.10", max_archive_bytes=THOUSAND.size - 1)
        link = self.linked(node, BOB, wire(THOUSAND))
        self.run_for(5)
        self.assertFalse(link.up)
        self.assertEqual(node.height, 0)

    def test_rule_07_what_arrives_on_all_links_together_is_bounded(self) -> None:
        """Three archives, valid so far, none of which ends; there is room for two.

        Whoever made no progress for longest when it becomes too much makes room.
        """
        limit = THOUSAND.size
        node = self.world.node("10.0.0.10", max_archive_bytes=limit)
        data = wire(THOUSAND)
        links = [self.linked(node, f"10.0.1.{number}", data[:-500]) for number in range(2)]
        links[0].say(data[-500:-400])
        self.run_for(5)
        self.assertEqual([link.up for link in links], [True, True])
        links.append(self.linked(node, CAROL, data[:2000]))
        self.assertEqual([link.up for link in links], [True, False, True])
        links[0].say(data[-400:])
        self.run_for(SOON)
        self.assertEqual(node.height, 1000)


class ProgressTests(CountCase):
    """60 s without a byte in the middle of a message."""

    #: Messages that have begun.
    BEGUN = (
        bytes([ARCHIVE]),
        bytes([ARCHIVE]) + MOST,
        wire(SIX)[:-1],
        wire(FIVE)[:-1],
        bytes([PEER_LIST, 0]),
        listing("1.2.3.4")[:-1],
        bytes([PEER_LIST]) + MOST,
        bytes([NOTIFICATION]),
        bytes([NOTIFICATION, 5]) + b"four",
    )

    def test_rule_07_whoever_stalls_is_closed_after_60_s(self) -> None:
        links = [
            self.linked(self.alice, f"10.0.1.{number}", begun)
            for number, begun in enumerate(self.BEGUN)
        ]
        self.run_for(70)
        for link in links:
            assert link.lost is not None
            self.assertApproximates(link.lost - link.connected, 60, 0.1)
        self.assert_works()

    def test_rule_07_a_byte_now_and_then_is_no_progress(self) -> None:
        for begun in (wire(SIX)[:-10], bytes([PEER_LIST]) + MOST):
            link = self.linked(self.alice, CAROL, begun)
            self.drip(link, 59, every=59)
            self.assertTrue(link.up)
            self.drip(link, 2 * 59, every=59)
            self.assertFalse(link.up)

    def test_rule_07_a_kilobyte_a_minute_is(self) -> None:
        link = self.linked(self.alice, CAROL, bytes([PEER_LIST]) + MOST)
        for _ in range(20):
            self.run_for(59)
            link.say(bytes(1024))
        self.run_for(59)
        self.assertTrue(link.up)
        self.run_for(2)
        self.assertFalse(link.up)

    def test_rule_07_dripped_to_its_end_an_archive_is_taken(self) -> None:
        data = wire(THOUSAND)
        link = self.linked(self.alice, CAROL, data[:-30])
        for byte in data[-30:]:
            self.run_for(50)
            link.say(byte)
        self.run_for(SOON)
        self.assertEqual(self.alice.height, 1000)
        self.assertTrue(link.up)

    def test_rule_07_between_messages_nobody_is_hurried(self) -> None:
        self.run_for(3600)
        self.assertTrue(self.link.up)
        for whole in (wire(SIX), listing("1.2.3.4"), b"\x05\x04four", bytes([ARCHIVE_REQUEST])):
            self.link.say(whole)
            self.run_for(300)
            self.assertTrue(self.link.up)

    def test_rule_07_from_a_chat_on_that_is_not_valid_bytes_are_no_progress(self) -> None:
        """The stream may be out of step: then what comes never ends the archive."""
        chats = chats_of(SIX)
        chats[5] = chats[5][:-1] + bytes([chats[5][-1] ^ 1])
        broken = bytes([ARCHIVE]) + MOST + bytes(joined(chats).view())
        link = self.linked(self.alice, CAROL, broken)
        self.drip(link, 55, every=5)
        self.assertTrue(link.up)
        self.drip(link, 10, every=5)
        self.assertFalse(link.up)

    def test_rule_07_a_link_that_goes_in_the_middle_leaves_nothing_behind(self) -> None:
        timers = len(self.alice.reactor.getDelayedCalls())
        link = self.linked(self.alice, CAROL, wire(THOUSAND)[:-1])
        link.hang_up()
        self.run_for(SOON)
        self.assertEqual(len(self.alice.reactor.getDelayedCalls()), timers)

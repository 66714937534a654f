"""What all links together may take: places, and memory."""

from twisted.internet.address import IPv4Address
from twisted.logger import capturedLogs, formatEvent

from p2pchat.archive import neighbours
from p2pchat.identity import Address
from tests.archive.bare import Transport
from tests.archive.examples import THOUSAND, branch, wire
from tests.archive.mined import easy_proof
from tests.archive.world import (
    PORT,
    SOON,
    ArchiveCase,
    ScriptedLink,
)

ALICE, BOB, CAROL = "10.0.0.1", "10.0.0.2", "10.0.0.3"
FIVE, SIX = THOUSAND.truncated(5), THOUSAND.truncated(6)


class OldArchivesTests(ArchiveCase):
    """Who is in the middle of an archive that was ours keeps all of it in memory."""

    def setUp(self) -> None:
        super().setUp()
        self.enterContext(easy_proof())
        self.patch(neighbours, "OLD_ROOM", 0)
        self.alice = self.world.node(ALICE, archive=THOUSAND, max_archive_bytes=150_000)
        self.run_for(SOON)
        self.neighbours = self.alice.service._neighbours

    def come_one_by_one(self, opening: bytes) -> list[Transport]:
        """Have eight peers come, each before another branch takes the archive's place."""
        transports = []
        for number in range(8):
            there = IPv4Address("TCP", f"10.0.1.{number}", 40000)
            transports.append(Transport(peer=there))
            protocol = self.neighbours.factory.buildProtocol(there)
            protocol.makeConnection(transports[-1])
            self.run_for(SOON)
            if opening:
                transports[-1].read_all()
                protocol.dataReceived(opening)
            self.feed(self.alice, branch(999, b"branch %d" % number, length=number + 2))
            if opening:
                transports[-1].read_all()
        return transports

    def assert_bounded(self, transports: list[Transport]) -> None:
        old = [transport.open for transport in transports]
        self.assertEqual(old, [False] * 6 + [True] * 2)

    def test_not_too_many_of_them_are_sent_to_slow_readers(self) -> None:
        self.assert_bounded(self.come_one_by_one(b""))

    def test_nor_compared_with_what_comes(self) -> None:
        self.assert_bounded(self.come_one_by_one(wire(THOUSAND)[:2000]))

    def test_a_few_small_ones_do_no_harm(self) -> None:
        self.patch(neighbours, "OLD_ROOM", 16 * 1024 * 1024)
        self.assertTrue(all(transport.open for transport in self.come_one_by_one(b"")))

    def test_whoever_reads_is_not_harmed(self) -> None:
        links = []
        for number in range(8):
            links.append(self.linked(self.alice, f"10.0.1.{number}"))
            self.feed(self.alice, branch(999, b"branch %d" % number, length=number + 2))
        self.assertTrue(all(link.up for link in links))


class RoomTests(ArchiveCase):
    """At most `max_peers` links are accepted."""

    def setUp(self) -> None:
        super().setUp()
        self.alice = self.world.node(ALICE, archive=FIVE, max_peers=4)
        self.run_for(SOON)

    def crowd(self, count: int) -> list[ScriptedLink]:
        """Have one peer open so many links at the same time."""
        peer = self.world.peer(CAROL, listens=False)
        for _ in range(count):
            peer.dial(ALICE)
        self.run_for(SOON)
        return peer.links

    def up(self, links: list[ScriptedLink]) -> int:
        return sum(link.up for link in links)

    def test_a_crowd_from_one_address_gets_no_more(self) -> None:
        links = self.crowd(50)
        self.assertEqual(self.up(links), 4)
        self.assertTrue(links[0].up)

    def test_it_makes_room_for_others(self) -> None:
        crowd = self.crowd(50)
        others = [self.linked(self.alice, f"10.0.1.{number}") for number in range(3)]
        self.assertEqual(self.up(others), 3)
        self.assertEqual(self.up(crowd), 1)

    def test_others_that_come_at_the_same_time_too(self) -> None:
        """Each of them takes a place, and none of them one that is given up already."""
        crowd = self.crowd(50)
        peers = [self.world.peer(f"10.0.1.{number}", listens=False) for number in range(3)]
        for peer in peers:
            peer.dial(ALICE)
        self.run_for(SOON)
        self.assertEqual(self.up([peer.link for peer in peers]), 3)
        self.assertEqual(self.up(crowd), 1)

    def test_whoever_is_there_stays_before_who_comes(self) -> None:
        first = [self.linked(self.alice, f"10.0.1.{number}") for number in range(4)]
        late = [self.linked(self.alice, f"10.0.2.{number}") for number in range(4)]
        self.assertEqual((self.up(first), self.up(late)), (4, 0))

    def test_whom_there_is_no_room_for_hears_nothing(self) -> None:
        links = self.crowd(10)
        for link in links:
            self.assertEqual(link.kinds, [1, 3, 4] if link.up else [])

    def test_whom_we_dial_needs_no_room(self) -> None:
        self.crowd(50)
        self.assertTrue(self.dialled(self.alice, BOB).up)

    def test_a_place_that_became_free_is_given_again(self) -> None:
        first = [self.linked(self.alice, f"10.0.1.{number}") for number in range(4)]
        first[0].hang_up()
        self.run_for(SOON)
        self.assertTrue(self.linked(self.alice, BOB).up)

    def test_of_those_in_the_live_chat_no_more_are_dialled_either(self) -> None:
        peers = [self.world.peer(f"10.0.1.{number}") for number in range(10)]
        for peer in peers:
            self.alice.service.offered(Address(peer.ip, PORT))
        self.run_for(SOON)
        self.assertEqual(sum(peer.dialled_times for peer in peers), 4)


class SilenceTests(ArchiveCase):
    """Who connects and says nothing."""

    def setUp(self) -> None:
        super().setUp()
        self.alice = self.world.node(ALICE, max_peers=4)
        self.silent = [self.linked(self.alice, f"10.0.1.{number}", b"") for number in range(4)]

    def test_it_is_no_peer(self) -> None:
        self.assertEqual(self.alice.connected, [])

    def test_it_may_listen_for_as_long_as_there_is_room(self) -> None:
        self.run_for(300)
        self.assertTrue(all(link.up for link in self.silent))

    def test_it_makes_room_once_it_had_its_time(self) -> None:
        self.assertFalse(self.linked(self.alice, BOB).up)
        self.run_for(60)
        for ip in (BOB, CAROL):
            self.assertTrue(self.linked(self.alice, ip).up)
        self.assertEqual([link.up for link in self.silent], [False, False, True, True])

    def test_not_in_the_middle_of_its_first_archive(self) -> None:
        self.silent[0].say(wire(SIX)[:40])
        self.run_for(59)
        self.silent[0].say(wire(SIX)[40:41])
        self.run_for(2)
        self.assertTrue(self.linked(self.alice, BOB).up)
        self.assertEqual([link.up for link in self.silent], [True, False, True, True])


class MemoryTests(ArchiveCase):
    """Too much arrives at once."""

    LIMIT = 2 * THOUSAND.size // 3

    def test_who_stalls_makes_room_for_who_goes_on(self) -> None:
        alice = self.world.node(ALICE, max_archive_bytes=self.LIMIT)
        half, whole = wire(THOUSAND)[: self.LIMIT // 2], wire(THOUSAND)[: self.LIMIT - 10]
        stalled = [self.linked(alice, f"10.0.1.{number}", half) for number in range(3)]
        with capturedLogs() as logged:
            large = self.linked(alice, BOB, whole)
        self.assertTrue(large.up)
        self.assertEqual([link.up for link in stalled], [False, True, True])
        lines = [formatEvent(event) or "" for event in logged if event["log_level"].name == "info"]
        self.assertIn("[Archive] 10.0.1.0 closed: too much is arriving at once", lines)

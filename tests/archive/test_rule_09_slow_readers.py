"""Rule 3.9: who reads slowly waits for at most two archives, and makes nobody else wait."""

import socket
import tracemalloc
from typing import ClassVar

from tests.archive.examples import THOUSAND
from tests.archive.world import (
    ARCHIVE,
    ARCHIVE_REQUEST,
    PEER_LIST,
    PEER_REQUEST,
    SOON,
    ArchiveCase,
    ScriptedLink,
)

ALICE, BOB, CAROL = "10.0.0.1", "10.0.0.2", "10.0.0.3"

#: More than a transport takes at once.
LARGE = THOUSAND.truncated(990)


class SlowCase(ArchiveCase):
    #: A window so small that what a peer does not read stays with us.
    conditions: ClassVar = {"window": 2048}

    def setUp(self) -> None:
        super().setUp()
        self.alice = self.world.node(ALICE, archive=LARGE)

    def deaf(self, ip: str = BOB) -> ScriptedLink:
        peer = self.world.peer(ip, listens=False)
        peer.deaf, peer.opening = True, bytes([PEER_REQUEST])
        peer.dial(ALICE)
        self.run_for(SOON)
        return peer.link

    def read_on(self, link: ScriptedLink) -> None:
        link.transport.resumeProducing()
        self.run_for(10)

    def grow(self, *heights: int) -> None:
        """Have the node adopt one archive after the other."""
        for height in heights:
            self.feed(self.alice, THOUSAND.truncated(height))


class SlowReaderTests(SlowCase):
    def test_rule_09_it_gets_the_one_that_was_being_sent_and_the_newest(self) -> None:
        slow = self.deaf()
        self.grow(*range(991, 1001))
        self.read_on(slow)
        self.assertEqual(slow.heights(), [990, 1000])
        self.assertEqual(slow.got(ARCHIVE)[1].archive, THOUSAND)

    def test_rule_09_however_often_it_asks(self) -> None:
        slow = self.deaf()
        for _ in range(100):
            slow.say(bytes([ARCHIVE_REQUEST, PEER_REQUEST]) * 100)
            self.run_for(0.05)
        self.grow(991)
        slow.forget()
        self.read_on(slow)
        self.assertEqual(slow.heights(), [990, 991])
        self.assertLessEqual(len(slow.got(PEER_LIST)), 2)

    def test_rule_09_what_is_asked_of_it_is_asked_once(self) -> None:
        slow = self.deaf()
        self.run_for(50)
        self.read_on(slow)
        self.assertEqual(len(slow.got(PEER_REQUEST)), 2 + 10 // 5)

    def test_rule_09_others_do_not_wait_for_it(self) -> None:
        self.deaf()
        other = self.linked(self.alice, CAROL)
        self.run_for(10)
        self.grow(991)
        self.run_for(10)
        self.assertEqual(other.heights(), [990, 991])

    def test_rule_09_many_of_them_take_no_copy_of_the_archive_each(self) -> None:
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        before = tracemalloc.get_traced_memory()[0]
        for number in range(1, 21):
            self.deaf(f"10.0.1.{number}")
        # what a transport takes, and its window
        self.assertLess(tracemalloc.get_traced_memory()[0] - before, 20 * 140_000 + 500_000)

    def test_rule_09_who_never_reads_is_closed(self) -> None:
        slow = self.deaf()
        self.run_for(59)
        self.assertEqual(self.alice.connected, [BOB])
        self.run_for(2)
        self.assertEqual(self.alice.connected, [])
        self.assertEqual(slow.messages, [])
        self.assertEqual(self.alice.reported(BOB), ["connected", "lost"])


class NoDelayTests(ArchiveCase):
    def test_rule_09_tcp_nodelay_is_set(self) -> None:
        alice = self.world.node(ALICE)
        for link in (self.linked(alice, BOB), self.dialled(alice, CAROL)):
            ours = link.transport.socket.peer
            self.assertTrue(ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

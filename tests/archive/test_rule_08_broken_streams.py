"""Rule 3.8: a broken stream is of no further use: close, dial again with pauses, ask again."""

from itertools import pairwise

from tests.archive.examples import THOUSAND, wire
from tests.archive.world import (
    ARCHIVE_REQUEST,
    PEER_LIST,
    PEER_REQUEST,
    SOON,
    ArchiveCase,
    listing,
)

ALICE, BOB, CAROL = "10.0.0.1", "10.0.0.2", "10.0.0.3"
FIVE, SIX = THOUSAND.truncated(5), THOUSAND.truncated(6)
BROKEN = b"\x06"


class ClosingTests(ArchiveCase):
    def setUp(self) -> None:
        super().setUp()
        self.alice = self.world.node(ALICE, archive=FIVE)

    def test_rule_08_a_type_that_does_not_exist_closes_the_link(self) -> None:
        for kind in range(6, 256):
            link = self.linked(self.alice, BOB, bytes([PEER_REQUEST, kind]))
            self.assertFalse(link.up, kind)
        self.assertEqual(self.alice.connected, [])

    def test_rule_08_behind_every_kind_of_message(self) -> None:
        for message in (b"\x01", b"\x03", listing("1.2.3.4"), b"\x05\x01x", wire(FIVE), wire(SIX)):
            link = self.linked(self.alice, BOB, message + BROKEN)
            self.assertFalse(link.up)

    def test_rule_08_only_that_link(self) -> None:
        other, far = self.linked(self.alice, BOB), self.dialled(self.alice, CAROL)
        self.assertFalse(self.linked(self.alice, BOB, BROKEN).up)
        for link in (other, far):
            link.forget()
            link.say(PEER_REQUEST)
            self.run_for(SOON)
            self.assertEqual(link.kinds, [PEER_LIST])

    def test_rule_08_nothing_behind_it_counts(self) -> None:
        self.linked(self.alice, BOB, BROKEN + wire(SIX))
        self.run_for(SOON)
        self.assertEqual(self.alice.height, 5)

    def test_rule_08_what_came_in_full_before_it_does_count(self) -> None:
        """However it was cut into reads."""
        self.linked(self.alice, BOB, wire(SIX) + BROKEN)
        self.run_for(SOON)
        self.assertEqual(self.alice.height, 6)
        link = self.linked(self.alice, BOB, wire(THOUSAND.truncated(7)))
        link.say(BROKEN)
        self.run_for(SOON)
        self.assertEqual(self.alice.height, 7)
        self.assertFalse(link.up)

    def test_rule_08_all_that_came_in_full(self) -> None:
        data = b"".join(wire(THOUSAND.truncated(height)) for height in (6, 4, 200))
        self.linked(self.alice, BOB, data + wire(THOUSAND)[:-1] + BROKEN * 2)
        self.run_for(SOON)
        self.assertEqual(self.alice.height, 200)

    def test_rule_08_an_archive_at_the_end_of_a_connection_counts(self) -> None:
        """Who closes without reading what we said resets the connection."""
        self.run_for(SOON)
        self.world.network.conditions.latency = (0.0, 0.0)
        for hang_up, height in (("loseConnection", 100), ("abortConnection", 200)):
            bob = self.world.peer(BOB, listens=False)
            bob.deaf = True
            bob.dial(ALICE)
            self.run_for(SOON)
            bob.link.say(wire(THOUSAND.truncated(height)))
            self.run_until_read(bob.link.peer.ip)
            getattr(bob.link.transport, hang_up)()
            self.run_for(SOON)
            self.assertEqual(self.alice.height, height)
            self.assertEqual(self.alice.connected, [])

    def run_until_read(self, ip: str) -> None:
        """Let the node read what is under way, and not get to verifying it."""
        self.world.network.run_until(lambda: self.alice.unverified(ip), limit_seconds=1)


class RedialTests(ArchiveCase):
    def setUp(self) -> None:
        super().setUp()
        self.bob = self.world.peer(BOB)
        self.alice = self.world.node(ALICE, BOB)

    def test_rule_08_it_is_dialled_again_and_asked_again(self) -> None:
        self.run_for(SOON)
        self.bob.link.say(bytes([PEER_REQUEST]) + BROKEN)
        self.run_for(3)
        self.assertEqual(self.bob.dialled_times, 2)
        for link in self.bob.links:
            self.assertEqual(len(link.got(ARCHIVE_REQUEST)), 1)
        self.assertTrue(self.bob.link.up)

    def test_rule_08_after_pauses_that_grow_to_a_minute(self) -> None:
        self.bob.opening = bytes([PEER_REQUEST]) + BROKEN
        self.run_for(400)
        pauses = [
            later.connected - (sooner.lost or 0) for sooner, later in pairwise(self.bob.links)
        ]
        for pause, wanted in zip(pauses[:9], (2, 4, 8, 16, 32, 60, 60, 60, 60), strict=True):
            self.assertApproximates(pause, wanted, wanted * 0.1 + 2 * SOON)

    def test_rule_08_a_link_that_lasted_makes_them_short_again(self) -> None:
        self.bob.opening = bytes([PEER_REQUEST]) + BROKEN
        self.run_for(100)
        self.bob.opening = bytes([PEER_REQUEST])
        self.run_for(100)
        self.assertTrue(self.bob.link.up)
        self.bob.link.say(BROKEN)
        self.run_for(SOON)
        count = len(self.bob.links)
        self.run_for(3)
        self.assertEqual(len(self.bob.links), count + 1)

    def test_rule_08_an_address_of_a_list_that_breaks_every_stream_is_given_up(self) -> None:
        carol = self.world.peer(CAROL)
        carol.opening = bytes([PEER_REQUEST]) + BROKEN
        self.run_for(SOON)
        self.bob.link.say(listing(CAROL))
        self.run_for(1000)
        self.assertEqual(len(carol.links), 1 + 5)
        self.assertEqual(self.alice.service.info().connecting, 0)

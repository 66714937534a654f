"""Rule 3.4: 0x00 and an IPv4 address in front of everything else."""

import socket

from tests.archive.examples import THOUSAND
from tests.archive.world import (
    ARCHIVE_REQUEST,
    PEER_LIST,
    PEER_REQUEST,
    SOON,
    ArchiveCase,
    ScriptedPeer,
    listing,
)

ALICE, BOB, CAROL = "10.0.0.1", "10.0.0.2", "10.0.0.3"
FIVE = THOUSAND.truncated(5)
IDENTIFICATION = b"\0" + socket.inet_aton(BOB)


class AcceptedTests(ArchiveCase):
    """On a link that we accepted it is taken."""

    def test_rule_04_it_is_taken_and_not_answered(self) -> None:
        link = self.linked(self.world.node(ALICE), BOB, IDENTIFICATION + b"\x01")
        self.assertTrue(link.up)
        self.assertEqual(link.kinds, [PEER_REQUEST, ARCHIVE_REQUEST, PEER_LIST])
        self.assertIsNone(link.identification)

    def test_rule_04_byte_by_byte(self) -> None:
        link = self.linked(self.world.node(ALICE), BOB, b"")
        for byte in IDENTIFICATION + b"\x01":
            link.say(byte)
            self.run_for(SOON)
        self.assertEqual(link.kinds[-1], PEER_LIST)

    def test_rule_04_only_first(self) -> None:
        for opening in (b"\x01" + IDENTIFICATION, 2 * IDENTIFICATION):
            link = self.linked(self.world.node(ALICE), BOB, opening)
            self.assertFalse(link.up)

    def test_rule_04_half_of_one_is_the_middle_of_a_message(self) -> None:
        link = self.linked(self.world.node(ALICE), BOB, IDENTIFICATION[:3])
        self.run_for(59)
        self.assertTrue(link.up)
        self.run_for(2)
        self.assertFalse(link.up)

    def test_rule_04_on_a_link_that_we_dialled_no_message_begins_with_it(self) -> None:
        bob = self.world.peer(BOB)
        bob.opening = IDENTIFICATION
        self.world.node(ALICE, BOB)
        self.run_for(SOON)
        self.assertFalse(bob.links[0].up)


class DialledTests(ArchiveCase):
    """Who closes at once without a byte is dialled once more, with one in front."""

    def setUp(self) -> None:
        super().setUp()
        self.bob = self.world.peer(BOB)

    def begin(self, *, bind: str = "") -> None:
        self.alice = self.world.node(ALICE, BOB, archive=FIVE, bind=bind)
        self.run_for(SOON)

    def identifications(self, peer: ScriptedPeer | None = None) -> list[bytes | None]:
        return [link.identification for link in (peer or self.bob).links]

    def test_rule_04_never_on_a_first_attempt(self) -> None:
        self.begin()
        self.run_for(60)
        self.assertEqual(self.identifications(), [None])

    def test_rule_04_once_more_with_our_address(self) -> None:
        self.bob.hangs_up_at_once = True
        self.begin()
        self.assertEqual(self.identifications(), [None, socket.inet_aton(ALICE)])

    def test_rule_04_at_once_and_before_everything_else(self) -> None:
        self.bob.hangs_up_at_once = True
        self.begin()
        first, second = self.bob.links
        assert first.lost is not None
        self.assertLess(second.connected - first.lost, SOON)

    def test_rule_04_who_wanted_it_is_a_peer_from_then_on(self) -> None:
        self.bob.hangs_up_at_once = True
        self.begin_with_introducing()
        link = self.bob.link
        self.assertTrue(link.up)
        self.assertEqual(link.identification, socket.inet_aton(ALICE))
        self.assertEqual(link.heights(), [5])
        self.assertEqual(self.alice.reported(BOB), ["connected"])

    def begin_with_introducing(self) -> None:
        """Have a peer hang up on all links but the second."""
        self.bob.opening = b""
        self.alice = self.world.node(ALICE, BOB, archive=FIVE)
        while not self.bob.links:
            self.run_for(0.001)
        self.bob.hangs_up_at_once = False
        self.bob.opening = bytes([PEER_REQUEST])
        self.run_for(SOON)

    def test_rule_04_lost_later_it_is_dialled_without_first(self) -> None:
        """By then it may be another program, which closes on it."""
        self.bob.hangs_up_at_once = True
        self.begin_with_introducing()
        self.bob.link.hang_up()
        self.run_for(5)
        self.assertEqual(self.identifications(), [None, socket.inet_aton(ALICE), None])
        self.bob.hangs_up_at_once, self.bob.opening = True, b""
        self.bob.link.hang_up()
        self.run_for(3)
        self.assertEqual(self.identifications()[3:], [None, socket.inet_aton(ALICE)])

    def test_rule_04_in_vain_never_again(self) -> None:
        self.bob.hangs_up_at_once = True
        self.begin()
        self.run_for(1000)
        self.assertGreater(len(self.bob.links), 10)
        self.assertEqual(self.identifications().count(None), len(self.bob.links) - 1)

    def test_rule_04_who_said_something_is_none_of_them(self) -> None:
        self.bob.opening, self.bob.hangs_up_at_once = b"\x02", True
        self.begin()
        self.run_for(30)
        self.assertGreater(len(self.bob.links), 1)
        self.assertEqual(set(self.identifications()), {None})

    def test_rule_04_nor_is_who_was_silent_for_a_while(self) -> None:
        """Some programs say nothing while they are empty, and go at some time."""
        self.begin()
        self.run_for(20)
        self.bob.link.hang_up()
        self.run_for(30)
        self.assertGreater(len(self.bob.links), 1)
        self.assertEqual(set(self.identifications()), {None})

    def test_rule_04_nor_is_who_cannot_be_reached(self) -> None:
        self.bob.close_port()
        self.begin()
        self.run_for(5)
        self.bob.open_port()
        self.run_for(60)
        self.assertEqual(self.identifications(), [None])

    def test_rule_04_nor_is_whom_we_closed(self) -> None:
        """It reads nothing, so that we lose patience with it."""
        self.world.network.window = 2048
        self.bob.deaf = True
        self.alice = self.world.node(ALICE, BOB, archive=THOUSAND, progress_timeout=1)
        self.run_for(SOON)
        self.bob.deaf = False
        self.run_for(10)
        self.assertEqual(self.identifications(), [None, None])

    def test_rule_04_if_nobody_answered_the_second_time_the_next_is_a_first(self) -> None:
        self.bob.hangs_up_at_once = True
        self.alice = self.world.node(ALICE, BOB)
        while not self.bob.links:
            self.run_for(0.001)
        self.bob.close_port()
        self.run_for(SOON)
        self.bob.open_port()
        self.run_for(5)
        self.assertEqual(self.identifications(), [None, None, socket.inet_aton(ALICE)])

    def test_rule_04_the_address_is_the_one_that_we_come_from(self) -> None:
        carol = self.world.peer(ALICE, loopback="127.0.0.3")
        carol.hangs_up_at_once = True
        self.world.node(ALICE, "127.0.0.3", bind="127.0.0.2")
        self.run_for(SOON)
        self.assertEqual(self.identifications(carol), [None, socket.inet_aton("127.0.0.2")])

    def test_rule_04_an_address_of_a_list_is_treated_alike(self) -> None:
        self.bob.hangs_up_at_once = True
        alice = self.world.node(ALICE)
        self.linked(alice, CAROL, listing(BOB))
        self.run_for(60)
        self.assertEqual(self.identifications(), [None, socket.inet_aton(ALICE)])
        self.assertEqual(alice.service.info().connecting, 0)

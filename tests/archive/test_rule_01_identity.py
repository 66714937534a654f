"""Rule 3.1: a peer is the IP address at the other end; which link carries what."""

from tests.archive.examples import THOUSAND, wire
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
FIVE, SIX, SEVEN = (THOUSAND.truncated(height) for height in (5, 6, 7))


class SourceTests(ArchiveCase):
    """Who listens on one address dials from it."""

    def test_rule_01_the_bound_address_is_the_source_of_every_attempt(self) -> None:
        bob = self.world.peer(ALICE, loopback="127.0.0.3")
        self.world.node(ALICE, "127.0.0.3", bind="127.0.0.2")
        self.run_for(SOON)
        bob.link.hang_up()
        self.run_for(5)
        self.assertEqual([link.host for link in bob.links], ["127.0.0.2"] * 2)

    def test_rule_01_unbound_the_system_chooses(self) -> None:
        bob = self.world.peer(BOB)
        self.world.node(ALICE, BOB)
        self.run_for(SOON)
        self.assertEqual(bob.link.host, ALICE)

    def test_rule_01_a_name_is_dialled_and_known_by_its_address(self) -> None:
        self.world.network.names["bob.example"] = BOB
        bob = self.world.peer(BOB)
        alice = self.world.node(ALICE, "bob.example")
        self.run_for(SOON)
        self.assertEqual(alice.connected, [BOB])
        bob.link.hang_up()
        self.run_for(5)
        self.assertEqual(bob.dialled_times, 2)

    def test_rule_01_what_an_identification_claims_is_not_who_the_peer_is(self) -> None:
        alice = self.world.node(ALICE)
        self.linked(alice, BOB, bytes([0, 10, 9, 9, 9, PEER_REQUEST]))
        self.assertEqual(alice.connected, [BOB])
        self.assertEqual(alice.reported(BOB), ["connected"])


class TwoLinksTests(ArchiveCase):
    """Each side has dialled the other."""

    def setUp(self) -> None:
        super().setUp()
        self.alice = self.world.node(ALICE, archive=FIVE)
        self.bob = self.world.peer(BOB)
        self.bob.opening = bytes([PEER_REQUEST])
        self.bob.dial(ALICE)
        self.run_for(SOON)
        self.theirs = self.bob.link
        self.alice.service.connect(BOB)
        self.run_for(SOON)
        self.ours = self.bob.link
        self.assertTrue(self.theirs.dialled)
        self.assertFalse(self.ours.dialled)
        self.forget()

    def forget(self) -> None:
        self.theirs.forget()
        self.ours.forget()

    def test_rule_01_both_stay_and_count_as_one_peer(self) -> None:
        self.run_for(120)
        self.assertTrue(self.theirs.up)
        self.assertTrue(self.ours.up)
        (info,) = self.alice.service.info().peers
        self.assertEqual((info.address, sorted(info.directions)), (BOB, ["in", "out"]))
        self.assertEqual(self.alice.reported(BOB), ["connected"])

    def test_rule_01_answers_take_the_link_of_the_request(self) -> None:
        for asked, other in ((self.theirs, self.ours), (self.ours, self.theirs)):
            self.forget()
            asked.say(bytes([ARCHIVE_REQUEST, PEER_REQUEST]))
            self.run_for(SOON)
            self.assertEqual(asked.kinds, [ARCHIVE, PEER_LIST])
            self.assertEqual(other.kinds, [])

    def test_rule_01_what_nobody_asked_for_takes_the_link_that_we_dialled(self) -> None:
        self.feed(self.alice, SIX)
        self.assertEqual(self.ours.heights(), [6])
        self.run_for(40)
        self.assertGreater(len(self.ours.got(PEER_REQUEST)), 6)
        self.assertGreater(len(self.ours.got(ARCHIVE_REQUEST)), 1)
        self.assertEqual(self.theirs.kinds, [])

    def test_rule_01_without_the_dialled_link_it_takes_the_accepted_one(self) -> None:
        self.bob.close_port()
        self.ours.hang_up()
        self.run_for(SOON)
        self.theirs.forget()
        self.feed(self.alice, SIX)
        self.run_for(20)
        self.assertEqual(self.theirs.heights(), [6])
        self.assertIn(PEER_REQUEST, self.theirs.kinds)
        self.assertIn(ARCHIVE_REQUEST, self.theirs.kinds)
        self.assertEqual(self.alice.reported(BOB), ["connected"])

    def test_rule_01_what_the_dialled_link_took_along_is_pushed_again(self) -> None:
        """It was sent, but did it arrive?"""
        self.bob.close_port()
        self.feed(self.alice, SIX)
        self.ours.hang_up()
        self.run_for(SOON)
        self.assertEqual(self.theirs.heights(), [6])

    def test_rule_01_redialled_pushes_move_back(self) -> None:
        self.ours.hang_up()
        self.run_for(5)
        self.assertIsNot(self.bob.link, self.ours)
        self.theirs.forget()
        self.feed(self.alice, SIX)
        self.assertEqual(self.bob.link.heights(), [5, 6])
        self.assertEqual(self.theirs.heights(), [])

    def test_rule_01_lost_is_reported_with_the_last_link(self) -> None:
        self.theirs.hang_up()
        self.run_for(SOON)
        self.assertEqual(self.alice.reported(BOB), ["connected"])
        self.bob.close_port()
        self.ours.hang_up()
        self.run_for(SOON)
        self.assertEqual(self.alice.reported(BOB), ["connected", "lost"])
        self.bob.open_port()
        self.run_for(60)
        self.assertEqual(self.alice.reported(BOB), ["connected", "lost", "connected"])

    def test_rule_01_a_further_link_is_not_greeted(self) -> None:
        self.bob.dial(ALICE)
        self.run_for(SOON)
        self.assertTrue(self.bob.link.dialled)
        self.assertEqual(self.bob.link.kinds, [PEER_LIST])


class OneAddressTests(ArchiveCase):
    """Several programs behind one router, or on one machine, look alike."""

    def setUp(self) -> None:
        super().setUp()
        self.alice = self.world.node(ALICE, archive=FIVE)
        self.programs = [self.linked(self.alice, BOB) for _ in range(3)]

    def test_rule_01_each_is_greeted(self) -> None:
        for link in self.programs:
            self.assertEqual(link.heights(), [5])
            self.assertIn(PEER_REQUEST, link.kinds)
            self.assertIn(ARCHIVE_REQUEST, link.kinds)

    def test_rule_01_each_gets_what_nobody_asked_for(self) -> None:
        for link in self.programs:
            link.forget()
        self.feed(self.alice, SIX)
        self.run_for(20)
        for link in self.programs:
            self.assertEqual(link.heights(), [6])
            self.assertGreater(len(link.got(PEER_REQUEST)), 2)
            self.assertGreater(len(link.got(ARCHIVE_REQUEST)), 0)

    def test_rule_01_what_one_of_them_mined_reaches_the_others(self) -> None:
        first, *others = self.programs
        first.say(wire(SIX))
        self.run_for(SOON)
        for link in others:
            self.assertEqual(link.heights(), [5, 6])

    def test_rule_01_one_goes_and_the_others_stay(self) -> None:
        first, *others = self.programs
        first.hang_up()
        self.run_for(SOON)
        self.assertEqual(self.alice.reported(BOB), ["connected"])
        self.feed(self.alice, SIX)
        self.assertEqual([self.last_height(link) for link in others], [6, 6])
        for link in others:
            link.hang_up()
        self.run_for(SOON)
        self.assertEqual(self.alice.reported(BOB), ["connected", "lost"])

    def last_height(self, link: ScriptedLink) -> int:
        return link.heights()[-1]

    def test_rule_01_three_nodes_on_one_machine_share_one_archive(self) -> None:
        nodes = [self.world.node(CAROL, archive=SIX if number == 2 else None) for number in (1, 2)]
        nodes.append(self.world.node(CAROL))
        self.run_for(5)
        self.assertEqual([node.height for node in nodes], [6, 6, 6])
        self.feed(nodes[0], SEVEN)
        self.assertEqual([node.height for node in nodes], [7, 7, 7])

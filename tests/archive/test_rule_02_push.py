"""Rule 3.2: when archives are pushed and asked for; one without chats is never sent unasked."""

from itertools import pairwise

from p2pchat.archive.archive import Archive
from tests.archive.examples import THOUSAND, wire
from tests.archive.mined import easy_proof
from tests.archive.world import (
    ARCHIVE,
    ARCHIVE_REQUEST,
    PEER_LIST,
    PEER_REQUEST,
    SOON,
    ArchiveCase,
    listing,
)

ALICE, BOB, CAROL = "10.0.0.1", "10.0.0.2", "10.0.0.3"
FIVE, SIX = THOUSAND.truncated(5), THOUSAND.truncated(6)
EMPTY = Archive()


class PushTests(ArchiveCase):
    def test_rule_02_on_connecting_whoever_dialled(self) -> None:
        alice = self.world.node(ALICE, archive=FIVE)
        # one says nothing at all, as some do while they are empty
        for link in (self.linked(alice, BOB, b""), self.dialled(alice, CAROL)):
            (pushed,) = link.got(ARCHIVE)
            self.assertEqual(pushed.archive, FIVE)

    def test_rule_02_on_adopting_to_everybody_the_sender_too(self) -> None:
        alice = self.world.node(ALICE, archive=FIVE)
        bob, carol = self.linked(alice, BOB), self.dialled(alice, CAROL)
        bob.say(wire(SIX))
        self.run_for(SOON)
        for link in (bob, carol):
            self.assertEqual(link.got(ARCHIVE)[-1].archive, SIX)
            self.assertEqual(link.heights(), [5, 6])

    def test_rule_02_on_mining_to_everybody(self) -> None:
        self.enterContext(easy_proof())
        alice = self.world.node(ALICE, archive=FIVE)
        bob, carol = self.linked(alice, BOB), self.dialled(alice, CAROL)
        alice.service.chat("hello")
        self.run_for(SOON)
        for link in (bob, carol):
            self.assertEqual(link.heights(), [5, 6])
            self.assertEqual(link.got(ARCHIVE)[-1].archive.chat(5).text, b"hello")

    def test_rule_02_nothing_else_is_a_reason(self) -> None:
        alice = self.world.node(ALICE, archive=FIVE)
        links = self.linked(alice, BOB), self.dialled(alice, CAROL)
        nothing_new = wire(FIVE), wire(FIVE.truncated(3)), wire(EMPTY)
        for data in (*nothing_new, listing(), b"\x05\x06hello!"):
            links[0].say(data)
            self.run_for(20)
        for link in links:
            self.assertEqual(link.heights(), [5])


class NeverEmptyTests(ArchiveCase):
    """One program throws its archive away for one without chats that nobody asked for."""

    def test_rule_02_an_empty_archive_is_not_sent_unasked(self) -> None:
        alice = self.world.node(ALICE)
        links = self.linked(alice, BOB), self.dialled(alice, CAROL)
        links[0].say(wire(EMPTY) + listing())
        self.run_for(100)
        for link in links:
            self.assertEqual(link.got(ARCHIVE), [])
            self.assertTrue(link.up)

    def test_rule_02_asked_for_it_is_the_right_answer(self) -> None:
        alice = self.world.node(ALICE)
        link = self.linked(alice, BOB)
        for _ in range(2):
            link.say(ARCHIVE_REQUEST)
            self.run_for(SOON)
        self.assertEqual(link.heights(), [0, 0])

    def test_rule_02_empty_no_more_it_is_pushed(self) -> None:
        alice = self.world.node(ALICE)
        links = self.linked(alice, BOB), self.dialled(alice, CAROL)
        self.feed(alice, FIVE)
        for link in links:
            self.assertEqual(link.heights(), [5])


class AskingTests(ArchiveCase):
    def test_rule_02_on_connecting_and_every_15_s(self) -> None:
        alice = self.world.node(ALICE)
        for link in (self.linked(alice, BOB, b""), self.dialled(alice, CAROL)):
            connected = self.world.now - SOON
            link.forget()
            self.run_for(75)
            times = [message.time for message in link.got(ARCHIVE_REQUEST)]
            self.assertEqual(len(times), 5)
            gaps = {round(later - sooner, 3) for sooner, later in pairwise(times)}
            self.assertEqual(gaps, {15.0})
            self.assertLess(times[0], connected + 15 + SOON)

    def test_rule_02_we_ask_when_a_link_comes_up(self) -> None:
        alice = self.world.node(ALICE)
        for link in (self.linked(alice, BOB, b""), self.dialled(alice, CAROL)):
            self.assertEqual(len(link.got(ARCHIVE_REQUEST)), 1)
            self.assertEqual(len(link.got(PEER_REQUEST)), 1)

    def test_rule_02_who_never_answers_and_never_asks_stays_and_gets_everything(self) -> None:
        alice = self.world.node(ALICE, archive=FIVE)
        links = self.linked(alice, BOB, b""), self.dialled(alice, CAROL)
        self.run_for(600)
        self.feed(alice, SIX)
        for link in links:
            self.assertTrue(link.up)
            self.assertEqual(link.heights(), [5, 6])

    def test_rule_02_who_asks_late_is_answered(self) -> None:
        alice = self.world.node(ALICE, archive=FIVE)
        link = self.linked(alice, BOB, b"")
        self.run_for(55)
        link.forget()
        link.say(bytes([ARCHIVE_REQUEST, PEER_REQUEST]))
        self.run_for(SOON)
        self.assertEqual(link.kinds[:2], [ARCHIVE, PEER_LIST])

    def test_rule_02_nobody_hears_nothing_for_30_s(self) -> None:
        """A deployed program hangs up on who is silent for so long."""
        alice = self.world.node(ALICE)
        for link in (self.linked(alice, BOB, b""), self.dialled(alice, CAROL)):
            self.run_for(100)
            times = [message.time for message in link.messages]
            gaps = [later - sooner for sooner, later in pairwise(times)]
            self.assertLess(max(gaps), 6)

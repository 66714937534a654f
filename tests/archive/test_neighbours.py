"""All links together: meeting ourselves, asking, leaving."""

from unittest.mock import patch

from twisted.internet.address import IPv4Address

from p2pchat.archive.protocol import ArchiveProtocol
from p2pchat.errors import RequestError
from p2pchat.identity import Address
from tests.archive.bare import Transport
from tests.archive.examples import THOUSAND, wire
from tests.archive.world import (
    ARCHIVE_REQUEST,
    PEER_REQUEST,
    PORT,
    SOON,
    ArchiveCase,
    listing,
)

ALICE, BOB, CAROL = "10.0.0.1", "10.0.0.2", "10.0.0.3"
FIVE, SIX = THOUSAND.truncated(5), THOUSAND.truncated(6)


class OurselvesTests(ArchiveCase):
    """A link whose both ends are ours."""

    def setUp(self) -> None:
        super().setUp()
        self.world.network.names["alice.example"] = ALICE
        self.alice = self.world.node(ALICE, archive=FIVE)
        self.run_for(SOON)

    def assert_recognised(self, address: str) -> None:
        """Hold that it is dialled once, closed, and never dialled again."""
        self.run_for(SOON)
        self.assertEqual(self.alice.connected, [])
        self.assertEqual(self.alice.service.info().connecting, 0)
        count = len(self.dials_of_all())
        self.run_for(300)
        self.assertEqual(len(self.dials_of_all()), count)
        self.assertEqual(self.alice.reported(address), [])

    def dials_of_all(self) -> list[object]:
        return [*self.world.dials(ALICE), *self.world.dials("127.0.0.1")]

    def test_dialled_by_its_user(self) -> None:
        for address in (ALICE, "127.0.0.7"):
            self.alice.service.connect(address)
            self.assert_recognised(address)

    def test_its_user_is_told(self) -> None:
        """When it is recognised, and at once when it is known."""
        for address, told in ((ALICE, 1), (ALICE, 1), ("127.0.0.1", 1), ("127.0.0.7", 2)):
            try:
                self.alice.service.connect(address)
            except RequestError as error:
                self.assertIn("is this node itself", str(error))
            self.run_for(SOON)
            notices = [text for text in self.alice.notices() if "is this node itself" in text]
            self.assertEqual(len(notices), told, address)
        self.dialled(self.alice, BOB)
        self.assertRaisesRegex(RequestError, "already", self.alice.service.connect, BOB)

    def test_dialled_by_a_name(self) -> None:
        self.alice.service.connect("alice.example")
        self.assert_recognised(ALICE)

    def test_dialled_because_of_the_live_chat(self) -> None:
        self.alice.service.offered(Address(ALICE, PORT))
        self.assert_recognised(ALICE)

    def test_from_then_on_it_is_ours(self) -> None:
        self.alice.service.connect(ALICE)
        self.run_for(SOON)
        before = len(self.dials_of_all())
        self.linked(self.alice, BOB, listing(ALICE))
        self.alice.service.offered(Address(ALICE, PORT))
        self.run_for(SOON)
        self.assertEqual(len(self.dials_of_all()), before)

    def test_whichever_end_comes_up_first(self) -> None:
        """That is for the system to choose."""
        neighbours = self.alice.service._neighbours
        here, there = IPv4Address("TCP", BOB, 50000), IPv4Address("TCP", BOB, PORT)
        for order in (1, -1):
            dialled = neighbours.build_link(identify=False), Transport(here, there)
            accepted = neighbours.factory.buildProtocol(here), Transport(there, here)
            for protocol, transport in (dialled, accepted)[::order]:
                protocol.makeConnection(transport)
            for protocol, transport in (dialled, accepted):
                self.assertTrue(transport.disconnected)
                protocol.connectionLost()
            self.assertEqual(self.alice.connected, [])
            self.assertFalse(neighbours.dial(Address(BOB, PORT)))

    def test_a_connection_to_itself(self) -> None:
        """Where nobody listens the system may dial from the very port that is dialled.

        What came back of our own archive then confirmed our chats, and nobody could have the port.
        """
        neighbours, end = self.alice.service._neighbours, IPv4Address("TCP", "127.0.0.1", PORT)
        protocol, transport = neighbours.build_link(identify=False), Transport(end, end)
        protocol.makeConnection(transport)
        self.run_for(SOON)
        self.assertTrue(transport.disconnected)
        self.assertEqual(transport.value(), b"")
        protocol.connectionLost()
        self.assertEqual(self.alice.connected, [])
        # another node of this machine may listen there later
        self.assertTrue(neighbours.dial(Address("127.0.0.1", PORT)))

    def test_what_that_took_up_is_free_for_the_next_one(self) -> None:
        self.world.network.conditions.loopback_latency = (2.0, 2.0)
        bob = self.world.peer(BOB)
        alice = self.world.node("10.0.0.10", max_peers=1)
        alice.service.connect("127.0.0.7")
        self.linked(alice, CAROL, listing(BOB))
        self.assertEqual(bob.dialled_times, 0)
        self.run_for(10)
        self.assertEqual(bob.dialled_times, 1)

    def test_nobody_else_is_harmed(self) -> None:
        bob = self.linked(self.alice, BOB)
        self.alice.service.connect(ALICE)
        self.run_for(SOON)
        self.assertTrue(bob.up)
        self.feed(self.alice, SIX)
        self.assertEqual(bob.heights(), [5, 6])


class AskingTests(ArchiveCase):
    def test_a_round_that_fails_is_not_the_last_one(self) -> None:
        alice = self.world.node(ALICE, archive=FIVE)
        link = self.linked(alice, BOB)

        def fail(protocol: ArchiveProtocol) -> None:
            raise ZeroDivisionError

        for name in ("request_peers", "request_archive"):
            with patch.object(ArchiveProtocol, name, fail):
                self.run_for(16)
        self.assertTrue(self.flushLoggedErrors(ZeroDivisionError))
        self.world.network.errors.clear()
        link.forget()
        self.run_for(31)
        self.assertGreaterEqual(len(link.got(PEER_REQUEST)), 5)
        self.assertGreaterEqual(len(link.got(ARCHIVE_REQUEST)), 2)

    def test_a_request_of_the_user_goes_to_everybody(self) -> None:
        alice = self.world.node(ALICE)
        links = [self.linked(alice, BOB), self.dialled(alice, CAROL)]
        for link in links:
            link.forget()
        self.assertEqual(alice.service.request(), 2)
        self.run_for(SOON)
        for link in links:
            self.assertEqual(link.kinds, [ARCHIVE_REQUEST])


class LeavingTests(ArchiveCase):
    conditions = {"window": 2048}  # noqa: RUF012 - as in ArchiveCase

    def setUp(self) -> None:
        super().setUp()
        self.alice = self.world.node(ALICE, archive=THOUSAND)
        self.run_for(SOON)

    def assert_gone(self) -> None:
        """Hold that nothing is left that could happen."""
        self.assertEqual(self.alice.reactor.getDelayedCalls(), [])
        self.assertEqual(self.world.network.connections(), [])

    def test_with_nobody_there(self) -> None:
        left = self.alice.leave()
        self.run_for(SOON)
        self.successResultOf(left)
        self.assert_gone()

    def test_every_link_is_closed(self) -> None:
        links = [self.linked(self.alice, BOB), self.dialled(self.alice, CAROL)]
        self.run_for(10)
        left = self.alice.leave()
        self.run_for(SOON)
        self.successResultOf(left)
        self.assertFalse(any(link.up for link in links))
        self.run_for(60)
        self.assert_gone()

    def test_nothing_is_reported_of_it(self) -> None:
        self.linked(self.alice, BOB)
        self.alice.leave()
        self.run_for(5)
        self.assertEqual(self.alice.reported(BOB), ["connected"])

    def test_nobody_is_dialled_any_more(self) -> None:
        """Neither who was up and has spoken, nor who could not be reached, nor who is listed."""
        bob = self.dialled(self.alice, BOB)
        bob.say(listing("20.0.0.1", "20.0.0.2") + bytes([PEER_REQUEST]))
        self.alice.service.connect("10.0.0.77")
        self.run_for(3)
        self.alice.leave()
        self.run_for(SOON)
        self.assertEqual(self.dials(self.alice, 300), [])
        self.assert_gone()

    def test_while_listed_addresses_are_dialled(self) -> None:
        link = self.linked(self.alice, BOB)
        self.run_for(10)
        link.say(listing("20.0.0.1", "20.0.0.2"))
        self.run_for(SOON)
        left = self.alice.leave()
        self.run_for(SOON)
        self.successResultOf(left)
        self.assertEqual(self.alice.reactor.getDelayedCalls(), [])

    def test_who_reads_nothing_is_waited_for_for_a_second(self) -> None:
        deaf = self.world.peer(BOB, listens=False)
        deaf.deaf = True
        deaf.dial(ALICE)
        self.run_for(SOON)
        left = self.alice.leave()
        self.run_for(0.9)
        self.assertNoResult(left)
        self.run_for(0.2)
        self.successResultOf(left)
        self.assert_gone()

    def test_while_an_archive_arrives(self) -> None:
        alice = self.world.node("10.0.0.10")
        peer = self.world.peer(BOB, listens=False)
        peer.opening = wire(THOUSAND)
        peer.dial("10.0.0.10")
        self.world.network.run_until(lambda: alice.unverified(BOB), limit_seconds=1)
        left = alice.leave()
        self.run_for(SOON)
        self.successResultOf(left)
        self.assertEqual(alice.reactor.getDelayedCalls(), [])
        self.assertEqual(alice.height, 0)

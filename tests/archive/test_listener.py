"""The archive's port: ours, or another node's of this machine until it becomes free."""

import errno
import os
from typing import Any

from twisted.internet.error import CannotListenError
from twisted.internet.protocol import ServerFactory
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.archive.listener import RETRY_TIME, ListeningPort
from p2pchat.identity import Address
from tests.archive.examples import THOUSAND, wire
from tests.archive.world import PORT, SOON, ArchiveCase, ArchiveNode

ALICE, BOB = "10.0.0.1", "10.0.0.2"
FIVE, SIX, SEVEN = (THOUSAND.truncated(height) for height in (5, 6, 7))


class Draws:
    """Chance that is none: always the upper end."""

    def uniform(self, low: float, high: float) -> float:
        return high


class FakeReactor(Clock):
    """Listens unless the port is `taken`."""

    def __init__(self) -> None:
        super().__init__()
        self.taken = False
        self.error = errno.EADDRINUSE
        self.listening: list[tuple[int, str]] = []
        self.paused = False

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        self.paused = False

    def listenTCP(self, port: int, factory: Any, backlog: int, interface: str) -> "FakeReactor":
        if self.taken:
            raise CannotListenError(interface, port, OSError(self.error, os.strerror(self.error)))
        self.listening.append((port, interface))
        return self

    def stopListening(self) -> None:
        self.listening.clear()


class PortTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = FakeReactor()
        self.log: list[str] = []
        self.port = self.make_port("127.0.0.2")

    def make_port(self, host: str) -> ListeningPort:
        return ListeningPort(
            self.reactor,
            Draws(),
            Address(host, PORT),
            ServerFactory(),
            lambda: self.log.append("gained"),
            lambda: self.log.append(self.port.trouble or "in use"),
        )

    def test_free_it_is_ours_at_once(self) -> None:
        self.port.start()
        self.assertEqual(self.reactor.listening, [(PORT, "127.0.0.2")])
        self.assertEqual(self.log, ["gained"])
        self.assertTrue(self.port.open)
        self.assertFalse(self.port.was_taken)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_who_connects_waits_until_they_are_accepted(self) -> None:
        self.port.start()
        self.assertTrue(self.reactor.paused)
        self.port.accept()
        self.assertFalse(self.reactor.paused)

    def test_got_late_it_accepts_at_once(self) -> None:
        self.reactor.taken = True
        self.port.start()
        self.port.accept()
        self.reactor.taken = False
        self.reactor.advance(1.25 * RETRY_TIME)
        self.assertEqual(self.log[-1], "gained")
        self.assertFalse(self.reactor.paused)

    def test_taken_it_is_tried_again_until_it_is_ours(self) -> None:
        self.reactor.taken = True
        self.port.start()
        for _ in range(20):
            self.reactor.advance(RETRY_TIME)
        self.assertFalse(self.port.open)
        self.assertEqual(len(self.log), 1)
        self.assertEqual(self.log, ["in use"])
        self.reactor.taken = False
        self.reactor.advance(1.25 * RETRY_TIME)
        self.assertEqual(self.log[1:], ["gained"])
        self.assertTrue(self.port.open)
        self.assertTrue(self.port.was_taken)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_an_address_that_is_not_ours_is_not_somebody_elses_port(self) -> None:
        self.reactor.taken, self.reactor.error = True, errno.EADDRNOTAVAIL
        self.port.start()
        reason = f"cannot listen on 127.0.0.2:{PORT}: Cannot assign requested address"
        self.assertEqual(self.log, [reason])
        self.successResultOf(self.port.stop())

    def test_stopped_it_is_free(self) -> None:
        self.port.start()
        self.successResultOf(self.port.stop())
        self.assertFalse(self.port.open)
        self.assertEqual(self.reactor.listening, [])

    def test_stopped_while_it_waits_it_waits_no_more(self) -> None:
        self.reactor.taken = True
        self.port.start()
        self.successResultOf(self.port.stop())
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.successResultOf(self.port.stop())

    def test_who_has_it_is_found_on_our_own_address(self) -> None:
        for host, holder in (
            ("127.0.0.2", "127.0.0.2"),
            ("10.0.0.1", "10.0.0.1"),
            ("", "127.0.0.1"),
            ("0.0.0.0", "127.0.0.1"),
        ):
            self.assertEqual(self.make_port(host).holder, Address(holder, PORT))


class OneMachineTests(ArchiveCase):
    """Several nodes on one machine share one archive, whatever becomes of the port."""

    def nodes(self, count: int, **settings: Any) -> list[ArchiveNode]:
        nodes = []
        for number in range(count):
            archive = FIVE if number == 0 else None
            nodes.append(self.world.node(ALICE, archive=archive, **settings))
            self.run_for(SOON)
        return nodes

    def leave(self, node: ArchiveNode) -> None:
        left = node.leave()
        self.run_for(SOON)
        self.successResultOf(left)

    def heights(self, nodes: list[ArchiveNode]) -> list[int]:
        return [node.height for node in nodes]

    def test_one_listens_and_the_others_link_to_it(self) -> None:
        for bind in ("", "0.0.0.0", "127.0.0.2"):
            nodes = self.nodes(3, bind=bind)
            ports = [node.service.info().port for node in nodes]
            self.assertEqual(ports, [PORT, 0, 0], bind)
            self.assertEqual(self.heights(nodes), [5, 5, 5], bind)
            self.assertEqual(nodes[0].notices(), [])
            for node in nodes:
                self.leave(node)

    def test_that_is_said_once(self) -> None:
        _, second = self.nodes(2)
        self.run_for(300)
        (notice,) = second.notices()
        self.assertIn(f"{PORT} is in use", notice)
        self.assertIn("127.0.0.1", notice)

    def test_free_it_is_taken_over_and_the_others_follow(self) -> None:
        first, *others = self.nodes(3)
        self.leave(first)
        self.run_for(20)
        holders = [node for node in others if node.service.info().port == PORT]
        self.assertEqual(len(holders), 1)
        self.assertEqual(len(holders[0].notices()), 2)
        self.assertIn("ours now", holders[0].notices()[1])
        self.feed(holders[0], SIX)
        self.assertEqual(self.heights(others), [6, 6])

    def test_who_took_it_over_does_not_dial_itself(self) -> None:
        first, second = self.nodes(2)
        self.leave(first)
        self.run_for(60)
        self.assertEqual(second.connected, [])
        self.assertEqual(second.service.info().connecting, 0)
        before = len(self.world.dials("127.0.0.1"))
        self.run_for(60)
        self.assertEqual(len(self.world.dials("127.0.0.1")), before)

    def test_also_if_the_link_to_the_former_holder_outlives_its_port(self) -> None:
        """The holder closes its port first, and its links go later."""
        holder = self.world.peer(ALICE)
        holder.opening = wire(FIVE)
        second = self.world.node(ALICE)
        self.run_for(SOON)
        self.assertEqual(second.height, 5)
        holder.close_port()
        self.run_for(5)
        self.assertEqual(second.service.info().port, PORT)
        self.assertTrue(holder.link.up)
        holder.link.hang_up()
        before = len(self.world.dials("127.0.0.1"))
        self.run_for(60)
        self.assertEqual(len(self.world.dials("127.0.0.1")), before)
        self.feed(second, SIX)

    def test_a_holder_that_will_not_talk_for_long_is_dialled_on(self) -> None:
        holder = self.world.peer(ALICE)
        holder.hangs_up_at_once = True
        second = self.world.node(ALICE)
        self.run_for(600)
        self.assertEqual(second.connected, [])
        holder.hangs_up_at_once, holder.opening = False, wire(FIVE)
        self.run_for(70)
        self.assertEqual(second.height, 5)

    def test_peers_elsewhere_reach_all_of_them(self) -> None:
        nodes = self.nodes(3)
        far = self.world.node(BOB, ALICE)
        self.run_for(SOON)
        self.assertEqual(far.height, 5)
        self.feed(far, SEVEN)
        self.run_for(SOON)
        self.assertEqual(self.heights(nodes), [7, 7, 7])

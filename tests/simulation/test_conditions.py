"""Bandwidth, routers that let nobody in, connections that only one end still has, and disks."""

from twisted.internet.error import ConnectionLost, ConnectionRefusedError, TimeoutError
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.history import Bounds, StoreError
from p2pchat.identity import PeerId
from tests.simulation.network import Network
from tests.simulation.protocols import CLIENT, SERVER, connect, dial, serve
from tests.simulation.wire import GIVE_UP_AFTER
from tests.simulation.world.disk import Disk, DiskHistory
from tests.simulation.world.inhabitant import START

ME, BOB = PeerId("me@CIC"), PeerId("bob@CIC")


class BandwidthTests(SynchronousTestCase):
    def test_bytes_take_their_time(self) -> None:
        network = Network(1, latency=(0.0, 0.0), chunking=0.5, bandwidth=(1000, 1000))
        server, client = connect(network)
        began = network.clock.now
        client.transport.write(bytes(5000))
        network.advance(4.9)
        self.assertLess(len(server.received), 5000)
        network.run_until(lambda: len(server.received) == 5000, limit_seconds=1)
        self.assertAlmostEqual(network.clock.now - began, 5.0)

    def test_one_direction_does_not_slow_the_other(self) -> None:
        network = Network(1, latency=(0.0, 0.0), bandwidth=(1000, 1000))
        server, client = connect(network)
        client.transport.write(bytes(5000))
        server.transport.write(b"x" * 100)
        network.advance(0.11)
        self.assertEqual(len(client.received), 100)


class ShelterTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.network = Network(1)

    def test_nobody_comes_in_and_it_gets_out(self) -> None:
        self.network.shelter(CLIENT)
        server, client = connect(self.network)  # dialled from inside
        server.transport.write(b"answer")
        self.network.advance(1)
        self.assertEqual(client.received, b"answer")
        serve(self.network.host(CLIENT))
        silent = dial(self.network.host(SERVER), ip=CLIENT)
        self.network.advance(40)
        self.assertIn(f"failed {TimeoutError.__name__}", silent.calls)
        self.network.shelter(CLIENT, "refusing")
        refused = dial(self.network.host(SERVER), ip=CLIENT)
        self.network.advance(1)
        self.assertIn(f"failed {ConnectionRefusedError.__name__}", refused.calls)
        self.network.shelter(CLIENT, "")
        reached = dial(self.network.host(SERVER), ip=CLIENT)
        self.network.advance(1)
        self.assertTrue(reached.built)

    def test_it_reaches_itself(self) -> None:
        self.network.shelter(SERVER)
        serve(self.network.host(SERVER))
        inside = dial(self.network.host(SERVER), ip="127.0.0.1")
        self.network.advance(1)
        self.assertTrue(inside.built)


class HalfOpenTests(SynchronousTestCase):
    def test_neither_end_hears_of_it_nor_of_the_other(self) -> None:
        network = Network(1)
        server, client = connect(network)
        network.half_open(network.connections()[0])
        client.transport.write(b"hello?")
        network.advance(60)
        self.assertEqual((server.received, server.lost, client.lost), (b"", None, None))
        network.partition([SERVER], [CLIENT])
        network.heal()  # which brings nothing back
        network.advance(60)
        self.assertEqual(server.received, b"")
        client.transport.loseConnection()
        network.advance(GIVE_UP_AFTER)
        self.assertEqual((server.lost, client.lost is None), (None, False))

    def test_a_sender_gives_up_in_the_end(self) -> None:
        network = Network(1)
        server, client = connect(network)
        network.half_open(network.connections()[0])
        client.transport.write(b"hello?")
        network.advance(GIVE_UP_AFTER + 1)
        self.assertIs(client.lost, ConnectionLost)
        self.assertIsNone(server.lost)


class DiskTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.network = Network(1, thread_time=(0.1, 0.2))
        self.disk = Disk(ME, Bounds(), lambda: START)
        self.history = self.opened()

    def opened(self) -> DiskHistory:
        host = self.network.host(CLIENT)
        history = DiskHistory(host, ME, self.disk, lambda: START)
        opened: list[object] = []
        history.open().addCallback(opened.append)
        self.network.run_until(lambda: opened, limit_seconds=1)
        return history

    def test_answers_come_behind_the_commit_and_in_order(self) -> None:
        answers: list[object] = []
        for number in range(5):
            self.history.queue(BOB, f"{number}", "hi", START).addCallback(answers.append)
        self.network.run_until(self.disk.waiting, limit_seconds=1)
        self.assertEqual(answers, [])
        self.network.advance(2)
        self.assertEqual(answers, [1, 2, 3, 4, 5])
        self.assertEqual(self.history.unanswered, 0)

    def test_a_crash_loses_what_was_not_committed_and_nothing_else(self) -> None:
        answers: list[object] = []
        self.history.queue(BOB, "first", "hi", START).addCallback(answers.append)
        self.network.run_until(self.disk.waiting, limit_seconds=1)
        self.history.queue(BOB, "second", "hi", START).addCallback(answers.append)
        self.network.crash(CLIENT)
        self.network.advance(5)
        self.assertEqual((answers, self.disk.waiting()), ([], ["first"]))
        self.opened()
        self.assertEqual(self.disk.waiting(), ["first"])

    def test_a_full_disk_takes_nothing_until_there_is_room(self) -> None:
        self.disk.full = True
        refused = self.history.queue(BOB, "1", "hi", START)
        self.network.advance(1)
        self.failureResultOf(refused, StoreError)
        self.disk.full = False
        taken = self.history.queue(BOB, "1", "hi", START)
        self.network.advance(1)
        self.assertEqual(self.successResultOf(taken), 1)

    def test_closing_waits_for_what_was_asked(self) -> None:
        self.history.queue(BOB, "1", "hi", START)
        closed: list[object] = []
        self.history.close().addCallback(closed.append)
        self.network.run_until(lambda: closed, limit_seconds=2)
        self.assertEqual(self.disk.waiting(), ["1"])
        self.assertTrue(self.history.closed)
        self.failureResultOf(self.history.outbox(), StoreError)

"""How simulated connections end, and what waits in them."""

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.trial.unittest import SynchronousTestCase

from tests.simulation.network import Network
from tests.simulation.protocols import CLIENT, SERVER, Echo, connect, dial
from tests.simulation.transport_case import USER_BUFFER, WINDOW, Bucket, Firehose, Raising


class EndingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.network = Network(1)

    def test_lose_flushes_first(self) -> None:
        server, client = connect(self.network)
        data = bytes(range(256)) * 2000
        client.transport.write(data)
        client.transport.loseConnection()
        self.assertTrue(client.transport.disconnecting)
        client.transport.write(b"more, since the buffer is open until it is empty")
        self.network.advance(10)
        self.assertEqual(server.received[: len(data)], data)
        self.assertEqual((server.lost, client.lost), (ConnectionDone, ConnectionDone))

    def test_lose_without_data_sends_none(self) -> None:
        _, client = connect(self.network)
        client.transport.loseConnection()
        self.network.advance(1)
        self.assertFalse(any("DATA" in line for line in self.network.log))
        self.assertFalse(any("RST" in line for line in self.network.log))

    def test_leaving_data_unread_is_a_reset(self) -> None:
        server, client = connect(self.network)
        server.transport.pauseProducing()
        client.transport.write(b"unread")
        self.network.advance(1)
        server.transport.loseConnection()
        self.network.advance(1)
        self.assertTrue(self.network.log[-1].endswith("RST"), self.network.log[-1])

    def test_lose_does_not_read_any_more(self) -> None:
        server, client = connect(self.network)
        server.transport.write(b"late")
        client.transport.loseConnection()
        self.network.advance(1)
        self.assertEqual(client.received, b"")
        self.assertIs(client.lost, ConnectionDone)

    def test_abort(self) -> None:
        server, client = connect(self.network)
        client.transport.write(b"never sent")
        client.transport.abortConnection()
        self.network.advance(1)
        self.assertEqual((server.lost, client.lost), (ConnectionLost, ConnectionAborted))
        self.assertEqual(server.received, b"")

    def test_abort_loses_any_part_of_what_is_in_flight(self) -> None:
        arrived = set()
        for seed in range(30):
            network = Network(seed, chunking=0)
            server, client = connect(network)
            for data in (b"1", b"2", b"3"):
                client.transport.write(data)
                network.advance(0)
            client.transport.abortConnection()
            network.advance(1)
            arrived.add(server.received)
        self.assertEqual(arrived, {b"", b"1", b"12", b"123"})

    def test_reset_takes_its_time_too(self) -> None:
        for seed in range(10):
            network = Network(seed, latency=(0.5, 0.5), chunking=0)
            server, client = connect(network)
            network.advance(5)
            client.transport.write(b"x")
            network.advance(0.4)
            client.transport.abortConnection()
            network.advance(0.4)
            self.assertIsNone(server.lost)
            network.advance(0.2)
            self.assertIs(server.lost, ConnectionLost)

    def test_nothing_comes_after_a_reset(self) -> None:
        server, client = connect(self.network)
        server.transport.pauseProducing()
        self.network.cut(server.transport)
        client.transport.write(b"too late")
        self.network.advance(1)
        self.assertIsNone(server.lost)  # it neither reads nor writes, so it cannot know
        server.transport.resumeProducing()
        self.network.advance(1)
        self.assertEqual((server.received, server.lost), (b"", ConnectionLost))

    def test_paused_reader_reads_all_before_it_sees_the_end(self) -> None:
        server, client = connect(self.network)
        server.transport.pauseProducing()
        client.transport.write(b"all of it")
        client.transport.loseConnection()
        self.network.advance(10)
        self.assertEqual((server.reads, server.lost), ([], None))
        self.assertIs(client.lost, ConnectionDone)
        server.transport.resumeProducing()
        self.network.advance(0)
        self.assertEqual((server.received, server.lost), (b"all of it", ConnectionDone))

    def test_writing_to_one_who_left_is_answered_by_a_reset(self) -> None:
        server, client = connect(self.network)
        server.transport.pauseProducing()
        client.transport.loseConnection()
        self.network.advance(1)
        server.transport.write(b"hello?")
        self.network.advance(1)
        server.transport.write(b"hello??")
        self.network.advance(1)
        self.assertIs(server.lost, ConnectionLost)

    def test_exception_drops_the_connection_and_is_collected(self) -> None:
        server, client = connect(self.network, server=Raising)
        client.transport.write(b"x")
        self.network.advance(1)
        self.assertEqual((server.lost, client.lost), (ValueError, ConnectionDone))
        self.assertEqual([error.type for error in self.network.errors], [ValueError])
        self.assertTrue(any("error ValueError" in line for line in self.network.log))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_nothing_is_left_behind(self) -> None:
        connect(self.network, server=Echo)[1].transport.loseConnection()
        refused = dial(self.network.host(SERVER), ip=CLIENT)
        self.network.advance(1)
        self.assertEqual(refused.calls[2], "failed ConnectionRefusedError")
        self.assertEqual(self.network.connections(), [])
        for ip, sockets in ((SERVER, 1), (CLIENT, 0)):  # the one is the server's port
            self.assertEqual(len(self.network.host(ip).machine.sockets), sockets)
            self.assertEqual(len(self.network.host(ip).getReaders()), sockets)
            self.assertEqual(self.network.host(ip).getWriters(), [])


class BackpressureTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.network = Network(1, window=WINDOW)
        self.server, self.client = connect(self.network)

    def test_producer_is_paused_within_bounds_and_resumed(self) -> None:
        self.server.transport.pauseProducing()
        hose = Firehose(self.client.transport)
        hose.start()
        self.network.advance(60)
        self.assertTrue(hose.paused)
        self.assertTrue(WINDOW < hose.written <= WINDOW + USER_BUFFER + 1000, hose.written)
        before = hose.written
        self.server.transport.resumeProducing()
        self.network.advance(5)
        self.assertGreater(hose.written, before + 10 * WINDOW)
        self.assertGreater(hose.pauses, 5)
        unread = hose.written - len(self.server.received)
        self.assertTrue(0 < unread <= WINDOW + USER_BUFFER + 1000, unread)

    def test_bytes_without_a_producer_wait_in_the_transport(self) -> None:
        self.server.transport.pauseProducing()
        self.client.transport.write(bytes(10 * WINDOW))
        self.client.transport.loseConnection()
        self.network.advance(60)
        self.assertIsNone(self.client.lost)
        self.server.transport.resumeProducing()
        self.network.advance(60)
        self.assertEqual(len(self.server.received), 10 * WINDOW)
        self.assertIs(self.client.lost, ConnectionDone)

    def test_pull_producer(self) -> None:
        bucket = Bucket(self.client.transport, count=300)
        self.client.transport.registerProducer(bucket, False)
        self.network.advance(0)
        self.assertGreater(bucket.left, 300 - 2 * WINDOW // 1000)
        self.network.advance(60)
        self.assertEqual(len(self.server.received), 300_000)
        self.assertIs(self.server.lost, ConnectionDone)

    def test_producer_is_stopped_when_the_connection_is_lost(self) -> None:
        hose = Firehose(self.client.transport)
        hose.start()
        self.network.advance(1)
        self.network.cut(self.client.transport)
        self.network.advance(1)
        self.assertTrue(hose.stopped)

    def test_nothing_is_acknowledged_across_a_partition(self) -> None:
        self.server.transport.pauseProducing()
        hose = Firehose(self.client.transport)
        hose.start()
        self.network.advance(5)
        written = hose.written
        self.network.partition([SERVER], [CLIENT])
        self.server.transport.resumeProducing()
        self.network.advance(5)
        self.assertEqual(len(self.server.received), WINDOW)
        self.assertEqual(hose.written, written)
        full = self.client.transport.socket
        self.assertRaises(BlockingIOError, full.send, b"x")

    def test_smallest_windows(self) -> None:
        for window in (1, 2, 3):
            network = Network(1, window=window)
            server, client = connect(network, server=Echo)
            client.transport.write(b"0123456789")
            network.advance(10)
            self.assertEqual((server.received, client.received), (b"0123456789",) * 2)

"""Connections: how they begin, carry bytes, hold them back and end, as under a real reactor."""

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import (
    CannotListenError,
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
    NotConnectingError,
)
from twisted.internet.interfaces import IPullProducer, IPushProducer, ITCPTransport
from twisted.protocols.basic import LineReceiver
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tests.simulation.network import Network
from tests.simulation.protocols import (
    CLIENT,
    PORT,
    SERVER,
    Echo,
    LineEcho,
    Recorder,
    RecordingFactory,
    connect,
    dial,
    serve,
)

WINDOW = 65536
USER_BUFFER = 65536  # what a Twisted transport buffers before it pauses its producer


class Asking(LineReceiver):
    """Sends two lines at once and keeps the answers."""

    delimiter = b"\n"

    def connectionMade(self) -> None:
        self.lines: list[bytes] = []
        self.sendLine(b"one")
        self.sendLine(b"two")

    def lineReceived(self, line: bytes) -> None:
        self.lines.append(line)


class Raising(Recorder):
    """Cannot stand data."""

    def dataReceived(self, data: bytes) -> None:
        raise ValueError(data)


@implementer(IPushProducer)
class Firehose:
    """Writes 1000 bytes at a time until it is paused, and has no end."""

    def __init__(self, transport: Any) -> None:
        self.transport = transport
        self.written = 0
        self.paused = self.stopped = False
        self.pauses = 0

    def start(self) -> None:
        self.transport.registerProducer(self, True)
        self.resumeProducing()

    def resumeProducing(self) -> None:
        self.paused = False
        while not self.paused and not self.stopped:
            self.written += 1000
            self.transport.write(bytes(1000))

    def pauseProducing(self) -> None:
        self.paused = True
        self.pauses += 1

    def stopProducing(self) -> None:
        self.stopped = True


@implementer(IPullProducer)
class Bucket:
    """Writes 1000 bytes whenever it is asked to, count times, then lets the transport close."""

    def __init__(self, transport: Any, count: int) -> None:
        self.transport = transport
        self.left = count

    def resumeProducing(self) -> None:
        self.left -= 1
        self.transport.write(bytes(1000))
        if self.left == 0:
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    def stopProducing(self) -> None:
        self.left = 0


class ConnectingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.network = Network(1)
        self.server, self.client = self.network.host(SERVER), self.network.host(CLIENT)

    def test_lines_there_and_back(self) -> None:
        serve(self.server, LineEcho)
        asking = dial(self.client, Asking)
        self.network.advance(1)
        self.assertEqual(asking.built[0].lines, [b"echo one", b"echo two"])
        self.assertEqual(self.network.errors, [])

    def test_addresses(self) -> None:
        server, client = connect(self.network)
        self.assertEqual(client.transport.getPeer(), IPv4Address("TCP", SERVER, PORT))
        self.assertEqual(server.transport.getHost(), IPv4Address("TCP", SERVER, PORT))
        self.assertEqual(server.transport.getPeer(), client.transport.getHost())
        self.assertEqual(client.transport.getHost().host, CLIENT)
        self.assertTrue(verifyObject(ITCPTransport, client.transport))

    def test_options(self) -> None:
        _, client = connect(self.network)
        self.assertFalse(client.transport.getTcpNoDelay())
        client.transport.setTcpNoDelay(True)
        client.transport.setTcpKeepAlive(True)
        self.assertTrue(client.transport.getTcpNoDelay())
        self.assertTrue(client.transport.getTcpKeepAlive())

    def test_connector_tells_its_factory(self) -> None:
        serve(self.server)
        factory = RecordingFactory()
        connector = self.client.connectTCP(SERVER, PORT, factory)
        self.assertEqual(connector.getDestination(), IPv4Address("TCP", SERVER, PORT))
        self.assertRaises(RuntimeError, connector.connect)
        self.network.advance(1)
        self.assertRaises(NotConnectingError, connector.stopConnecting)
        connector.disconnect()
        self.network.advance(1)
        self.assertEqual(factory.calls, ["start", "connecting", "lost ConnectionDone", "stop"])
        connector.connect()
        self.network.advance(1)
        self.assertEqual(factory.calls[4:], ["start", "connecting"])
        self.assertEqual(len(factory.built), 2)

    def test_refused(self) -> None:
        factory = dial(self.client)
        self.network.advance(1)
        self.assertEqual(
            factory.calls, ["start", "connecting", "failed ConnectionRefusedError", "stop"]
        )
        self.assertEqual(self.client.getDelayedCalls(), [])

    def test_stop_connecting(self) -> None:
        listening, factory = serve(self.server), RecordingFactory()
        self.client.connectTCP(SERVER, PORT, factory).stopConnecting()
        self.network.advance(60)
        self.assertEqual(factory.calls, ["start", "connecting", "failed UserError", "stop"])
        self.assertEqual(listening.built, [])

    def test_timeout_is_the_connectors_own(self) -> None:
        self.network.partition([SERVER], [CLIENT])
        factory = RecordingFactory()
        self.client.connectTCP(SERVER, PORT, factory, timeout=2)
        self.network.advance(1.9)
        self.assertEqual(len(factory.calls), 2)
        self.network.advance(0.2)
        self.assertEqual(factory.calls[2:], ["failed TimeoutError", "stop"])

    def test_unknown_name_and_known_name(self) -> None:
        serve(self.server)
        factory = dial(self.client, ip="rendezvous.example")
        self.network.advance(1)
        self.assertEqual(factory.calls[2], "failed DNSLookupError")
        self.network.names["rendezvous.example"] = SERVER
        factory = dial(self.client, ip="rendezvous.example")
        self.network.advance(1)
        self.assertTrue(factory.built[0].made)

    def test_server_that_builds_no_protocol_hangs_up(self) -> None:
        factory = RecordingFactory()
        factory.buildProtocol = lambda addr: None
        self.server.listenTCP(PORT, factory)
        dialling = dial(self.client)
        self.network.advance(1)
        self.assertIs(dialling.built[0].lost, ConnectionDone)

    def test_bind_address(self) -> None:
        listening = serve(self.server)
        for address in ("127.0.0.9", "8.8.8.8"):
            factory = RecordingFactory()
            self.server.connectTCP("127.0.0.1", PORT, factory, bindAddress=(address, 0))
            self.network.advance(1)
        self.assertEqual(listening.built[0].transport.getPeer().host, "127.0.0.9")
        self.assertEqual(factory.calls[2], "failed ConnectBindError")


class ListeningTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.network = Network(1)
        self.host = self.network.host(SERVER)

    def reached(self, ip: str, source: str = SERVER) -> bool:
        factory = dial(self.network.host(source), ip=ip)
        self.network.advance(1)
        return bool(factory.built)

    def test_port_zero_takes_a_free_one(self) -> None:
        ports = {self.host.listenTCP(0, RecordingFactory()).getHost().port for _ in range(5)}
        self.assertEqual(len(ports), 5)
        self.host.listenTCP(max(ports) + 1, RecordingFactory())
        after = self.host.listenTCP(0, RecordingFactory()).getHost().port
        self.assertEqual(after, max(ports) + 2)

    def test_taken(self) -> None:
        port = self.host.listenTCP(PORT, RecordingFactory())
        for interface in ("", "127.0.0.1", SERVER):
            self.assertRaises(
                CannotListenError,
                self.host.listenTCP,
                PORT,
                RecordingFactory(),
                interface=interface,
            )
        self.network.host(CLIENT).listenTCP(PORT, RecordingFactory())
        stopped = port.stopListening()
        self.network.advance(0)
        self.successResultOf(stopped)
        serve(self.host)

    def test_interfaces_are_apart(self) -> None:
        self.host.listenTCP(PORT, RecordingFactory(), interface="127.0.0.1")
        self.host.listenTCP(PORT, RecordingFactory(), interface="127.0.0.2")
        for interface in ("", "127.0.0.1", CLIENT):
            self.assertRaises(
                CannotListenError,
                self.host.listenTCP,
                PORT,
                RecordingFactory(),
                interface=interface,
            )

    def test_every_interface_serves_loopback_and_the_outside(self) -> None:
        factory = serve(self.host)
        for ip in ("127.0.0.1", "127.0.0.77", "localhost", SERVER):
            self.assertTrue(self.reached(ip), ip)
            source = SERVER if ip == SERVER else "127.0.0.1"
            self.assertEqual(factory.built[-1].transport.getPeer().host, source)
        self.assertTrue(self.reached(SERVER, CLIENT))
        self.assertFalse(self.reached("127.0.0.1", CLIENT))

    def test_loopback_interface_does_not_serve_the_outside(self) -> None:
        self.host.listenTCP(PORT, RecordingFactory(), interface="127.0.0.1")
        self.assertTrue(self.reached("127.0.0.1"))
        self.assertFalse(self.reached("127.0.0.2"))
        self.assertFalse(self.reached(SERVER, CLIENT))

    def test_stopped_port_refuses_and_keeps_what_it_accepted(self) -> None:
        factory = RecordingFactory()
        port = self.host.listenTCP(PORT, factory)
        early = dial(self.network.host(CLIENT))
        self.network.advance(1)
        port.stopListening()
        self.network.advance(1)
        self.assertEqual(factory.calls, ["start", "stop"])
        self.assertFalse(self.reached(SERVER, CLIENT))
        self.assertIsNone(early.built[0].lost)

    def test_whoever_was_not_accepted_is_reset(self) -> None:
        port = self.host.listenTCP(PORT, RecordingFactory())
        port.pauseProducing()
        factory = dial(self.network.host(CLIENT))
        self.network.advance(1)
        self.assertIsNone(factory.built[0].lost)
        port.stopListening()
        self.network.advance(1)
        self.assertIs(factory.built[0].lost, ConnectionLost)

    def test_port_that_stops_during_a_handshake(self) -> None:
        port = self.host.listenTCP(PORT, RecordingFactory())
        factory = dial(self.network.host(CLIENT))
        self.network.run_until(lambda: any("SYN" in line for line in self.network.log), 1)
        port.stopListening()
        self.network.advance(1)
        self.assertIs(factory.built[0].lost, ConnectionLost)

    def test_dialler_that_stops_during_a_handshake(self) -> None:
        listening = serve(self.host)
        connector = self.network.host(CLIENT).connectTCP(SERVER, PORT, RecordingFactory())
        self.network.advance(0)
        connector.stopConnecting()
        self.network.advance(1)
        self.assertEqual(listening.built, [])
        self.assertEqual(len(self.host.machine.sockets), 1)

    def test_backlog(self) -> None:
        port = self.host.listenTCP(PORT, RecordingFactory(), backlog=2)
        port.pauseProducing()
        reached = [self.reached(SERVER, CLIENT) for _ in range(5)]
        self.assertEqual(reached, [True, True, True, False, False])


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

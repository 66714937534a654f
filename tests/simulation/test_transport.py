"""Connections: how they begin, carry bytes, hold them back and end, as under a real reactor."""

from twisted.internet.address import IPv4Address
from twisted.internet.error import (
    CannotListenError,
    ConnectionDone,
    ConnectionLost,
    NotConnectingError,
)
from twisted.internet.interfaces import ITCPTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.simulation.network import Network
from tests.simulation.protocols import (
    CLIENT,
    PORT,
    SERVER,
    LineEcho,
    RecordingFactory,
    connect,
    dial,
    serve,
)
from tests.simulation.transport_case import Asking


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

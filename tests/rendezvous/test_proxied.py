"""Connections through a balancer: whose they are, and how they begin, stall and end."""

from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.rendezvous.proxied import ProxiedFactory
from p2pchat.rendezvous.registry import MemoryRegistry
from p2pchat.rendezvous.server import RendezvousFactory, ServerLimits
from tests.rendezvous.memory_tcp import Network, connect
from tests.rendezvous.test_proxy_header import binary

REGISTER = b'{"type":"REGISTER","namespace":"CIC","name":"ana","port":4000,"ttl":60}'
DISCOVER = b'{"type":"DISCOVER"}'
UNKNOWN = b'{"status": "ERROR", "message": "Unknown command"}\n'
BALANCER = "10.0.0.9"


def line(ip, port=50000, reached="203.0.113.1"):
    return f"PROXY TCP4 {ip} {reached} {port} 8080\r\n".encode()


class ProxiedTestCase(SynchronousTestCase):
    limits = ServerLimits(rate_limit=3, max_connections=6, max_connections_per_ip=2)

    def setUp(self):
        self.network = Network()
        reactor = self.network.reactor("10.0.0.1")
        self.server = RendezvousFactory(reactor, MemoryRegistry(reactor.seconds), self.limits)
        self.port = reactor.listenTCP(8080, ProxiedFactory(self.server))
        self.warnings = []
        globalLogPublisher.addObserver(self._logged)
        self.addCleanup(globalLogPublisher.removeObserver, self._logged)

    def _logged(self, event):
        if event["log_level"].name == "warn":
            self.warnings.append(event["log_format"].format(**event))

    def connect(self, *sends):
        client = connect(self.network.reactor(BALANCER), "10.0.0.1", 8080)
        self.network.settle()
        for piece in sends:
            client.transport.write(piece)
            self.network.settle()
        return client

    def ask(self, *sends):
        return self.connect(*sends).received

    def assert_nothing_is_left(self):
        self.network.settle()
        self.assertEqual(self.server.connections, 0)
        self.assertEqual(self.port.factory._waiting, set())
        self.assertEqual(self.network.clock.getDelayedCalls(), [])


class IdentityTests(ProxiedTestCase):
    def test_the_client_is_who_the_header_says(self):
        granted = b'{"status": "OK", "ttl": 60, "ip": "198.51.100.7", "port": 4000}\n'
        for header in (line("198.51.100.7"), binary("198.51.100.7", "203.0.113.1", 50000)):
            self.assertEqual(self.ask(header + REGISTER + b"\n"), granted)
        self.assert_nothing_is_left()

    def test_in_any_pieces(self):
        for header in (line("198.51.100.7"), binary("2001:db8::1", "2001:db8::2", 50000)):
            pieces = [bytes([byte]) for byte in header + b"x\n"]
            self.assertEqual(self.ask(*pieces), UNKNOWN)
        self.assert_nothing_is_left()

    def test_the_end_of_the_clients_side_stands_for_the_newline(self):
        client = self.connect(line("198.51.100.7") + REGISTER)
        client.transport.loseWriteConnection()
        self.network.settle()
        self.assertIn(b'"status": "OK"', client.received)
        self.assert_nothing_is_left()

    def test_a_balancer_that_asks_for_itself_is_itself(self):
        granted = self.ask(b"PROXY UNKNOWN\r\n" + REGISTER + b"\n")
        self.assertIn(f'"ip": "{BALANCER}"'.encode(), granted)

    def test_who_registered_beside_the_balancer_is_found_at_the_address_the_asker_used(self):
        self.ask(line("127.0.0.1") + REGISTER + b"\n")
        self.ask(line("198.51.100.7") + REGISTER.replace(b"ana", b"bob") + b"\n")
        listing = self.ask(line("198.51.100.7", reached="203.0.113.5") + DISCOVER + b"\n")
        self.assertIn(b'"ip": "203.0.113.5", "port": 4000, "name": "ana"', listing)


class LimitTests(ProxiedTestCase):
    def test_the_rate_limit_is_the_clients_own(self):
        for _ in range(3):
            self.assertEqual(self.ask(line("198.51.100.7") + b"x\n"), UNKNOWN)
        self.assertEqual(self.ask(line("198.51.100.7") + b"x\n"), b"")
        blocked = self.ask(line("198.51.100.7", port=50007) + b"x\n")
        self.assertIn(b"Connection from 198.51.100.7:50007 has been blocked", blocked)
        self.assertEqual(self.ask(line("198.51.100.8") + b"x\n"), UNKNOWN)
        self.network.settle(3)
        self.assert_nothing_is_left()

    def test_so_is_the_number_of_connections(self):
        clients = [self.connect(line("198.51.100.7")) for _ in range(3)]
        self.assertEqual([client.closed is None for client in clients], [True, True, False])
        self.assertEqual(self.ask(line("198.51.100.8") + b"x\n"), UNKNOWN)
        self.assertEqual(self.server.tally.refused["ip_full"], 1)

    def test_connections_without_a_header_count_in_all(self):
        clients = [self.connect() for _ in range(7)]
        self.assertEqual([client.closed is None for client in clients], [True] * 6 + [False])
        self.network.settle(5.5)
        self.assertEqual(self.ask(line("198.51.100.8") + b"x\n"), UNKNOWN)
        self.assertEqual(self.server.tally.refused["full"], 1)


class NoHeaderTests(ProxiedTestCase):
    def test_who_does_not_say_who_it_is_is_closed_and_logged(self):
        for sends in (REGISTER + b"\n", b"\n", b"PROXY nonsense\r\n", b"\r\n\r\n\0\r\nQUIT\nxxxx"):
            self.warnings.clear()
            client = self.connect(sends)
            self.assertEqual(client.received, b"")
            self.assertIsNotNone(client.closed)
            self.assertIn(f"from {BALANCER}: closed", "".join(self.warnings))
        self.assertEqual(self.server.tally.refused["no_proxy_header"], 4)
        self.assert_nothing_is_left()

    def test_dripping_a_header_ends_in_time(self):
        client = self.connect()
        for byte in line("198.51.100.7")[:5]:
            self.network.settle(0.875)
            client.transport.write(bytes([byte]))
        self.assertIsNone(client.closed)
        self.network.settle(1)
        self.assertIsNotNone(client.closed)
        self.assertIn("no PROXY header in time", "".join(self.warnings))
        self.assert_nothing_is_left()

    def test_who_leaves_before_leaves_nothing(self):
        client = self.connect(b"PRO")
        client.transport.abortConnection()
        self.assert_nothing_is_left()
        self.assertEqual(self.warnings, [])

    def test_stopping_drops_everybody(self):
        clients = [self.connect(), self.connect(line("198.51.100.7"))]
        self.port.stopListening()
        self.network.settle()
        self.assertNotIn(None, [client.closed for client in clients])
        self.assert_nothing_is_left()

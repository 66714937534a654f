"""Connections to the server: how they begin, end, stall and are bounded."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.rendezvous.messages import Register
from p2pchat.rendezvous.pieces import PIECE
from p2pchat.rendezvous.registry import MemoryRegistry
from p2pchat.rendezvous.server import RendezvousFactory, ServerLimits
from tests.rendezvous.memory_tcp import Network, connect
from tests.rendezvous.test_registry import result_of

EMPTY = b'{"status": "ERROR", "message": "Empty request line"}\n'
UNKNOWN_COMMAND = b'{"status": "ERROR", "message": "Unknown command"}\n'
REGISTER = b'{"type":"REGISTER","namespace":"CIC","name":"ana","port":4000}'

pieces = st.binary(min_size=1, max_size=300) | st.sampled_from(
    [
        REGISTER,
        REGISTER + b"\n",
        b"\n",
        b"\r\n",
        b'{"type":"DISCOVER"}',
        b"[" * 20_000,
        b"x" * 33_000,
    ]
)


class ServerTestCase(SynchronousTestCase):
    limits = ServerLimits(rate_limit=100_000)

    def setUp(self):
        self.network = Network()
        self.reactor = self.network.reactor("10.0.0.1")
        self.registry = MemoryRegistry(self.reactor.seconds)
        self.factory = RendezvousFactory(self.reactor, self.registry, self.limits)
        self.port = self.reactor.listenTCP(8080, self.factory)

    def connect(self, sends=b"", ip="10.0.0.2", reads=True):
        return connect(self.network.reactor(ip), "10.0.0.1", 8080, sends, reads)

    def ask(self, sends, ip="10.0.0.2"):
        client = self.connect(sends, ip)
        self.network.settle()
        return client.received

    def assert_nothing_is_left(self):
        """No connection, no timer."""
        self.network.settle()
        self.assertEqual(self.factory._open, {})
        self.assertEqual(self.factory._connections, 0)
        self.assertEqual(self.network.clock.getDelayedCalls(), [])


class ReadingTests(ServerTestCase):
    def test_the_end_of_the_stream_stands_for_the_newline(self):
        for sends, expected in [(REGISTER, b'"status": "OK"'), (b"", EMPTY)]:
            client = self.connect(sends)
            self.network.settle()
            client.transport.loseWriteConnection()
            self.network.settle()
            self.assertIn(expected, client.received)
            self.assertIsNotNone(client.closed)
        self.assert_nothing_is_left()

    def test_one_byte_at_a_time(self):
        client = self.connect()
        self.network.settle()
        for byte in REGISTER + b"\n":
            self.assertEqual(client.received, b"")
            client.transport.write(bytes([byte]))
            self.network.settle()
        self.assertIn(b'"status": "OK"', client.received)
        self.assert_nothing_is_left()

    def test_what_follows_the_line_does_not_make_it_too_long(self):
        for sends in (REGISTER + b"\n" + b" " * 40_000, REGISTER + b"\n" * 40_000):
            self.assertIn(b'"status": "OK"', self.read_at_once(sends))
        longest = REGISTER.ljust(32767) + b"\n"
        self.assertIn(b'"status": "OK"', self.read_at_once(longest + b"x"))
        self.assertIn(b"line_too_long", self.read_at_once(b" " + longest))

    def read_at_once(self, data):
        """Return what is answered to this if all of it comes in one read."""
        client = self.connect()
        self.network.settle()
        client.transport.other.protocol.dataReceived(data)
        self.network.settle()
        return client.received

    def test_dripping_does_not_prolong_the_deadline(self):
        clients = [self.connect() for _ in range(64)]
        self.network.settle()
        for _ in range(2):
            for client in clients:
                client.transport.write(b"x")
            self.network.settle(2)
        self.assertIn(b'"status": "OK"', self.ask(REGISTER + b"\n", ip="10.0.0.3"))
        self.network.settle(1.5)
        for client in clients:
            self.assertIn(b"Timeout", client.received)
            self.assertIsNotNone(client.closed)
        self.assert_nothing_is_left()

    def test_a_client_that_gives_up_leaves_nothing(self):
        for sends in (b"", b"half"):
            client = self.connect(sends)
            self.network.settle()
            client.transport.abortConnection()
            self.assert_nothing_is_left()

    def test_what_comes_behind_the_answer_is_not_answered(self):
        client = self.connect(b"x" * 40_000)
        self.network.settle()
        client.transport.write(REGISTER + b"\n")
        self.network.settle()
        self.assertEqual(client.received.count(b"\n"), 1)
        self.assertFalse(result_of(self.registry.knows("10.0.0.2")))

    @settings(deadline=None, max_examples=60)
    @given(st.lists(pieces, max_size=8), st.booleans())
    def test_any_bytes_in_any_chunks_get_one_line_and_an_end(self, chunks, half_close):
        self.setUp()
        client = self.connect()
        self.network.settle()
        for chunk in chunks:
            client.transport.write(chunk)
            self.network.settle()
        if half_close:
            client.transport.loseWriteConnection()
        self.network.settle(8)
        self.assertEqual(client.received.count(b"\n"), 1)
        self.assertTrue(client.received.endswith(b"\n"))
        self.assertIsNotNone(client.closed)
        self.assertEqual(self.flushLoggedErrors(), [])
        self.assert_nothing_is_left()

    @settings(deadline=None, max_examples=60)
    @given(st.binary(max_size=100), st.lists(st.integers(0, 150), max_size=5))
    def test_an_answer_does_not_depend_on_the_chunks(self, noise, cuts):
        line = noise.replace(b"\n", b"") + REGISTER + b"\n"
        self.setUp()
        at_once = self.ask(line)
        self.setUp()
        client = self.connect()
        self.network.settle()
        start = 0
        for cut in [*sorted(cuts), len(line)]:
            client.transport.write(line[start:cut])
            start = max(start, min(cut, len(line)))
            self.network.settle()
        self.assertEqual(client.received, at_once)


class SlowReaderTests(ServerTestCase):
    def fill(self):
        """Register who makes a listing of about a megabyte, 10.0.0.2 among them."""
        for number in range(10_000):
            ip = f"10.0.{number // 100}.2"
            registration = Register("CIC", f"peer number {number}", 4000, 7200)
            result_of(self.registry.register(ip, registration))

    def test_a_megabyte_for_one_who_never_reads_is_dropped_in_time(self):
        self.fill()
        self.connect(b'{"type":"DISCOVER"}\n', reads=False)
        self.network.settle(9.5)
        self.assertEqual(self.factory._connections, 1)
        self.network.settle(1)
        self.assertEqual(self.factory._connections, 0)
        self.assert_nothing_is_left()

    def test_one_who_reads_in_time_has_it_all(self):
        self.fill()
        client = self.connect(b'{"type":"DISCOVER"}\n', reads=False)
        self.network.settle(9)
        client.transport.read_on()
        self.network.settle()
        self.assertEqual(client.received.count(b'"name"'), 10_000)
        self.assertGreater(len(client.received), 1_000_000)
        self.assert_nothing_is_left()

    def test_one_who_does_not_read_makes_it_hold_no_copy_of_a_long_reply(self):
        self.fill()
        client = self.connect(b'{"type":"DISCOVER"}\n', reads=False)
        self.network.settle(1)
        waiting = [item for item in client.transport.other._queue if isinstance(item, bytes)]
        self.assertLessEqual(sum(map(len, waiting)), PIECE)
        client.transport.loseWriteConnection()
        self.network.settle(1)
        client.transport.read_on()
        self.network.settle()
        self.assertEqual(client.received.count(b'"name"'), 10_000)
        self.assertTrue(client.received.endswith(b"}]}\n"))
        self.assert_nothing_is_left()

    def test_one_who_neither_reads_nor_ends_after_a_refusal_is_dropped_in_time(self):
        self.connect(b"x" * 40_000, reads=False)
        self.network.settle(1.5)
        self.assertEqual(self.factory._connections, 1)
        self.network.settle(1)
        self.assert_nothing_is_left()


class SlowRegistry(MemoryRegistry):
    """A registry elsewhere: it answers when it is told to."""

    def __init__(self, seconds):
        super().__init__(seconds)
        self.answers = []

    async def register(self, ip, registration):
        self.answers.append(Deferred())
        await self.answers[-1]
        await super().register(ip, registration)


class SlowRegistryTests(ServerTestCase):
    def setUp(self):
        super().setUp()
        self.registry = self.factory.registry = SlowRegistry(self.reactor.seconds)

    def test_the_reply_waits_for_the_registry(self):
        client = self.connect(REGISTER + b"\n")
        self.network.settle(6)
        self.assertEqual(client.received, b"")
        self.registry.answers[0].callback(None)
        self.network.settle()
        self.assertIn(b'"status": "OK"', client.received)
        self.assert_nothing_is_left()

    def test_the_end_of_the_stream_does_not_forgo_the_reply(self):
        for sends in (REGISTER, REGISTER + b"\n"):
            client = self.connect(sends)
            self.network.settle()
            client.transport.loseWriteConnection()
            self.network.settle()
            self.registry.answers[-1].callback(None)
            self.network.settle()
            self.assertIn(b'"status": "OK"', client.received)
            self.assert_nothing_is_left()

    def test_a_registry_that_never_answers_costs_the_client_ten_seconds(self):
        client = self.connect(REGISTER + b"\n")
        self.network.settle(10.1)
        self.assertEqual(client.received, b"")
        self.assertIsNotNone(client.closed)
        self.assert_nothing_is_left()

    def test_a_client_that_gives_up_meanwhile_harms_nothing(self):
        client = self.connect(REGISTER + b"\n")
        self.network.settle()
        client.transport.abortConnection()
        self.assert_nothing_is_left()
        self.assertTrue(self.registry.answers[0].called, "the registry was not told")
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_a_registry_that_breaks_is_logged_and_the_client_closed(self):
        client = self.connect(REGISTER + b"\n")
        self.network.settle()
        self.registry.answers[0].errback(ZeroDivisionError())
        self.network.settle()
        self.assertEqual(client.received, b"")
        self.assertIsNotNone(client.closed)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assert_nothing_is_left()


class ConnectionLimitTests(ServerTestCase):
    limits = ServerLimits(rate_limit=100_000, max_connections=5, max_connections_per_ip=3)

    def test_one_ip_has_only_so_many(self):
        clients = [self.connect() for _ in range(5)]
        self.network.settle()
        self.assertEqual([client.closed is None for client in clients], [True] * 3 + [False] * 2)
        self.assertEqual(self.ask(b"x\n", ip="10.0.0.3"), UNKNOWN_COMMAND)

    def test_all_together_have_only_so_many(self):
        clients = [self.connect(ip=f"10.0.0.{last}") for last in range(10, 17)]
        self.network.settle()
        self.assertEqual([client.closed is None for client in clients], [True] * 5 + [False] * 2)
        self.assertEqual({client.received for client in clients}, {b""})

    def test_who_leaves_makes_room(self):
        for _ in range(10):
            self.assertEqual(self.ask(b"x\n"), UNKNOWN_COMMAND)


class RateLimitTests(ServerTestCase):
    limits = ServerLimits(rate_limit=2)

    def test_whoever_is_blocked_is_told_even_while_it_sends(self):
        for _ in range(3):
            self.ask(b"x\n")
        client = self.connect(REGISTER + b"\n")
        self.network.settle()
        self.assertIn(
            b"has been blocked due to excessive login attempts (limit: 2)", client.received
        )
        self.assertFalse(result_of(self.registry.knows("10.0.0.2")))
        self.assert_nothing_is_left()

    def test_the_first_one_too_many_sees_an_orderly_end(self):
        for _ in range(2):
            self.ask(b"x\n")
        client = self.connect(REGISTER + b"\n")
        self.network.settle()
        self.assertEqual(client.received, b"")
        self.assertIsInstance(client.closed, ConnectionDone)
        self.assertFalse(result_of(self.registry.knows("10.0.0.2")))
        self.assert_nothing_is_left()

    def test_others_are_served_meanwhile(self):
        for _ in range(4):
            self.ask(b"x\n")
        self.assertEqual(self.ask(b"x\n", ip="10.0.0.3"), UNKNOWN_COMMAND)


class LoopbackTests(ServerTestCase):
    def setUp(self):
        super().setUp()
        for ip, name in [("127.0.0.1", "near"), ("::1", "six"), ("10.0.0.2", "far")]:
            result_of(self.registry.register(ip, Register("CIC", name, 4000, 60)))

    def listed(self, client_ip, host):
        client = connect(self.network.reactor(client_ip), host, 8080, b'{"type":"DISCOVER"}\n')
        self.network.settle()
        self.assertNotIn(b"bad", client.received)
        return client.received

    def test_an_asker_from_elsewhere_gets_the_address_it_used(self):
        listing = self.listed("10.0.0.2", "10.0.0.1")
        self.assertEqual(listing.count(b'"ip": "10.0.0.1"'), 2)
        self.assertEqual(listing.count(b'"ip": "10.0.0.2"'), 1)
        self.assertNotIn(b"127.0.0.1", listing)

    def test_an_asker_from_loopback_gets_loopback(self):
        listing = self.listed("10.0.0.1", "127.0.0.1")
        self.assertIn(b'"ip": "127.0.0.1", "port": 4000, "name": "near"', listing)
        self.assertIn(b'"ip": "::1", "port": 4000, "name": "six"', listing)
        self.assertNotIn(b'"ip": "10.0.0.1"', listing)

    def test_an_ipv4_address_in_ipv6_clothes_is_one(self):
        reactor = self.network.reactor("::ffff:127.0.0.1")
        client = connect(reactor, "::ffff:10.0.0.1", 8080, REGISTER + b"\n")
        self.network.settle()
        self.assertIn(b'"ip": "127.0.0.1"', client.received)


class FullRegistryTests(ServerTestCase):
    def test_says_so(self):
        self.factory.registry = MemoryRegistry(self.reactor.seconds, max_entries=1)
        self.ask(REGISTER + b"\n")
        self.assertEqual(
            self.ask(REGISTER.replace(b"ana", b"bob") + b"\n"),
            b'{"status": "ERROR", "message": "registry_full"}\n',
        )
        self.assertIn(b'"status": "OK"', self.ask(REGISTER + b"\n"))


class StopTests(ServerTestCase):
    def test_stopping_drops_whoever_is_connected(self):
        client = self.connect(b"half")
        self.network.settle()
        self.port.stopListening()
        self.network.settle()
        self.assertIsNotNone(client.closed)
        self.assert_nothing_is_left()

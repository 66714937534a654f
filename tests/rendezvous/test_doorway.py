"""The port of a server of its own: answered at the door, or handed over; on real sockets."""

import errno
import os
import socket
import struct
from unittest.mock import patch

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.rendezvous import doorway
from p2pchat.rendezvous.doorway import PAUSE, TURN, Doorway, open_doorway
from p2pchat.rendezvous.messages import Register
from p2pchat.rendezvous.pieces import PIECE
from p2pchat.rendezvous.registry import MemoryRegistry, RegistryUnavailableError
from p2pchat.rendezvous.server import RendezvousFactory, ServerLimits
from tests.rendezvous.at_once import result_of

REGISTER = b'{"type":"REGISTER","namespace":"CIC","name":"ana","port":4000,"ttl":60}\n'
GRANTED = b'{"status": "OK", "ttl": 60, "ip": "127.0.0.1", "port": 4000}\n'
DISCOVER = b'{"type":"DISCOVER"}\n'
UNKNOWN = b'{"status": "ERROR", "message": "Unknown command"}\n'


class FakeReactor(Clock):
    """Watches what it is told to, and notes what is handed over."""

    def __init__(self):
        super().__init__()
        self.readers = set()
        self.adopted = []

    def addReader(self, reader):  # noqa: N802  IReactorFDSet's name
        self.readers.add(reader)

    def removeReader(self, reader):  # noqa: N802  IReactorFDSet's name
        self.readers.discard(reader)

    def adoptStreamConnection(self, fd, family, factory):  # noqa: N802  IReactorSocket's name
        protocol = factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 1))
        if protocol is not None:
            transport = StringTransport(peerAddress=IPv4Address("TCP", "127.0.0.1", 1))
            transport.loseWriteConnection = lambda: None
            protocol.makeConnection(transport)
            self.adopted.append((protocol, transport))


class DoorwayTests(SynchronousTestCase):
    def setUp(self):
        self.reactor = FakeReactor()
        self.registry = MemoryRegistry(self.reactor.seconds)
        self.serve()

    def serve(self, **limits):
        self.server = RendezvousFactory(self.reactor, self.registry, ServerLimits(**limits))
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        listening.listen(100)
        listening.setblocking(False)
        self.port = open_doorway(self.reactor, listening)(self.server)
        self.addCleanup(self.port.stopListening)

    def client(self, sends=b""):
        client = socket.create_connection(("127.0.0.1", self.port.getHost().port), timeout=10)
        self.addCleanup(client.close)
        client.sendall(sends)
        return client

    def take(self):
        """Let the port take who waits, and look again at those who said nothing yet."""
        self.port.doRead()
        self.reactor.advance(0)

    def ask(self, sends):
        """Return all that comes until the connection ends."""
        client = self.client(sends)
        self.take()
        return b"".join(iter(lambda: client.recv(1 << 20), b""))

    def test_a_line_that_is_there_is_answered_without_a_transport(self):
        self.assertEqual(self.reactor.readers, {self.port})
        self.assertEqual(self.ask(REGISTER), GRANTED)
        self.assertIn(b'"name": "ana"', self.ask(DISCOVER + b"and more"))
        self.assertEqual(self.ask(b"x\n"), UNKNOWN)
        self.assertEqual(self.reactor.adopted, [])
        self.assertEqual(self.server.connections, 0)
        tally = self.server.tally
        self.assertEqual(tally.accepted, 3)
        self.assertEqual(
            dict(tally.requests),
            {("register", "ok"): 1, ("discover", "ok"): 1, ("none", "unknown"): 1},
        )
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_all_that_wait_are_taken_some_in_each_turn(self):
        self.serve(rate_limit=1000)
        clients = [self.client(b"x\n") for _ in range(TURN + 1)]
        self.port.doRead()
        self.assertEqual(self.server.tally.accepted, TURN)
        self.port.doRead()
        self.assertEqual(self.server.tally.accepted, TURN + 1)
        self.assertEqual({client.recv(1000) for client in clients}, {UNKNOWN})

    def test_a_line_that_is_still_coming_goes_the_ordinary_way(self):
        for begun in (b"", REGISTER[:10]):
            self.client(begun)
            self.take()
            protocol, transport = self.reactor.adopted.pop()
            self.assertEqual(transport.value(), b"")
            self.assertEqual(self.server.connections, 1)
            protocol.dataReceived(REGISTER[len(begun) :])
            self.assertEqual(transport.value(), GRANTED)
            self.assertTrue(transport.disconnecting)
            protocol.connectionLost()

    def test_a_line_that_comes_a_moment_later_is_still_answered_at_the_door(self):
        client = self.client()
        self.port.doRead()
        client.sendall(REGISTER)
        self.reactor.advance(0)
        self.assertEqual(client.recv(1000), GRANTED)
        self.assertEqual(self.reactor.adopted, [])
        late = self.client()
        self.port.doRead()
        self.port.stopListening()
        self.assertEqual(late.recv(1000), b"")
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_a_line_that_is_too_long_goes_the_ordinary_way(self):
        self.serve(line_length=20)
        self.client(b"x" * 30 + b"\n")
        self.port.doRead()
        [(_, transport)] = self.reactor.adopted
        self.assertIn(b"line_too_long", transport.value())

    def test_whoever_comes_too_often_is_counted_once(self):
        self.serve(rate_limit=2)
        for _ in range(2):
            self.assertEqual(self.ask(b"x\n"), UNKNOWN)
        self.client(b"x\n")
        self.port.doRead()
        self.assertEqual(self.server.tally.refused["rate_limited"], 1)
        self.client(b"x\n")
        self.port.doRead()
        [_, (_, transport)] = self.reactor.adopted
        self.assertIn(b"has been blocked", transport.value())

    def test_there_is_no_room_beyond_the_bounds(self):
        self.serve(max_connections_per_ip=1)
        self.client()
        self.take()
        self.assertEqual(self.ask(REGISTER), b"")
        self.assertEqual(self.server.tally.refused["ip_full"], 1)

    def test_the_rest_of_a_long_reply_is_sent_when_the_client_has_read(self):
        with patch.object(doorway, "_send", lambda connection, reply: 7):
            self.client(b"x\n")
            self.port.doRead()
        [(protocol, transport)] = self.reactor.adopted
        self.assertEqual(transport.value(), UNKNOWN[7:])
        self.assertTrue(transport.disconnecting)
        self.assertEqual(self.server.tally.accepted, 1)
        protocol.dataReceived(b"more")
        self.assertEqual(transport.value(), UNKNOWN[7:])
        transport.abortConnection = lambda: setattr(transport, "aborted", True)
        self.reactor.advance(ServerLimits().reply_time)
        self.assertTrue(transport.aborted)

    def test_of_a_very_long_reply_there_is_a_piece_for_each_client_at_a_time(self):
        result_of(self.registry.register("127.0.0.1", Register("CIC", "ana", 4000, 60)))
        for number in range(3000):
            peer = Register("CIC", f"peer number {number}", 4000, 60)
            result_of(self.registry.register(f"10.0.{number // 100}.1", peer))
        with patch.object(doorway, "_send", lambda connection, reply: 7):
            self.client(DISCOVER)
            self.port.doRead()
        [(_, transport)] = self.reactor.adopted
        reply = result_of(self.registry.find(None)).line()
        self.assertIsNotNone(transport.producer)
        self.assertEqual(transport.producerState, "paused")
        while transport.producer is not None:
            before = len(transport.value())
            self.assertFalse(transport.disconnecting)
            transport.producer.resumeProducing()
            self.assertLessEqual(len(transport.value()) - before, PIECE)
        self.assertEqual(transport.value(), reply[7:])
        self.assertTrue(transport.disconnecting)

    def test_who_is_gone_already_harms_nobody(self):
        for sends in (b"", b"x\n"):
            client = self.client(sends)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
            self.assertEqual(self.ask(REGISTER), GRANTED)

    def test_what_breaks_costs_one_answer(self):
        with patch.object(self.registry, "find", side_effect=ZeroDivisionError):
            self.ask(REGISTER)
            self.assertEqual(self.ask(DISCOVER), b"")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.server.tally.failures, 1)
        with patch.object(self.registry, "find", side_effect=RegistryUnavailableError):
            self.assertIn(b"registry_unavailable", self.ask(DISCOVER))
        self.assertEqual(self.server.tally.unavailable, 1)

    def test_a_registry_that_waits_after_all_costs_one_answer(self):
        async def wait(*_):
            await Deferred()

        self.ask(REGISTER)
        with patch.object(self.registry, "find", wait):
            self.assertEqual(self.ask(DISCOVER), b"")
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_what_cannot_be_handed_over_costs_one_connection(self):
        """Twisted's reactors give up a port that raises."""
        for error in (OSError(24, "Too many open files"), ZeroDivisionError()):
            with patch.object(self.reactor, "adoptStreamConnection", side_effect=error):
                self.assertEqual(self.ask(b"half a line"), b"")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.ask(REGISTER), GRANTED)

    def test_without_room_for_files_it_waits_a_little(self):
        listening = self.port._listening
        client = self.client(b"x\n")
        with patch.object(self.port, "_listening") as full:
            full.accept.side_effect = OSError(24, "Too many open files")
            self.port.doRead()
        self.assertEqual(self.reactor.readers, set())
        self.reactor.advance(PAUSE)
        self.assertEqual(self.reactor.readers, {self.port})
        self.assertIs(self.port._listening, listening)
        self.port.doRead()
        self.assertEqual(client.recv(1000), UNKNOWN)

    def test_that_files_are_lacking_is_said_with_the_remedy(self):
        for error in (OSError(errno.EMFILE, "none left"), OSError(errno.ENOBUFS, "none left")):
            with (
                patch.object(self.port, "_listening") as full,
                capturedLogs() as logged,
            ):
                full.accept.side_effect = error
                self.port.doRead()
            (line,) = map(formatEvent, logged)
            self.assertIn(f"accepts nothing for now: {os.strerror(error.errno)}", line)
            files = error.errno == errno.EMFILE
            self.assertEqual("raise the limit of open files" in line, files, line)
            self.assertEqual("LimitNOFILE" in line and "ulimit -n" in line, files, line)
            self.reactor.advance(PAUSE)

    def test_it_is_said_once_until_somebody_is_accepted_again(self):
        with patch.object(self.port, "_listening") as full, capturedLogs() as logged:
            for full.accept.side_effect in (OSError(errno.EMFILE, "none left"),) * 5:
                self.port.doRead()
                self.reactor.advance(PAUSE)
        self.assertEqual(len(logged), 1, logged)
        client = self.client(b"x\n")
        self.port.doRead()
        self.assertEqual(client.recv(1000), UNKNOWN)
        with patch.object(self.port, "_listening") as full, capturedLogs() as logged:
            full.accept.side_effect = OSError(errno.EMFILE, "none left")
            self.port.doRead()
        self.assertEqual(len(logged), 1, logged)

    def test_closed_it_takes_nobody(self):
        place = self.port.getHost()
        self.port.stopListening()
        self.port.stopListening()
        self.assertEqual(self.reactor.readers, set())
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection((place.host, place.port), timeout=10)

    def test_a_registry_that_is_elsewhere_is_asked_the_ordinary_way(self):
        self.patch(MemoryRegistry, "at_once", False)
        adopted = []
        self.reactor.adoptStreamPort = lambda *arguments: adopted.append(arguments)
        with socket.socket() as listening:
            open_doorway(self.reactor, listening)(self.server)
        self.assertEqual(len(adopted), 1)
        self.assertNotIsInstance(adopted[0], Doorway)

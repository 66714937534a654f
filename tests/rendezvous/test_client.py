"""Asking a server: what comes back, how it fails, and how often it is allowed."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.identity import Address
from p2pchat.rendezvous import exchange, replies
from p2pchat.rendezvous.answers import Granted
from p2pchat.rendezvous.client import RendezvousClient
from p2pchat.rendezvous.errors import (
    BlockedError,
    BudgetSpentError,
    NonsenseError,
    NotRegisteredError,
    RefusedError,
    RendezvousError,
    ServerDownError,
    ServerSilentError,
    ServerSlowError,
)
from p2pchat.rendezvous.messages import Register, Unregister
from p2pchat.rendezvous.replies import Listed
from tests.rendezvous.memory_tcp import Network
from tests.rendezvous.servers import ScriptedServer, entry, error, granted, listing

SERVER = Address("10.0.0.1", 8080)
OURS = Register("CIC", "alice", 4000, 600)

answer_pieces = st.sampled_from(
    [b'{"status": "OK", "peers": [', b'{"status":"ERROR","message":"', b"]}", b'"}', b"{}, ", b"\n"]
)


class ClientTestCase(SynchronousTestCase):
    def setUp(self):
        self.network = Network()
        self.reactor = self.network.reactor("10.0.0.2")
        self.client = RendezvousClient(self.reactor, SERVER)

    def serve(self, *script):
        self.network.ports.clear()
        server = ScriptedServer(self.network.clock, *script)
        self.network.reactor("10.0.0.1").listenTCP(8080, server)
        return server

    def settled(self, asking, seconds=0.0):
        """Wait for a request and return its result; nothing of it may be left."""
        self.network.settle(seconds)
        result = self.successResultOf(asking)
        self.assertEqual(self.network.clock.getDelayedCalls(), [])
        return result

    def failed(self, asking, kind, seconds=0.0):
        self.network.settle(seconds)
        error = self.failureResultOf(asking).value
        self.assertIs(type(error), kind)
        self.network.settle()
        self.assertEqual(self.network.clock.getDelayedCalls(), [])
        return error


class RequestTests(ClientTestCase):
    def test_register(self):
        server = self.serve(granted(60, "1.2.3.4"))
        self.assertEqual(self.settled(self.client.register(OURS)), Granted(60, "1.2.3.4"))
        self.assertEqual(
            server.requests,
            [{"type": "REGISTER", "namespace": "CIC", "name": "alice", "port": 4000, "ttl": 600}],
        )

    def test_discover(self):
        server = self.serve(listing(entry("ana"), {}, entry("bob")))
        found = self.settled(self.client.discover())
        self.assertEqual([peer.name for peer in found.peers], ["ana", "bob"])
        self.assertEqual((found.skipped, found.complete), (1, True))
        self.settled(self.client.discover("lab"))
        self.assertEqual(
            server.requests, [{"type": "DISCOVER"}, {"type": "DISCOVER", "namespace": "lab"}]
        )

    def test_unregister(self):
        server = self.serve({"status": "OK"})
        self.assertIsNone(self.settled(self.client.unregister(Unregister("CIC", "alice", 4000))))
        self.assertEqual(
            server.requests,
            [{"type": "UNREGISTER", "namespace": "CIC", "name": "alice", "port": 4000}],
        )

    def test_a_megabyte(self):
        self.serve(replies.listing([Listed("10.0.0.9", 1, "name", "CIC", 1, 1)] * 12_000))
        self.assertEqual(len(self.settled(self.client.discover()).peers), 12_000)

    def test_an_answer_needs_no_newline(self):
        self.serve(b'{"status": "OK", "peers": []}')
        self.assertEqual(self.settled(self.client.discover()).peers, [])

    def test_an_answer_ends_at_its_newline(self):
        self.serve(b'{"status": "OK", "peers": []}\nand {more}\n')
        self.assertEqual(self.settled(self.client.discover()).peers, [])

    def test_a_server_that_does_not_hang_up_is_hung_up_on(self):
        server = self.serve(b'{"status": "OK", "peers": []}\n')
        server.hangs_up = False
        self.assertEqual(self.settled(self.client.discover()).peers, [])
        self.assertEqual(server.open, set())

    def test_it_asks_from_the_address_it_is_given(self):
        self.client = RendezvousClient(self.reactor, SERVER, "10.0.0.77")
        sources = []

        class Noting(ScriptedServer):
            def buildProtocol(self, addr):
                sources.append(addr.host)
                return super().buildProtocol(addr)

        noting = Noting(self.network.clock, listing())
        self.network.reactor("10.0.0.1").listenTCP(8080, noting)
        self.settled(self.client.discover())
        self.assertEqual(sources, ["10.0.0.77"])


class FailureTests(ClientTestCase):
    def test_nobody_listens(self):
        failure = self.failed(self.client.discover(), ServerDownError)
        self.assertIn("refused", str(failure))

    def test_nobody_is_there(self):
        self.network.dead.add("10.0.0.1")
        failure = self.failed(self.client.discover(), ServerDownError, seconds=5)
        self.assertIn("5 seconds", str(failure))

    def test_silence(self):
        server = self.serve(ScriptedServer.SILENCE)
        asking = self.client.discover()
        self.network.settle(14.9)
        self.assertNoResult(asking)
        self.failed(asking, ServerSilentError, seconds=0.2)
        self.assertEqual(server.open, set())

    def test_a_server_that_does_not_even_read(self):
        self.serve(ScriptedServer.SILENCE).reads = False
        self.failed(self.client.discover(), ServerSilentError, seconds=15)

    def test_dripping(self):
        server = self.serve(ScriptedServer.SILENCE)
        asking = self.client.discover()
        for _ in range(15):
            self.network.settle(1)
            for connection in server.open:
                connection.transport.write(b" ")
        self.failed(asking, ServerSlowError)

    def test_an_answer_without_end(self):
        self.patch(exchange, "MAX_ANSWER", 1000)
        answer = b'{"status": "OK", "peers": []}'
        self.serve(answer.ljust(1000), answer.ljust(1001))
        self.settled(self.client.discover())
        failure = self.failed(self.client.discover(), NonsenseError)
        self.assertIn("more than 1000 bytes", str(failure))

    def test_no_answer_means_blocked_however_the_connection_ends(self):
        for answer in (ScriptedServer.CLOSE, ScriptedServer.RESET, b"\n", b" \r\n"):
            self.serve(answer)
            self.failed(self.client.discover(), BlockedError)

    def test_blocked(self):
        self.serve(replies.blocked("10.0.0.2", 4711, 50, 59))
        self.failed(self.client.register(OURS), BlockedError)

    def test_refused(self):
        self.serve(error("peer_not_registered"), error("bad_name"), {"error": "bad_port"})
        self.failed(self.client.discover(), NotRegisteredError)
        for message in ("bad_name", "bad_port"):
            refusal = self.failed(self.client.register(OURS), RefusedError)
            self.assertEqual(refusal.message, message)

    def test_nonsense(self):
        self.serve(b"<html>\n")
        for asking in (self.client.discover(), self.client.register(OURS)):
            self.failed(asking, NonsenseError)

    def test_cancelling_drops_the_connection(self):
        server = self.serve(ScriptedServer.SILENCE)
        for wait in (False, True):
            asking = self.client.discover()
            if wait:
                self.network.settle()
                self.assertEqual(len(server.open), 1)
            asking.cancel()
            self.failed(asking, CancelledError)
            self.assertEqual(server.open, set())

    @settings(deadline=None, max_examples=150)
    @given(st.lists(st.binary(min_size=1, max_size=100) | answer_pieces, max_size=6), st.booleans())
    def test_any_answer_in_any_chunks_is_a_result_or_one_of_the_errors(self, chunks, reset):
        self.setUp()
        self.network.reactor("10.0.0.1").listenTCP(8080, Chunks(chunks, reset))
        for asking in (self.client.register(OURS), self.client.discover()):
            outcome = []
            asking.addBoth(outcome.append)
            self.network.settle(16)
            (result,) = outcome
            self.assertIsInstance(getattr(result, "value", None), RendezvousError | None)
        self.assertEqual(self.network.clock.getDelayedCalls(), [])
        self.assertEqual(self.flushLoggedErrors(), [])


class BudgetTests(ClientTestCase):
    def spend(self, times):
        for _ in range(times):
            self.settled(self.client.discover())

    def test_no_more_than_twenty_requests_in_any_minute(self):
        server = self.serve(listing())
        for _ in range(1000):
            self.network.settle(0.5)
            asking = self.client.discover()
            asking.addErrback(lambda failure: failure.trap(BudgetSpentError))
        self.assertGreater(len(server.times), 100)
        for start in server.times:
            in_a_minute = sum(start <= time < start + 60 for time in server.times)
            self.assertLessEqual(in_a_minute, 20)

    def test_it_tells_how_long_to_wait(self):
        self.serve(listing())
        self.spend(19)
        self.network.settle(10)
        spent = self.failed(self.client.discover(), BudgetSpentError)
        self.assertEqual(spent.wait, 50.0)
        self.network.settle(50)
        self.spend(19)

    def test_one_request_is_left_to_say_goodbye(self):
        self.serve(listing())
        self.spend(19)
        self.failed(self.client.register(OURS), BudgetSpentError)
        self.settled(self.client.unregister(Unregister("CIC")))
        self.failed(self.client.unregister(Unregister("CIC")), BudgetSpentError)

    def test_the_more_share_an_address_the_less_each_may_ask(self):
        self.serve(listing())
        for clients, allowed in [(0, 20), (1, 20), (2, 20), (3, 15), (9, 5), (1000, 5)]:
            self.client.start_afresh()
            self.client.share(clients)
            self.spend(allowed - 1)
            self.failed(self.client.discover(), BudgetSpentError)

    def test_what_no_server_has_seen_does_not_count(self):
        for _ in range(100):
            self.failed(self.client.discover(), ServerDownError)
        self.serve(listing())
        self.spend(19)


class Chunks(ServerFactory):
    """Answers with chunks, then closes or resets."""

    noisy = False

    def __init__(self, chunks, reset):
        self._chunks = chunks
        self._reset = reset

    def buildProtocol(self, addr):
        return _Chunks(self._chunks, self._reset)


class _Chunks(Protocol):
    def __init__(self, chunks, reset):
        self._chunks = chunks
        self._reset = reset

    def dataReceived(self, data):
        for chunk in self._chunks:
            self.transport.write(chunk)
        if self._reset:
            self.transport.abortConnection()
        else:
            self.transport.loseConnection()

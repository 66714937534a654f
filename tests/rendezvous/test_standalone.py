"""The server as a service: opened before it accepts, and ended in order."""

from twisted.internet.defer import Deferred
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.rendezvous.limits import Verdict
from p2pchat.rendezvous.messages import Register
from p2pchat.rendezvous.registry import MemoryRegistry, RegistryUnavailableError
from p2pchat.rendezvous.server import RendezvousFactory, ServerLimits
from p2pchat.rendezvous.standalone import CLOSE_TIME, FAREWELL_TIME, StandaloneServer
from tests.rendezvous.at_once import result_of
from tests.rendezvous.memory_tcp import Network, connect

REGISTER = b'{"type":"REGISTER","namespace":"CIC","name":"ana","port":4000,"ttl":60}'
UNAVAILABLE = b'{"status": "ERROR", "message": "registry_unavailable"}\n'


class PlayedRegistry(MemoryRegistry):
    """Opens, registers and closes when it is told to."""

    def __init__(self, seconds):
        super().__init__(seconds)
        self.opened, self.registered, self.closed = Deferred(), Deferred(), Deferred()
        self.closing = False

    async def open(self):
        await self.opened

    async def close(self):
        self.closing = True
        await self.closed

    async def register(self, ip, registration):
        await self.registered
        await super().register(ip, registration)


class StandaloneTestCase(SynchronousTestCase):
    def setUp(self):
        self.network = Network()
        self.reactor = self.network.reactor("10.0.0.1")
        self.registry = PlayedRegistry(self.reactor.seconds)
        limits = ServerLimits(rate_limit=1000)
        self.server = RendezvousFactory(self.reactor, self.registry, limits)
        self.service = StandaloneServer(self.server, self.open_port, "memory", trust_proxy=False)
        self.lines = []
        globalLogPublisher.addObserver(self._logged)
        self.addCleanup(globalLogPublisher.removeObserver, self._logged)

    def open_port(self, factory):
        port = self.reactor.listenTCP(8080, factory)
        port.getHost = lambda: None
        return port

    def _logged(self, event):
        self.lines.append((event.get("log_format") or "").format_map(event))

    def start(self):
        self.service.startService()
        self.registry.opened.callback(None)

    def connect(self, sends=b""):
        client = connect(self.network.reactor("10.0.0.2"), "10.0.0.1", 8080, sends)
        self.network.settle()
        return client

    def listening(self):
        return self.network.listener("10.0.0.1", 8080) is not None


class StartTests(StandaloneTestCase):
    def test_it_accepts_when_the_registry_is_open_and_says_what_is_in_it(self):
        self.registry.registered.callback(None)
        result_of(self.registry.register("10.0.0.5", Register("CIC", "bob", 4000, 60)))
        self.service.startService()
        self.assertFalse(self.listening())
        self.registry.opened.callback(None)
        self.assertTrue(self.listening())
        self.assertRegex(self.lines[-1], r"; memory has 1 registration\b")

    def test_without_a_registry_it_says_so_and_answers(self):
        self.service.startService()
        self.registry.registered.errback(RegistryUnavailableError())
        self.registry.opened.errback(RegistryUnavailableError("no route to\x1b it"))
        self.assertIn("trouble: no route to\\x1b it", self.lines[-1])
        self.assertEqual(self.connect(REGISTER + b"\n").received, UNAVAILABLE)
        self.assertEqual(self.server.tally.unavailable, 1)

    def test_a_registry_that_breaks_is_logged(self):
        self.service.startService()
        self.registry.opened.errback(ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertTrue(self.listening())

    def test_it_can_be_stopped_while_it_starts(self):
        self.service.startService()
        stopping = self.service.stopService()
        self.registry.closed.callback(None)
        self.successResultOf(stopping)
        self.registry.opened.callback(None)
        self.assertFalse(self.listening())


class StopTests(StandaloneTestCase):
    def test_an_answer_under_way_is_finished_before_the_registry_is_closed(self):
        self.start()
        asking, idle = self.connect(REGISTER + b"\n"), self.connect(b"half")
        stopping = self.service.stopService()
        self.network.settle()
        self.assertFalse(self.listening())
        self.assertEqual((asking.closed, self.registry.closing), (None, False))
        self.assertIsNotNone(idle.closed)
        self.registry.registered.callback(None)
        self.network.settle()
        self.assertIn(b'"status": "OK"', asking.received)
        self.assertTrue(self.registry.closing)
        self.assertNoResult(stopping)
        self.registry.closed.callback(None)
        self.successResultOf(stopping)
        self.assertEqual(self.network.clock.getDelayedCalls(), [])

    def test_so_is_one_whose_sender_is_still_judged(self):
        self.start()
        self.registry.registered.callback(None)
        verdicts = []
        self.server.limiter.judge = lambda ip, told: verdicts.append(told)
        client = self.connect(REGISTER + b"\n")
        self.service.stopService()
        self.network.settle()
        verdicts[0](Verdict(True))
        self.network.settle()
        self.assertIn(b'"status": "OK"', client.received)

    def test_nobody_can_hold_it_up_for_long(self):
        self.start()
        client = self.connect(REGISTER + b"\n")
        stopping = self.service.stopService()
        self.network.settle(FAREWELL_TIME - 0.5)
        self.assertIsNone(client.closed)
        self.network.settle(1)
        self.assertIsNotNone(client.closed)
        self.assertTrue(self.registry.closing)
        self.network.settle(CLOSE_TIME - 1)
        self.assertNoResult(stopping)
        self.network.settle(1)
        self.successResultOf(stopping)

    def test_without_connections_it_ends_at_once(self):
        self.start()
        self.registry.closed.callback(None)
        self.successResultOf(self.service.stopService())


class TallyTests(StandaloneTestCase):
    """What is counted, as words that are bounded in number."""

    def setUp(self):
        super().setUp()
        self.start()
        self.registry.registered.callback(None)

    def test_requests_by_type_and_result(self):
        for line, kind, result in (
            (b'{"type":"DISCOVER"}', "discover", "peer_not_registered"),
            (REGISTER, "register", "ok"),
            (REGISTER.replace(b"4000", b"0"), "register", "bad_port"),
            (b'{"type":"discover"}', "discover", "ok"),
            (b'{"type":"Discover","namespace":""}', "discover", "bad_namespace"),
            (b'{"type":"UNREGISTER"}', "unregister", "namespace_required"),
            (b'{"type":"UNREGISTER","namespace":"CIC","port":"a b"}', "unregister", "bad_port"),
            (
                b'{"type":"UNREGISTER","namespace":"X"}',
                "unregister",
                "peer_credentials_do_not_match",
            ),
            (b"", "none", "empty"),
            (b"\xff", "none", "unknown"),
            (b'{"type":"x"}', "none", "unknown"),
        ):
            before = self.server.tally.requests[kind, result]
            self.connect(line + b"\n")
            self.assertEqual(self.server.tally.requests[kind, result], before + 1, line)
        self.assertEqual(self.server.tally.requests.total(), 11)
        self.assertEqual(self.server.tally.latency.count, 11)
        self.assertEqual(self.server.tally.accepted, 11)

    def test_what_is_no_request_in_time_or_length(self):
        self.connect(b"x" * 40_000)
        self.connect(b"x")
        self.network.settle(6)
        counts = self.server.tally.requests
        self.assertEqual(counts, {("none", "line_too_long"): 1, ("none", "timeout"): 1})

    def test_latency_is_from_the_whole_request_to_its_reply(self):
        self.registry.registered = Deferred()
        client = self.connect(REGISTER)
        self.network.settle(2)
        client.transport.write(b"\n")
        self.network.settle(0.25)
        self.registry.registered.callback(None)
        self.network.settle()
        self.assertAlmostEqual(self.server.tally.latency.total, 0.25)

    def test_a_registry_that_breaks_at_once(self):
        async def find(namespace):
            raise ZeroDivisionError

        self.connect(REGISTER + b"\n")
        self.registry.find = find
        client = self.connect(b'{"type":"DISCOVER"}\n')
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual((client.received, self.server.tally.failures), (b"", 1))
        self.assertIsNotNone(client.closed)

    def test_a_registry_that_breaks_later(self):
        self.registry.registered = Deferred()
        self.connect(REGISTER + b"\n")
        self.registry.registered.errback(ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual((self.server.tally.failures, self.server.tally.unavailable), (1, 0))

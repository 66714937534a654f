"""The reactor of a simulated machine: time, threads, start and stop, and Twisted's own services."""

import random
import sys
from typing import Any

import twisted.internet
from twisted.application.internet import ClientService
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, TCP4ServerEndpoint
from twisted.internet.error import (
    AlreadyCalled,
    ConnectionDone,
    ConnectionLost,
    ReactorNotRunning,
)
from twisted.internet.interfaces import (
    IReactorCore,
    IReactorFDSet,
    IReactorTCP,
    IReactorThreads,
    IReactorTime,
)
from twisted.internet.protocol import ReconnectingClientFactory
from twisted.internet.task import LoopingCall, deferLater
from twisted.internet.threads import deferToThread, deferToThreadPool
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.simulation.network import Network
from tests.simulation.protocols import (
    CLIENT,
    PORT,
    SERVER,
    Echo,
    Recorder,
    connect,
    dial,
    factory_of,
    serve,
)


class HostTestCase(SynchronousTestCase):
    """One network with one machine, and a list of what happened."""

    def setUp(self) -> None:
        self.network = Network(1)
        self.host = self.network.host(SERVER)
        self.happened: list[Any] = []

    def note(self, what: Any) -> Any:
        self.happened.append(what)
        return what

    def raise_error(self) -> None:
        raise ValueError


class TimeTests(HostTestCase):
    def test_interfaces(self) -> None:
        for interface in (IReactorCore, IReactorTCP, IReactorTime, IReactorThreads, IReactorFDSet):
            self.assertTrue(verifyObject(interface, self.host))

    def test_calls_run_at_their_time_in_order(self) -> None:
        for delay in (3, 1, 2, 1):
            self.host.callLater(delay, lambda delay=delay: self.note((delay, self.host.seconds())))
        self.network.advance(5)
        self.assertEqual(self.happened, [(1, 1), (1, 1), (2, 2), (3, 3)])
        self.assertRaises(AssertionError, self.host.callLater, -1, self.note, 0)

    def test_cancel_reset_and_delay(self) -> None:
        cancelled = self.host.callLater(1, self.note, "cancelled")
        sooner = self.host.callLater(9, self.note, "sooner")
        later = self.host.callLater(1, self.note, "later")
        twice = self.host.callLater(1, self.note, "twice")
        self.assertEqual(self.host.getDelayedCalls(), [cancelled, sooner, later, twice])
        cancelled.cancel()
        sooner.reset(2)
        later.delay(2)
        twice.reset(10)
        self.network.advance(2)
        self.assertEqual(self.happened, ["sooner"])
        self.assertRaises(AlreadyCalled, sooner.cancel)
        twice.reset(4)  # at 6, though it was put off to 10 before
        self.network.advance(1)
        self.assertEqual(self.happened, ["sooner", "later"])
        self.network.advance(3)
        self.assertEqual(self.happened, ["sooner", "later", "twice"])
        self.assertEqual(self.host.getDelayedCalls(), [])

    def test_delayed_calls_are_the_hosts_own(self) -> None:
        call = self.network.host(CLIENT).callLater(1, self.note, 1)
        self.assertEqual(self.host.getDelayedCalls(), [])
        self.assertEqual(self.network.host(CLIENT).getDelayedCalls(), [call])

    def test_exception_in_a_timer_stops_nothing(self) -> None:
        self.host.callLater(1, self.raise_error)
        self.host.callLater(1, self.note, "after")
        self.network.advance(1)
        self.assertEqual(self.happened, ["after"])
        self.assertEqual([error.type for error in self.network.errors], [ValueError])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_looping_call(self) -> None:
        call = LoopingCall(lambda: self.note(self.host.seconds()))
        call.clock = self.host
        call.start(0.5)
        self.network.advance(1.6)
        call.stop()
        self.network.advance(5)
        self.assertEqual(self.happened, [0, 0.5, 1, 1.5])

    def test_defer_later(self) -> None:
        result = deferLater(self.host, 2, self.note, "late")
        self.network.advance(2)
        self.assertEqual(self.successResultOf(result), "late")


class ThreadTests(HostTestCase):
    def test_call_from_thread_runs_in_a_later_turn(self) -> None:
        self.host.callFromThread(self.note, 1)
        self.host.callFromThread(self.note, 2)
        self.assertEqual(self.happened, [])
        self.network.advance(0)
        self.assertEqual(self.happened, [1, 2])

    def test_defer_to_thread_pool(self) -> None:
        pool = self.host.getThreadPool()
        good = deferToThreadPool(self.host, pool, self.note, 1)
        bad = deferToThreadPool(self.host, pool, self.raise_error)
        self.assertNoResult(good)
        self.network.advance(1)
        self.assertEqual(self.successResultOf(good), 1)
        self.failureResultOf(bad, ValueError)
        self.assertEqual(self.network.errors, [])

    def test_defer_to_thread(self) -> None:
        from twisted.internet import reactor  # noqa: F401 - so that there is one to replace

        self.patch(twisted.internet, "reactor", self.host)
        self.patch(sys, "modules", {**sys.modules, "twisted.internet.reactor": self.host})
        result = deferToThread(self.note, "in thread")
        self.network.advance(1)
        self.assertEqual(self.successResultOf(result), "in thread")

    def test_call_in_thread_logs_exceptions(self) -> None:
        self.host.callInThread(self.raise_error)
        self.network.advance(1)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual(len(self.network.errors), 1)

    def test_one_worker_keeps_the_order_and_ten_do_not(self) -> None:
        for workers, in_order in ((1, True), (10, False)):
            self.happened.clear()
            self.host.suggestThreadPoolSize(workers)
            for number in range(30):
                self.host.callInThread(self.note, number)
            self.network.advance(1)
            self.assertEqual(sorted(self.happened), list(range(30)))
            self.assertEqual(self.happened == list(range(30)), in_order)

    def test_a_call_in_a_thread_takes_its_time(self) -> None:
        self.network.conditions.thread_time = (1, 1)
        slow = deferToThreadPool(self.host, self.host.getThreadPool(), self.note, 1)
        self.network.advance(0.9)
        self.assertNoResult(slow)
        self.network.advance(0.2)
        self.successResultOf(slow)


class StopTests(HostTestCase):
    def test_runs_from_the_start(self) -> None:
        self.assertTrue(self.host.running)
        self.host.callWhenRunning(self.note, "now")
        self.assertEqual(self.happened, ["now"])
        self.assertIs(self.network.host(SERVER), self.host)

    def test_stop_fires_events_in_order_and_waits(self) -> None:
        goodbye: Deferred[None] = Deferred()
        self.host.addSystemEventTrigger("after", "shutdown", self.note, "after")
        self.host.addSystemEventTrigger("during", "shutdown", self.note, "during")
        self.host.addSystemEventTrigger("before", "shutdown", lambda: goodbye)
        removed = self.host.addSystemEventTrigger("before", "shutdown", self.note, "removed")
        self.host.removeSystemEventTrigger(removed)
        self.host.stop()
        self.assertRaises(ReactorNotRunning, self.host.stop)
        self.network.advance(5)
        self.assertEqual(self.happened, [])
        self.assertTrue(self.host.running)
        goodbye.callback(None)
        self.assertEqual(self.happened, ["during", "after"])
        self.assertFalse(self.host.running)

    def test_fire_system_event(self) -> None:
        self.host.addSystemEventTrigger("during", "persist", self.note, "persist")
        self.host.fireSystemEvent("persist")
        self.assertEqual(self.happened, ["persist"])

    def test_stopped_process_is_gone_and_its_connections_end(self) -> None:
        server, client = connect(self.network)
        self.host.callLater(1, self.note, "timer")
        self.host.callInThread(self.note, "thread")
        self.host.stop()
        self.network.advance(5)
        self.assertIs(server.lost, ConnectionLost)
        self.assertIsNotNone(client.lost)
        self.assertEqual(self.happened, ["thread"])
        refused = dial(self.network.host(CLIENT))
        self.network.advance(1)
        self.assertEqual(refused.calls[2], "failed ConnectionRefusedError")
        self.assertIsNot(self.network.host(SERVER), self.host)

    def test_crashed_by_itself_its_sockets_are_closed(self) -> None:
        server, client = connect(self.network)
        self.host.addSystemEventTrigger("before", "shutdown", self.note, "shutdown")
        self.host.crash()
        self.network.advance(1)
        self.assertEqual((server.lost, client.lost), (None, ConnectionDone))
        self.assertEqual(self.happened, [])

    def test_names_of_hosts(self) -> None:
        for bad in ("localhost", "127.0.0.1", "10.0.0", "::1"):
            self.assertRaises(ValueError, self.network.host, bad)


class Reconnecting(ReconnectingClientFactory):
    noisy = False
    protocol = Recorder

    def __init__(self, host: Any) -> None:
        self.clock = host
        self.attempts: list[float] = []

    def startedConnecting(self, connector: Any) -> None:
        self.attempts.append(self.clock.seconds())


class ServiceTests(HostTestCase):
    def test_reconnecting_client_factory_backs_off(self) -> None:
        factory = Reconnecting(self.network.host(CLIENT))
        factory.jitter, factory.factor = 0, 2
        self.network.conditions.latency = (0.1, 0.1)
        self.network.host(CLIENT).connectTCP(SERVER, PORT, factory)
        self.network.advance(20)
        gaps = [b - a for a, b in zip(factory.attempts, factory.attempts[1:], strict=False)]
        self.assertEqual([round(gap, 6) for gap in gaps], [1.2, 2.2, 4.2, 8.2])

    def test_reconnecting_client_factory_finds_a_server_that_comes_back(self) -> None:
        server, client = serve(self.host), self.network.host(CLIENT)
        client.connectTCP(SERVER, PORT, Reconnecting(client))
        self.network.advance(1)
        self.host.stop()
        self.network.advance(1)
        self.assertEqual(len(server.built), 1)
        server = serve(self.network.host(SERVER))
        self.network.run_until(lambda: server.built, limit_seconds=10)

    def test_jitter_comes_from_the_seed(self) -> None:
        def attempts(seed: int) -> list[float]:
            network = Network(seed, latency=(0.1, 0.1))
            factory = Reconnecting(network.host(CLIENT))
            network.host(SERVER)
            network.host(CLIENT).connectTCP(SERVER, PORT, factory)
            network.advance(60)
            return factory.attempts

        self.assertEqual(attempts(1), attempts(1))
        self.assertNotEqual(attempts(1), attempts(2))

    def test_random_module_goes_on_from_run_to_run_and_is_given_back(self) -> None:
        before = random.getstate()
        for _ in range(5):
            self.host.callLater(0, lambda: self.note(random.random()))
            self.network.advance(0)
        self.assertEqual(len(set(self.happened)), 5)
        self.assertEqual(random.getstate(), before)

    def test_endpoints(self) -> None:
        listening = TCP4ServerEndpoint(self.host, PORT).listen(factory_of(Echo))
        self.successResultOf(listening)
        self.network.names["server.example"] = SERVER
        client = self.network.host(CLIENT)
        for endpoint in (
            TCP4ClientEndpoint(client, SERVER, PORT),
            HostnameEndpoint(client, b"server.example", PORT),
        ):
            connected = endpoint.connect(factory_of(Recorder))
            self.network.advance(1)
            protocol = self.successResultOf(connected)
            protocol.transport.write(b"hello")
            self.network.advance(1)
            self.assertEqual(protocol.received, b"hello")

    def test_client_service(self) -> None:
        serve(self.host)
        client = self.network.host(CLIENT)
        endpoint = TCP4ClientEndpoint(client, SERVER, PORT)
        service = ClientService(endpoint, factory_of(Recorder), clock=client)
        service.startService()
        connected = service.whenConnected()
        self.network.advance(1)
        protocol = self.successResultOf(connected)
        self.network.cut(protocol.transport)
        self.network.advance(5)
        self.assertIs(protocol.lost, ConnectionLost)
        self.assertIsNot(self.successResultOf(service.whenConnected()), protocol)
        stopped = service.stopService()
        self.network.advance(1)
        self.successResultOf(stopped)
        self.assertEqual(self.network.connections(), [])

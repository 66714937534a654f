"""The election: whoever gets the port serves."""

from errno import EADDRINUSE
from itertools import pairwise
from random import Random

from twisted.internet.error import CannotListenError
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.identity import Address
from p2pchat.rendezvous.embedded import EmbeddedServer, listening_interface, may_serve
from tests.rendezvous.memory_tcp import Network, connect

SERVER = Address("127.0.0.1", 8080)


class PlaceTests(SynchronousTestCase):
    def test_which_server_may_be_this_machine(self):
        for host, expected in [
            ("127.0.0.1", True),
            ("127.9.9.9", True),
            ("localhost", True),
            ("::1", True),
            ("192.168.1.5", True),
            ("example.com", False),
        ]:
            self.assertEqual(may_serve(Address(host, 8080)), expected, host)

    def test_where_it_listens(self):
        for host, bind, expected in [
            ("127.0.0.1", "", ""),
            ("localhost", "", ""),
            ("::1", "", "::"),
            ("127.0.0.1", "192.168.1.5", "127.0.0.1"),
            ("localhost", "127.0.0.1", "127.0.0.1"),
            ("::1", "::1", "::1"),
            ("192.168.1.5", "", "192.168.1.5"),
            ("192.168.1.5", "192.168.1.5", "192.168.1.5"),
        ]:
            self.assertEqual(listening_interface(Address(host, 8080), bind), expected)


class ElectionTests(SynchronousTestCase):
    def setUp(self):
        self.network = Network()
        self.reactor = self.network.reactor()
        self.gains = []

    def node(self, name="node"):
        return EmbeddedServer(
            self.reactor, Random(name), SERVER, "", lambda: self.gains.append(name)
        )

    def test_the_first_serves_and_tells_so(self):
        node = self.node()
        self.assertFalse(node.serving)
        node.startService()
        self.assertTrue(node.serving)
        self.assertEqual(self.gains, ["node"])
        client = connect(self.reactor, "127.0.0.1", 8080, b"x\n")
        self.network.settle()
        self.assertIn(b"Unknown command", client.received)
        node.stopService()

    def test_when_one_leaves_another_has_the_port_within_seconds(self):
        nodes = [self.node(f"node{number}") for number in range(5)]
        for node in nodes:
            node.startService()
        self.network.settle(30)
        self.assertEqual([node.serving for node in nodes], [True] + [False] * 4)
        self.successResultOf(nodes[0].stopService())
        self.network.settle(2.5)
        self.assertEqual(sum(node.serving for node in nodes), 1)
        self.assertEqual(len(self.gains), 2)
        for node in nodes[1:]:
            self.successResultOf(node.stopService())
        self.assertEqual(self.network.clock.getDelayedCalls(), [])
        self.assertEqual(self.network.ports, {})

    def test_it_tries_every_two_seconds_or_so_and_not_in_step(self):
        self.reactor.bind_error = CannotListenError("", 8080, OSError(EADDRINUSE, "in use"))
        attempts = []
        listen = self.reactor.listenTCP

        def counting(*args, **kwargs):
            attempts.append(self.reactor.seconds())
            return listen(*args, **kwargs)

        self.reactor.listenTCP = counting
        self.node().startService()
        self.network.settle(100)
        pauses = {after - before for before, after in pairwise(attempts)}
        self.assertTrue(1.5 <= min(pauses) < max(pauses) <= 2.5 + 1 / 16)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_losing_the_race_in_the_last_moment_is_quiet_too(self):
        self.reactor.bind_error = OSError(EADDRINUSE, "in use")
        node = self.node()
        node.startService()
        self.assertFalse(node.serving)
        self.reactor.bind_error = None
        self.network.settle(2.6)
        self.assertTrue(node.serving)
        node.stopService()

    def test_told_to_it_tries_at_once(self):
        first, second = self.node("first"), self.node("second")
        self.assertFalse(second.take_over())
        first.startService()
        second.startService()
        self.assertFalse(second.take_over())
        first.stopService()
        self.assertTrue(second.take_over())
        self.assertFalse(second.take_over())
        self.assertEqual(self.gains, ["first", "second"])
        second.stopService()
        self.assertEqual(self.network.clock.getDelayedCalls(), [])

    def test_it_asks_the_reactor_for_the_right_port_on_all_interfaces(self):
        reactor = MemoryReactorClock()
        node = EmbeddedServer(reactor, Random(1), SERVER, "", lambda: None)
        node.startService()
        ((port, _, _, interface),) = reactor.tcpServers
        self.assertEqual((port, interface), (8080, ""))
        self.assertEqual(reactor.getDelayedCalls(), [])

    def test_a_new_server_knows_nobody_of_the_old_one(self):
        node = self.node()
        for expected in (b"peer_not_registered", b"peer_not_registered"):
            node.startService()
            client = connect(self.reactor, "127.0.0.1", 8080, b'{"type":"DISCOVER"}\n')
            self.network.settle()
            self.assertIn(expected, client.received)
            line = b'{"type":"REGISTER","name":"a","namespace":"b","port":1}\n'
            client = connect(self.reactor, "127.0.0.1", 8080, line)
            self.network.settle()
            self.assertIn(b"OK", client.received)
            node.stopService()

    def test_a_clock_that_is_set_back_prolongs_nothing(self):
        back = 0.0
        self.reactor.seconds = lambda: self.network.clock.seconds() - back

        def answer(line):
            client = connect(self.reactor, "127.0.0.1", 8080, line)
            self.network.settle()
            return client.received

        node = self.node()
        node.startService()
        answer(b'{"type":"REGISTER","name":"a","namespace":"b","port":1,"ttl":10}\n')
        back = 3600.0
        self.assertIn(b'"a"', answer(b'{"type":"DISCOVER"}\n'))
        self.network.settle(11)
        self.assertIn(b"peer_not_registered", answer(b'{"type":"DISCOVER"}\n'))
        node.stopService()

"""Nodes that serve the rendezvous for each other, and what happens when the one that does ends."""

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.identity import Address
from p2pchat.rendezvous.service import RendezvousService
from tests.rendezvous.heard import Heard
from tests.rendezvous.memory_tcp import Network
from tests.rendezvous.servers import ScriptedServer, entry, granted, listing


class TakeOverTests(SynchronousTestCase):
    """Several nodes of one machine, and one of another."""

    def setUp(self):
        self.network = Network()
        self.nodes = {}
        self.heard = {}
        self.reactors = {}

    def tearDown(self):
        for service in self.nodes.values():
            stopping = service.stopService()
            self.network.settle(1.1)
            self.successResultOf(stopping)
        self.network.settle(3)
        self.assertEqual(self.network.clock.getDelayedCalls(), [])
        self.assertEqual(self.flushLoggedErrors(), [])

    def start(self, *names, host="127.0.0.1", ip="127.0.0.1", embedded=True, interval=60):
        for name in names:
            heard = self.heard[name] = Heard()
            reactor = self.reactors[name] = self.network.reactor(ip)
            service = self.nodes[name] = RendezvousService(
                reactor,
                Random(name),
                server=Address(host, 8080),
                name=name,
                namespace="CIC",
                port=4000 + len(self.nodes),
                discovery_interval=interval,
                embedded=embedded,
                bind="",
                listener=heard,
            )
            service.startService()
            self.network.settle()

    def kill(self, name):
        """End a node's process without a word; its peers notice."""
        del self.nodes[name]
        self.reactors[name].kill()
        for node in self.nodes.values():
            node.peer_lost()

    def serving(self):
        return [name for name, node in self.nodes.items() if node.info().serving]

    def found(self, name):
        return sorted(peer.peer_id for peer in self.heard[name].last)

    def test_the_first_node_serves_the_others(self):
        self.start("ana", "bob", "eve")
        self.assertEqual(self.serving(), ["ana"])
        self.assertEqual(self.found("eve"), ["ana@CIC", "bob@CIC"])
        self.network.settle(60)
        self.assertEqual(self.found("ana"), ["bob@CIC", "eve@CIC"])
        self.assertEqual([heard.notices for heard in self.heard.values()], [[], [], []])

    def test_when_the_node_that_serves_is_killed_another_does_and_all_register_again(self):
        names = ["ana", "bob", "eve", "max", "zoe"]
        for heir in range(3):
            if not self.nodes:
                self.start(*names)
                self.network.settle(100)
            (served,) = self.serving()
            self.kill(served)
            self.network.settle(5)
            self.assertEqual(len(self.serving()), 1, heir)
            for node in self.nodes.values():
                self.assertTrue(node.info().registered)
            for node in self.nodes.values():
                node.discover()
            self.network.settle()
            for name in self.nodes:
                others = sorted(f"{other}@CIC" for other in self.nodes if other != name)
                self.assertEqual(self.found(name), others)
            self.network.settle(100)

    def test_asking_takes_over_a_port_that_is_free(self):
        self.start("ana", "bob")
        self.network.settle(5)
        self.kill("ana")
        self.nodes["bob"].discover()
        self.network.settle()
        self.assertEqual(self.serving(), ["bob"])
        self.assertTrue(self.nodes["bob"].info().registered)
        self.assertEqual(self.heard["bob"].notices, [])

    def test_taking_over_ends_the_wait_of_one_who_was_blocked(self):
        blocking = ScriptedServer(self.network.clock, ScriptedServer.CLOSE)
        port = self.network.reactor("127.0.0.1").listenTCP(8080, blocking)
        self.start("ana")
        self.network.settle(5)
        self.assertFalse(self.nodes["ana"].info().registered)
        port.stopListening()
        self.network.settle(3)
        self.assertEqual(self.serving(), ["ana"])
        self.assertTrue(self.nodes["ana"].info().registered)
        self.assertEqual([level for level, _ in self.heard["ana"].notices], ["warning", "info"])

    def test_what_the_old_server_leaves_unanswered_is_no_reason_to_shun_the_new_one(self):
        old = ScriptedServer(self.network.clock, ScriptedServer.SILENCE)
        port = self.network.reactor("127.0.0.1").listenTCP(8080, old)
        self.start("ana")
        port.stopListening()
        self.network.settle(3)
        self.assertEqual(self.serving(), ["ana"])
        for connection in list(old.open):
            connection.transport.loseConnection()
        self.network.settle(1)
        self.assertTrue(self.nodes["ana"].info().registered)

    def test_what_was_asked_of_the_old_server_does_not_count_with_the_new_one(self):
        old = ScriptedServer(self.network.clock, granted(), listing(entry("ana")))
        port = self.network.reactor("127.0.0.1").listenTCP(8080, old)
        self.start("ana")
        for _ in range(20):
            self.network.settle(2.125)
            self.nodes["ana"].discover()
        self.network.settle()
        self.assertEqual(len(old.requests), 19)
        port.stopListening()
        self.network.settle(3)
        self.assertEqual(self.serving(), ["ana"])
        self.assertTrue(self.nodes["ana"].info().registered)

    def test_leaving_makes_room_for_another(self):
        self.start("ana", "bob")
        stopping = self.nodes.pop("ana").stopService()
        self.network.settle(3)
        self.successResultOf(stopping)
        self.assertEqual(self.serving(), ["bob"])

    def test_it_serves_only_if_it_may(self):
        self.start("ana", embedded=False)
        self.start("bob", host="rendezvous.example")
        self.network.settle(5)
        self.assertEqual(self.serving(), [])
        self.assertEqual(self.network.ports, {})

    def test_a_node_of_another_machine_finds_those_of_this_one(self):
        self.start("ana")
        self.start("bob", host="10.0.0.1", ip="10.0.0.2", embedded=False)
        self.assertEqual(
            [peer.address for peer in self.heard["bob"].last], [Address("10.0.0.1", 4000)]
        )
        self.assertEqual(self.heard["bob"].ips, ["10.0.0.2"])
        self.network.settle(60)
        self.assertEqual(
            [peer.address for peer in self.heard["ana"].last], [Address("10.0.0.2", 4001)]
        )

    def test_a_laptop_full_of_busy_nodes_blocks_itself_not(self):
        self.start(*[f"node{number}" for number in range(8)], interval=1)
        for _ in range(300):
            self.network.settle(1)
            for node in self.nodes.values():
                node.discover()
        self.assertEqual([heard.notices for heard in self.heard.values()], [[]] * 8)
        self.assertTrue(all(node.info().registered for node in self.nodes.values()))

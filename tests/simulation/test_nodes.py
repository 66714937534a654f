"""Whole nodes on a simulated network: finding each other, dialling at once, churn, backoff."""

from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from tests.simulation.network import Network
from tests.simulation.nodes import (
    SimulatedNode,
    all_connected,
    check_arrived,
    check_honesty,
    make_nodes,
)


def meet(seed: int, count: int, **conditions: object) -> tuple[Network, list[SimulatedNode]]:
    """Start nodes and let them find each other."""
    network = Network(seed, **conditions)
    nodes = make_nodes(network, count)
    for node in nodes:
        node.start()
    network.run_until(lambda: all_connected(nodes), limit_seconds=60)
    return network, nodes


class MeetingTests(SynchronousTestCase):
    """Nodes that start together."""

    def test_ten_nodes_find_each_other(self) -> None:
        network, nodes = meet(seed=1, count=10)
        self.assertEqual(network.errors, [])
        self.assertEqual(nodes[3].ups_and_downs(nodes[7]), ["up"])

    def test_both_dial_at_once_leaves_one_link_a_pair(self) -> None:
        for seed in range(12):
            network, nodes = meet(seed, count=3, latency=(0.2, 0.9), chunking=0.8)
            network.advance(30)
            for node in nodes:
                links = Counter(link.peer_id for link in node.node.links())
                self.assertEqual(set(links.values()), {1}, f"seed {seed}: {links}")
                for other in nodes:
                    self.assertNotIn("down", node.ups_and_downs(other), f"seed {seed}")
            self.assertEqual(network.errors, [])

    def test_messages_sent_while_links_are_sorted_out_arrive_once(self) -> None:
        for seed in range(6):
            network = Network(seed, latency=(0.1, 0.6), chunking=0.7)
            nodes = make_nodes(network, 3)
            for node in nodes:
                node.start()
            network.run_until(
                lambda nodes=nodes: all(len(node.node.peers()) == 2 for node in nodes),
                limit_seconds=30,
            )
            sent = [
                (node, other, node.send(other, f"{node.name} to {other.name}"))
                for node in nodes
                for other in nodes
                if node is not other
            ]
            network.advance(20)
            for node, other, msg_id in sent:
                self.assertEqual(node.deliveries(msg_id)[-1], "delivered", f"seed {seed}")
                shown = [event for event in other.received() if event.msg_id == msg_id]
                self.assertEqual(len(shown), 1, f"seed {seed}")
            check_honesty(nodes)

    def test_same_seed_same_log(self) -> None:
        first, _ = meet(seed=5, count=4, chunking=0.6)
        second, _ = meet(seed=5, count=4, chunking=0.6)
        other, _ = meet(seed=6, count=4, chunking=0.6)
        self.assertEqual(first.log, second.log)
        self.assertEqual(first.digest, second.digest)
        self.assertNotEqual(first.digest, other.digest)


class LossTests(SynchronousTestCase):
    """Nodes, links and the rendezvous come and go."""

    def test_a_crashed_node_is_noticed_and_found_again(self) -> None:
        network, nodes = meet(seed=2, count=3)
        nodes[2].crash()
        network.advance(100)  # two PINGs without an answer and the time to notice
        self.assertEqual(nodes[0].ups_and_downs(nodes[2]), ["up", "down"])
        nodes[2].start()
        network.run_until(lambda: all_connected(nodes), limit_seconds=60)
        self.assertEqual(nodes[0].ups_and_downs(nodes[2]), ["up", "down", "up"])

    def test_a_lost_link_is_dialled_again(self) -> None:
        network, nodes = meet(seed=3, count=2)
        network.cut(network.connections()[0])
        network.run_until(lambda: not all_connected(nodes), limit_seconds=10)
        network.run_until(lambda: all_connected(nodes), limit_seconds=10)

    def test_everybody_registers_again_when_the_rendezvous_comes_back(self) -> None:
        network, nodes = meet(seed=4, count=4)
        nodes[0].crash()
        network.advance(200)
        nodes[0].start()
        newcomer = make_nodes(network, 5)[4]
        newcomer.start()
        everybody = [*nodes, newcomer]
        network.run_until(lambda: all_connected(everybody), limit_seconds=120)

    def test_who_came_back_elsewhere_before_it_was_dialled_is_asked_for(self) -> None:
        network = Network(9)
        first, second = nodes = make_nodes(network, 2, discovery_interval=600)
        for node in nodes:
            node.start()
        network.run_until(
            lambda: first.peer_id in {peer.peer_id for peer in second.running.peers()},
            limit_seconds=10,
        )
        self.assertEqual(second.connected_to(), set())
        first.crash()
        first.port = 4001
        first.start()
        network.run_until(lambda: all_connected(nodes), limit_seconds=15)

    def test_a_partition_ends_and_heals(self) -> None:
        network, nodes = meet(seed=7, count=4)
        left, right = nodes[:2], nodes[2:]
        network.partition([node.ip for node in left], [node.ip for node in right])
        network.advance(150)
        self.assertFalse(left[0].connected_to() & {node.peer_id for node in right})
        self.assertTrue(all_connected(left))
        network.heal()
        network.run_until(lambda: all_connected(nodes), limit_seconds=120)
        check_honesty(nodes)

    def test_leaving_is_told_and_not_redialled(self) -> None:
        network, nodes = meet(seed=8, count=3)
        nodes[1].stop()
        network.advance(1)
        self.assertEqual(nodes[0].ups_and_downs(nodes[1]), ["up", "down"])
        seen = len(network.log)
        network.advance(40)
        dialled = [line for line in network.log[seen:] if f"{nodes[1].ip}:4000" in line]
        self.assertEqual(dialled, [])


class ChurnTests(SynchronousTestCase):
    """Links reset at random and nodes coming and going, for some simulated minutes."""

    def test_churn_loses_nothing_silently(self) -> None:
        for seed in range(4):
            self._churn(seed)

    def _churn(self, seed: int) -> None:
        network = Network(seed, resets=0.01, chunking=0.5, latency=(0.005, 0.2))
        nodes = make_nodes(network, 6)
        for node in nodes:
            node.start()
        for _ in range(40):
            network.advance(network.random.uniform(0.5, 6))
            self._stir(network, nodes)
        network.conditions.resets = 0.0
        for node in nodes:
            if node.node is None:
                node.start()
        network.advance(120)
        self.assertTrue(all_connected(nodes), f"seed {seed}")
        self.assertEqual(network.errors, [], f"seed {seed}")
        check_honesty(nodes)
        check_arrived(nodes)

    def _stir(self, network: Network, nodes: list[SimulatedNode]) -> None:
        """Send something, or crash, stop or start a node."""
        node = network.random.choice(nodes[1:])
        chance = network.random.random()
        if node.node is None:
            node.start()
        elif chance < 0.1:
            node.crash()
        elif chance < 0.2:
            node.stop()
        else:
            known = {peer.peer_id for peer in node.node.peers()}
            others = [other for other in nodes if other.peer_id in known]
            for other in others:
                node.send(other, f"{network.clock.now:.3f} {node.name} {other.name}")


class AbsentTests(SynchronousTestCase):
    """What is said to somebody who is not there."""

    def test_a_message_outlives_both_and_arrives_once(self) -> None:
        network, nodes = meet(seed=11, count=3)
        _, alice, bob = nodes
        bob.stop()
        network.advance(5)
        ids = [alice.send(bob, f"good night {number}") for number in range(3)]
        alice.crash()
        network.advance(3600)
        alice.start()
        network.advance(60)
        self.assertEqual(alice.outbox(), ids)
        bob.start()
        network.run_until(lambda: not alice.outbox(), limit_seconds=60)
        check_honesty(nodes)
        check_arrived(nodes)
        self.assertEqual([event.msg_id for event in bob.received()], ids)

    def test_both_crash_after_it_was_stored_and_before_its_ack_arrives(self) -> None:
        network, nodes = meet(seed=12, count=3, latency=(0.1, 0.1))
        _, alice, bob = nodes
        msg_id = alice.send(bob, "hi")
        network.run_until(lambda: bob.received(), limit_seconds=5)
        self.assertEqual(alice.deliveries(msg_id), ["queued", "sent"])
        alice.crash()
        bob.crash()
        network.advance(5)
        alice.start()
        bob.start()
        network.run_until(lambda: not alice.outbox(), limit_seconds=200)
        self.assertEqual(alice.deliveries(msg_id), ["queued", "sent", "delivered"])
        check_honesty(nodes)
        check_arrived(nodes)
        self.assertEqual(bob.shown[msg_id], 1)


class BackoffTests(SynchronousTestCase):
    """A peer that vanished is dialled with growing pauses, then left alone."""

    def test_backoff_grows_and_ends(self) -> None:
        network, nodes = meet(seed=9, count=2)
        nodes[1].crash()
        start = network.clock.now
        network.run_until(
            lambda: [peer.state for peer in nodes[0].node.peers()] == ["stale"],
            limit_seconds=300,
        )
        # 60 s at most until it is noticed as dead, then 2 + 4 + 8 + 16 + 32 s of pauses
        self.assertGreater(network.clock.now - start, 50)
        self.assertEqual(network.errors, [])

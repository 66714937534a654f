"""The figures of a chat node: of real ones on a simulated network, and of one that is played."""

from twisted.internet.defer import ensureDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.config import Archive
from p2pchat.identity import PeerId
from p2pchat.metrics.lateness import Lateness
from p2pchat.metrics.node import NodeMetrics, quantile_of
from tests.at_once import at_once
from tests.simulation.network import Network
from tests.simulation.nodes import make_nodes
from tests.test_metrics import Samples, samples


class NodeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.network = Network(1)
        self.nodes = make_nodes(self.network, 2)
        for node in self.nodes:
            node.start()
        lateness = Lateness(Clock())
        self.figures = [NodeMetrics(node.running, lateness) for node in self.nodes]
        self.network.run_until(lambda: self.nodes[0].connected_to(), limit_seconds=30)

    def gather(self, number: int) -> Samples:
        return samples(self.successResultOf(ensureDeferred(self.figures[number].metrics())))

    def test_a_message_is_counted_on_both_sides(self) -> None:
        ana, bob = self.nodes
        msg_id = ana.send(bob, "hi")
        ana.running.publish("*", "hello all")
        self.network.run_until(
            lambda: "delivered" in ana.deliveries(msg_id) and len(bob.received()) == 2,
            limit_seconds=30,
        )
        theirs, ours = self.gather(1), self.gather(0)
        self.assertEqual(ours["p2pchat_messages_total", ("pub", "sent")], 1)
        self.assertEqual(theirs["p2pchat_messages_total", ("send", "received")], 1)
        self.assertEqual(theirs["p2pchat_messages_total", ("pub", "received")], 1)
        for result in ("queued", "sent", "delivered"):
            self.assertEqual(ours["p2pchat_messages_total", ("send", result)], 1, result)
        self.assertNotIn(("p2pchat_messages_total", ("send", "failed")), ours)

    def test_a_publication_that_nobody_is_there_for_is_told_apart(self) -> None:
        self.nodes[0].running.publish("#nobody", "hello?")
        found = self.gather(0)
        self.assertEqual(found["p2pchat_messages_total", ("pub", "failed")], 1)
        self.assertNotIn(("p2pchat_messages_total", ("pub", "sent")), found)

    def test_links_and_what_waits_for_who_is_away(self) -> None:
        found = self.gather(0)
        links = [found["p2pchat_links", (direction,)] for direction in ("in", "out")]
        self.assertEqual(sum(links), 1)
        self.assertEqual(found["p2pchat_peers_connected", ()], 1)
        self.assertEqual(found["p2pchat_outbox_messages", ()], 0)
        at_once(self.nodes[0].running.send(PeerId("zed@CIC"), "are you there?"))
        self.assertEqual(self.gather(0)["p2pchat_outbox_messages", ()], 1)

    def test_round_trips_once_there_are_any(self) -> None:
        name = "p2pchat_peer_rtt_seconds"
        self.network.advance(70)
        found = self.gather(0)
        times = [found[name, (quantile,)] for quantile in ("0.5", "0.95", "1.0")]
        rtt = next(peer.rtt for peer in self.nodes[0].running.peers() if peer.rtt.count)
        assert rtt.p50 is not None
        self.assertEqual(times, [rtt.p50 / 1000] * 3)

    def test_without_an_archive_nothing_is_said_of_one(self) -> None:
        self.assertFalse([name for name, _ in self.gather(0) if "archive" in name])


class ArchiveTests(SynchronousTestCase):
    def test_its_height_and_size(self) -> None:
        network = Network(2)
        (node,) = make_nodes(network, 1, Archive())
        node.start()
        network.advance(1)
        metrics = NodeMetrics(node.running, Lateness(Clock()))
        found = samples(self.successResultOf(ensureDeferred(metrics.metrics())))
        info = node.running.archive.info()
        self.assertEqual(found["p2pchat_archive_height", ()], info.height)
        self.assertEqual(found["p2pchat_archive_limit_bytes", ()], info.limit)
        self.assertEqual(found["p2pchat_mining", ()], 0)
        self.assertIn(("p2pchat_mining_tries_per_second", ()), found)


class QuantileTests(SynchronousTestCase):
    def test_of_many_and_of_few(self) -> None:
        many = [float(number) for number in range(100)]
        self.assertEqual([quantile_of(many, q) for q in (0.5, 0.95, 1.0)], [50, 95, 99])
        self.assertEqual([quantile_of([7.0], q) for q in (0.0, 0.5, 1.0)], [7, 7, 7])

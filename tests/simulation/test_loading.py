"""Nodes that meet while they still read their archives."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.config import Archive as Settings
from tests.archive.mined import easy_proof
from tests.simulation.network import Network
from tests.simulation.nodes import make_nodes


class LoadingTests(SynchronousTestCase):
    def test_who_meets_before_the_archives_are_read_shares_them_all_the_same(self) -> None:
        """They introduced themselves without an archive, and nothing told of it later."""
        self.enterContext(easy_proof())
        for load in (0.1, 3.0, 20.0):
            network = Network(3, thread_time=(load, load))
            nodes = make_nodes(network, 2, archive=Settings())
            for node in nodes:
                node.start()
            network.advance(4 * load + 15.0)  # some calls in threads, one after the other
            infos = [node.running.archive.info() for node in nodes]
            self.assertEqual([len(info.peers) for info in infos], [1, 1], load)

"""A replica with nothing in it."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.archive.archive import Archive
from tests.archive.mined import easy_proof, grown, new_replica, texts

BASE = ("b0", "b1", "b2")


class ReplicaCase(SynchronousTestCase):
    def setUp(self):
        self.enterContext(easy_proof())
        self.base = grown(Archive(), *BASE)
        self.replica = new_replica()

    def assert_holds(self, *expected):
        self.assertEqual(texts(self.replica.archive), list(expected))

"""What tests of the registry in a file have in common."""

import sqlite3
from contextlib import closing

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.rendezvous.messages import Register
from p2pchat.rendezvous.sqlite_registry import SqliteRegistry
from tests.rendezvous.at_once import result_of
from tests.store.inline import InlinePool, InlineReactor
from tests.temporary import temporary_path

ANA = Register("CIC", "ana", 4000, 60)
BOB = Register("CIC", "bob", 4001, 7200)


#: Any time in this century, when a test begins.
START = 1_800_000_000


class CountingPool(InlinePool):
    """Counts how often a thread was needed."""

    jobs = 0

    def callInThreadWithCallback(self, *args):  # noqa: N802  Twisted's name
        self.jobs += 1
        InlinePool.callInThreadWithCallback(self, *args)


class SqliteCase(SynchronousTestCase):
    def setUp(self):
        self.path = temporary_path(self)
        self.reactor = InlineReactor()
        self.pool = CountingPool()
        self.wall_clock = START
        self.notices = []
        self.registry = self.open()

    def open(self, **bounds):
        registry = SqliteRegistry(
            *(self.reactor, self.pool, self.path),
            seconds=self.reactor.seconds,
            wall_clock=lambda: self.wall_clock,
            notify=lambda level, text: self.notices.append((level, text)),
            **{"max_entries": 1000, "max_per_ip": 100} | bounds,
        )
        result_of(registry.open())
        return registry

    def close(self):
        result_of(self.registry.close())
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def restart(self, **bounds):
        self.close()
        self.registry = self.open(**bounds)

    def pass_time(self, seconds):
        self.wall_clock += seconds
        self.reactor.advance(seconds)

    def register(self, *registrations, ip="10.0.0.1"):
        for registration in registrations or (ANA,):
            result_of(self.registry.register(ip, registration))

    def found(self, registry=None):
        peers = result_of((registry or self.registry).find(None)).peers
        return sorted((peer.name, peer.expires_in) for peer in peers)

    def in_file(self):
        """Return the names in the file, as another program sees them once ours let go of it."""
        with closing(sqlite3.connect(self.path)) as db:
            return sorted(name for (name,) in db.execute("SELECT name FROM registration"))

"""A process that registers peers in a file until it is killed, and says how many are written.

python -m tests.rendezvous.sqlite_child FILE
"""

import sys
import time
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import LoopingCall
from twisted.python.threadpool import ThreadPool

from p2pchat.rendezvous.messages import Register
from p2pchat.rendezvous.sqlite_registry import SqliteRegistry
from tests.rendezvous.at_once import result_of


class Child:
    def __init__(self, path):
        self.registered = 0
        self.registry = SqliteRegistry(
            *(reactor, ThreadPool(0, 1), path),
            seconds=reactor.seconds,
            wall_clock=time.time,
            notify=print,
            max_entries=1_000_000,
            max_per_ip=1_000_000,
        )
        write = self.registry._file.write

        def written(changes, later, *, whole):
            write(changes, later, whole=whole)
            last = max(int(key.name.split()[1]) for key in changes)
            sys.stdout.write(f"{last + 1}\n")
            sys.stdout.flush()

        self.registry._file.write = written

    def register(self):
        for _ in range(20):
            registration = Register("CIC", f"peer {self.registered}", 4000, 7200)
            result_of(self.registry.register("10.0.0.1", registration))
            self.registered += 1

    async def run(self):
        await self.registry.open()
        await LoopingCall(self.register).start(0.01)


if __name__ == "__main__":
    child = Child(Path(sys.argv[1]))
    reactor.callWhenRunning(lambda: ensureDeferred(child.run()))
    reactor.run()

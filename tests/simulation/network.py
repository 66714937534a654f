"""A whole network in one process, on virtual time, from one seed.

    network = Network(seed=7, latency=(0.01, 0.2), chunking=0.5)
    alice, bob = network.host("10.0.0.1"), network.host("10.0.0.2")
    bob.listenTCP(4000, factory)
    alice.connectTCP("10.0.0.2", 4000, client_factory)
    network.run_until(lambda: client_factory.done, limit_seconds=10)

`host()` returns a reactor for services that have theirs injected. What runs on it must take time,
chance and threads from what it was given: then the same seed gives the same run, event by event,
and the same log, byte for byte. The random module itself is driven from the seed too while the
network runs, since Twisted's ReconnectingClientFactory draws its jitter there.

- A machine that never ran a process does not answer; one that crashed answers with RST.
- Across a partition nothing passes and nothing ends. Healed, what was held goes on, in order,
  after Conditions.retransmission. After wire.GIVE_UP_AFTER it is lost to whoever sent something.
- An exception in a callback ends its connection, goes to Twisted's log (which fails a trial test
  unless it is flushed) and to `errors`, with every other failure logged while the network runs.
"""

import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from typing import Any

from twisted.logger import LogEvent, globalLogPublisher
from twisted.python.failure import Failure

from tests.simulation.clock import VirtualClock
from tests.simulation.conditions import Conditions
from tests.simulation.connection import State, StreamSocket
from tests.simulation.eventlog import EventLog
from tests.simulation.machine import Machine, Shelter, is_loopback
from tests.simulation.reactor import HostReactor
from tests.simulation.wire import Stream

TAIL = 40  # lines of the log in a failure


class Network:
    """The machines, what lies between them, and the one clock.

    `conditions` may change at any moment; keyword arguments set its fields. `window` is how many
    bytes of one direction may be sent and not yet read. `log_lines` bounds the log; 0 turns it off.
    `names` is what lookups know beside IPv4 addresses.
    """

    def __init__(
        self, seed: int, *, window: int = 65536, log_lines: int = 20_000, **conditions: Any
    ) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self.clock = VirtualClock()
        self.conditions = Conditions(**conditions)
        self.window = window
        self.names = {"localhost": "127.0.0.1"}
        self.errors: list[Failure] = []
        self.stalled: list[Stream] = []
        #: Between which machines a connection was reset, so that what was sent may not have come.
        self.broken: set[frozenset[str]] = set()
        self._machines: dict[str, Machine] = {}
        self._parted: set[tuple[str, str]] = set()
        self._log = EventLog(log_lines)
        self.tracing = self._log.enabled
        self._chance_of_others = random.Random(self.random.random()).getstate()
        self._running = False

    # For tests

    def host(self, ip: str) -> HostReactor:
        """The reactor of a machine; a new one if it never ran, or has stopped or crashed."""
        if is_loopback(str(IPv4Address(ip))):
            raise ValueError(f"{ip} is every machine's own")
        machine = self._machine(ip)
        if machine.process is None:
            machine.process, machine.booted = HostReactor(self, machine), True
            self.trace(f"{ip} started")
            machine.process.startRunning(installSignalHandlers=False)
        return machine.process

    def process(self, ip: str) -> HostReactor | None:
        """The reactor of a machine, if it has one now."""
        return self._machine(ip).process

    def advance(self, seconds: float) -> None:
        """Run everything that happens in the next seconds."""
        deadline = self.clock.now + seconds
        with self._run():
            while self.clock.step(deadline):
                pass

    def run_until(self, condition: Callable[[], object], limit_seconds: float) -> None:
        """Run event by event until the condition holds.

        Raises AssertionError with the end of the log if it does not within limit_seconds.
        """
        deadline = self.clock.now + limit_seconds
        more = True
        with self._run():
            while not condition():
                if not more:
                    raise AssertionError(self._report(f"not so within {limit_seconds} s"))
                more = self.clock.step(deadline)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Collect errors that are logged though nothing runs, as by the garbage collector."""
        with self._run():
            yield

    @property
    def log(self) -> list[str]:
        """What happened, oldest first: time, event."""
        return self._log.lines()

    @property
    def digest(self) -> str:
        """A digest of the whole log, also of the part that is not kept."""
        return self._log.digest()

    def partition(self, group_a: Iterable[str], group_b: Iterable[str]) -> None:
        """Let nothing pass between the machines of two groups, on top of other partitions."""
        left, right = sorted(group_a), sorted(group_b)
        self.trace(f"partition {','.join(left)} | {','.join(right)}")
        self._parted |= {(a, b) for a in left for b in right} | {
            (b, a) for a in left for b in right
        }

    def heal(self) -> None:
        """End all partitions."""
        self.trace("heal")
        self._parted.clear()
        stalled, self.stalled = self.stalled, []
        for stream in stalled:
            stream.resume()

    def crash(self, ip: str) -> None:
        """End the process of a machine at once: no FIN, no timers, no listening ports."""
        self.trace(f"{ip} crashed")
        self._machine(ip).vanish()

    def shelter(self, ip: str, answer: Shelter = "silent") -> None:
        """Put a machine behind a router that lets nobody in, as NAT does; "" takes it away."""
        self.trace(f"{ip} is sheltered: {answer}")
        self._machine(ip).sheltered = answer

    def connections(self) -> list[StreamSocket]:
        """The dialling end of every connection that both ends hold open."""
        ends = [end for machine in self._machines.values() for end in machine.connections()]
        return [end for end in ends if end.dialled and end.peer.state is State.CONNECTED]

    def cut(self, connection: Any) -> None:
        """Reset one connection, given by one of connections() or by the transport of either end."""
        end = connection if isinstance(connection, StreamSocket) else connection.socket
        self.trace(f"cut {end.name} {end.peer.name}")
        end.cut()

    def half_open(self, connection: StreamSocket) -> None:
        """Let all that is sent on one connection vanish, as when a router forgot it."""
        self.trace(f"half open {connection.name} {connection.peer.name}")
        connection.half_open()

    # For the parts of the simulation

    def trace(self, event: str) -> None:
        """Write a line of the log."""
        self._log.add(self.clock.now, event)

    def reachable(self, source: str, target: str) -> bool:
        """Whether segments pass from one machine to another now."""
        return (source, target) not in self._parted

    def machine_at(self, ip: str, asking: Machine) -> Machine:
        """The machine that an address means to another one."""
        return asking if asking.has_address(ip) else self._machine(ip)

    def has_bad_luck(self) -> bool:
        """Whether the connection that sends now is reset instead."""
        resets = self.conditions.resets
        return resets > 0 and self.random.random() < resets

    def duration_in_thread(self) -> float:
        """Draw what a call in a thread takes, in seconds."""
        return self.random.uniform(*self.conditions.thread_time)

    def _machine(self, ip: str) -> Machine:
        if ip not in self._machines:
            self._machines[ip] = Machine(self, ip)
        return self._machines[ip]

    @contextmanager
    def _run(self) -> Iterator[None]:
        """Collect errors, and lend the random module our seed, while events run."""
        if self._running:
            raise RuntimeError("the network runs already: this was called from one of its events")
        self._running = True
        outside = random.getstate()
        random.setstate(self._chance_of_others)
        globalLogPublisher.addObserver(self._collect)
        try:
            yield
        finally:
            globalLogPublisher.removeObserver(self._collect)
            self._chance_of_others = random.getstate()
            random.setstate(outside)
            self._running = False

    def _collect(self, event: LogEvent) -> None:
        failure = event.get("log_failure")
        if failure is not None:
            self.errors.append(failure)
            self.trace(f"error {failure.type.__qualname__}")

    def _report(self, problem: str) -> str:
        errors = [failure.getErrorMessage() for failure in self.errors]
        return "\n".join([f"seed {self.seed}: {problem}", *self.log[-TAIL:], *errors])

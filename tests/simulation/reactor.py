"""The reactor of one simulated machine.

Everything above the socket is Twisted's own: ReactorBase, its ports, connectors and transports,
with all their habits. Simulated are only the clock, the sockets, name lookups and threads.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.base import DelayedCall, ReactorBase
from twisted.internet.interfaces import IReactorTCP
from twisted.logger import Logger
from zope.interface import implementer

from tests.simulation.machine import Machine
from tests.simulation.polling import Polling
from tests.simulation.tcp import SimulatedConnector, SimulatedPort, SimulatedResolver
from tests.simulation.threads import SimulatedThreadPool

if TYPE_CHECKING:
    from tests.simulation.network import Network

# ruff: noqa: N802, N803 - camelCase marks an override of a Twisted name

_log = Logger()


@implementer(IReactorTCP)
class HostReactor(Polling, ReactorBase):
    """A process on a simulated machine; it runs from the start, until stop() or a crash.

    It works in turns, as a real reactor does: calls from threads, then every descriptor that is
    ready. Data written before a turn leaves in it as one segment. Timers run between turns. An
    exception from a callback is logged, which fails a trial test and shows in Network.errors.
    """

    _registerAsIOThread = False  # noqa: N815 - Twisted's

    def __init__(self, network: "Network", machine: Machine) -> None:
        self.network = network
        self._clock = network.clock
        self._timers: dict[DelayedCall, None] = {}  # a dict keeps their order
        self._turn_scheduled = False
        super().__init__(machine)
        self._pool = SimulatedThreadPool(self)
        self.installResolver(SimulatedResolver(network.names))
        self.addSystemEventTrigger("during", "shutdown", self._pool.stop)

    @property
    def alive(self) -> bool:
        """Whether this is still the process of its machine."""
        return self.machine.process is self

    # IReactorTCP

    def listenTCP(
        self, port: int, factory: Any, backlog: int = 50, interface: str = ""
    ) -> SimulatedPort:
        """Listen; port 0 takes a free one. Raises CannotListenError."""
        listening = SimulatedPort(port, factory, backlog, interface, self)
        listening.startListening()
        return listening

    def connectTCP(
        self, host: str, port: int, factory: Any, timeout: float = 30, bindAddress: Any = None
    ) -> SimulatedConnector:
        """Start to connect to an IPv4 address or to a name of Network.names."""
        connector = SimulatedConnector(host, port, factory, timeout, bindAddress, self)
        connector.connect()
        return connector

    # IReactorTime

    def seconds(self) -> float:
        """The virtual time."""
        return self._clock.now

    def callLater(
        self, delay: float, callable: Callable[..., Any], *args: object, **kw: object
    ) -> DelayedCall:
        """Call later, at exactly that virtual time; calls of one time run in the order made."""
        assert delay >= 0, f"{delay} is not greater than or equal to 0 seconds"
        time = self._clock.now + delay
        call = DelayedCall(
            time, callable, args, kw, self._timers.pop, self._arm_timer, self.seconds
        )
        self._timers[call] = None
        self._arm_timer(call)
        return call

    def getDelayedCalls(self) -> Sequence[DelayedCall]:
        """The timers of this machine that have not run."""
        return list(self._timers)

    def _arm_timer(self, call: DelayedCall) -> None:
        call.activate_delay()
        self._clock.call_at(call.time, self._fire, call)

    def _fire(self, call: DelayedCall) -> None:
        if not self.alive or not call.active():
            return
        if call.getTime() > self._clock.now:
            self._arm_timer(call)
            return
        del self._timers[call]
        call.called = 1
        if self.network.tracing:
            self.network.trace(f"{self.machine.ip} timer {_name_of(call.func)}")
        self._guard(call.func, *call.args, **call.kw)

    # IReactorThreads

    def getThreadPool(self) -> SimulatedThreadPool:
        """The pool of this process."""
        return self._pool

    def run_at(self, time: float, function: Callable[..., object], *args: object) -> None:
        """Run something of this process that is no timer at that time, if it still lives then."""
        self._clock.call_at(time, self._run, function, args)

    def _run(self, function: Callable[..., object], args: tuple[object, ...]) -> None:
        if self.alive:
            self._guard(function, *args)

    def _guard(self, function: Callable[..., object], *args: object, **kw: object) -> None:
        try:
            function(*args, **kw)
        except Exception:  # noqa: BLE001 - it must not stop the reactor, as in Twisted
            _log.failure("in a timer or a thread")

    # IReactorCore

    def stop(self) -> None:
        """End the process: shutdown events, then every connection is lost, then it is gone."""
        super().stop()
        self.wakeUp()

    def crash(self) -> None:
        """End the process without shutdown events; the kernel closes its sockets.

        This is IReactorCore's crash, also the last step of stop(). Network.crash() is something
        else: there nobody closes anything.
        """
        super().crash()
        self._clock.call_at(self._clock.now, self._end)

    def _end(self) -> None:
        if self.alive:
            self.network.trace(f"{self.machine.ip} ended")
            self.machine.end_process()

    def installWaker(self) -> None:
        """Do nothing: wakeUp() needs no pipe."""

    def wakeUp(self) -> None:
        """Take a turn soon."""
        if not self._turn_scheduled:
            self._turn_scheduled = True
            self._clock.call_at(self._clock.now, self._turn)

    def _turn(self) -> None:
        self._turn_scheduled = False
        if self.alive:
            self.runUntilCurrent()
            self.serve_ready()


def _name_of(function: Any) -> str:
    return getattr(function, "__qualname__", None) or type(function).__qualname__

"""A small network on one fake clock: machines by IP address, each a reactor for what runs on it."""

from collections.abc import Callable
from typing import Any, NamedTuple

from twisted.internet.address import IPv4Address
from twisted.internet.error import (
    CannotListenError,
    ConnectionRefusedError,
    NotConnectingError,
    TimeoutError,
    UserError,
)
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from p2pchat.identity import Address, is_loopback
from tests.chat.pipe import Connection, connect

#: One way, in seconds, unless a test says otherwise.
LATENCY = 0.001

#: How late every call runs, in seconds. A reactor is always a little late; on a clock that is exact
#: a LoopingCall may, by a rounding error, find that it is early, and call once more.
LATE = 1e-6

#: More steps of the clock than any test needs.
MAX_STEPS = 200_000


class Dial(NamedTuple):
    """An attempt to connect: when, where to, and where from."""

    time: float
    address: Address
    source: str


class World:
    """Everything outside of the nodes: time, and who answers at which address."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.dials: list[Dial] = []
        self.connections: list[Connection] = []
        #: (client ip, server ip) -> latency of what the client and of what the server writes.
        self.latencies: dict[tuple[str, str], tuple[float, float]] = {}
        #: Addresses that swallow a SYN.
        self.black_holes: set[Address] = set()
        self.listeners: dict[Address, Any] = {}
        self._ports = 50_000

    @property
    def now(self) -> float:
        return self.clock.seconds()

    def machine(self, ip: str) -> "Machine":
        return Machine(self, ip)

    def free_port(self) -> int:
        self._ports += 1
        return self._ports

    def run(self, seconds: float) -> None:
        """Let time pass; each call runs at the time it was meant for."""
        end = self.now + seconds
        for _ in range(MAX_STEPS):
            due = self.clock.calls[0].getTime() if self.clock.calls else end + 1
            if due > end:
                break
            self.clock.rightNow = max(due + LATE, self.now)
            self.clock.advance(0)
        else:
            raise AssertionError("something keeps calling itself")
        self.clock.rightNow = max(end, self.now)


class Machine:
    """A reactor, as far as a chat service needs one."""

    def __init__(self, world: World, ip: str) -> None:
        self.world = world
        self.ip = ip

    def seconds(self) -> float:
        return self.world.now

    def callLater(self, delay: float, call: Callable[..., object], *args: Any) -> IDelayedCall:
        assert delay >= 0, "a delay in the past"
        return self.world.clock.callLater(delay, call, *args)

    def getDelayedCalls(self) -> list[IDelayedCall]:
        return list(self.world.clock.getDelayedCalls())

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> "Port":
        address = Address(self.ip, port or self.world.free_port())
        if address in self.world.listeners:
            raise CannotListenError(interface, port, OSError(98, "Address already in use"))
        self.world.listeners[address] = factory
        return Port(self.world, address, interface)

    def connectTCP(
        self,
        host: str,
        port: int,
        factory: Any,
        timeout: float = 30,
        bindAddress: tuple[str, int] | None = None,  # noqa: N803 - Twisted's name
    ) -> "Connector":
        connector = Connector(self, Address(host, port), factory, timeout, bindAddress)
        connector.connect()
        return connector


class Port:
    """A listening port."""

    def __init__(self, world: World, address: Address, interface: str) -> None:
        self._world = world
        self._address = address
        self._interface = interface or "0.0.0.0"

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", self._interface, self._address.port)

    def stopListening(self) -> None:
        self._world.listeners.pop(self._address, None)


class Connector:
    """An attempt to connect, with the states and the order of calls of Twisted's own."""

    def __init__(
        self,
        machine: Machine,
        address: Address,
        factory: Any,
        timeout: float,
        source: tuple[str, int] | None,
    ) -> None:
        self.state = "disconnected"
        self._world = machine.world
        self._address = address
        here = machine.ip
        self._target = Address(here, address.port) if is_loopback(address.host) else address
        own = "127.0.0.1" if is_loopback(address.host) else here
        self._source = source[0] if source else own
        self._factory = factory
        self._timeout = timeout
        self._attempt: IDelayedCall | None = None

    def connect(self) -> None:
        self._world.dials.append(Dial(self._world.now, self._address, self._source))
        self.state = "connecting"
        self._factory.startedConnecting(self)
        if self._target in self._world.black_holes:
            self._attempt = self._world.clock.callLater(self._timeout, self._fail, TimeoutError())
        else:
            self._attempt = self._world.clock.callLater(LATENCY, self._arrive)

    def stopConnecting(self) -> None:
        if self.state != "connecting":
            raise NotConnectingError("we're not trying to connect")
        assert self._attempt is not None
        self._attempt.cancel()
        self._fail(UserError())

    def _fail(self, error: Exception) -> None:
        self.state = "disconnected"
        self._factory.clientConnectionFailed(self, Failure(error))

    def _arrive(self) -> None:
        listener = self._world.listeners.get(self._target)
        if listener is None:
            self._fail(ConnectionRefusedError())
            return
        here = IPv4Address("TCP", self._source, self._world.free_port())
        there = IPv4Address("TCP", *self._address)
        server = listener.buildProtocol(here)
        client = self._factory.buildProtocol(there)
        self.state = "connected"
        latencies = self._world.latencies.get((self._source, self._target.host))
        connection = connect(
            self._world.clock,
            client,
            server or _Closes(),
            (here, there),
            latencies or (LATENCY, LATENCY),
        )
        connection.client.on_lost = self._lost
        self._world.connections.append(connection)

    def _lost(self, reason: Failure) -> None:
        self.state = "disconnected"
        self._factory.clientConnectionLost(self, reason)


class _Closes(Protocol):
    """What a connection meets that the kernel accepted and the program did not want."""

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.loseConnection()

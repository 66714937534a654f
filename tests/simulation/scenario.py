"""A busy quarter of a minute on a simulated network, for tests of its determinism and speed."""

from typing import Any

from twisted.internet.protocol import Factory, ReconnectingClientFactory
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThreadPool
from twisted.protocols.basic import LineReceiver

from tests.simulation.network import Network
from tests.simulation.protocols import PORT, LineEcho, factory_of
from tests.simulation.reactor import HostReactor


class Chatter(LineReceiver):
    """Sends bursts of lines of random length, hands what it gets to a thread, at times hangs up."""

    delimiter = b"\n"
    factory: "ChatterFactory"

    def connectionMade(self) -> None:
        self.factory.resetDelay()
        self._talk = LoopingCall(self._say)
        self._talk.clock = self.factory.clock
        self._talk.start(0.05)

    def connectionLost(self, reason: Any = None) -> None:
        if self._talk.running:
            self._talk.stop()

    def lineReceived(self, line: bytes) -> None:
        host = self.factory.clock
        deferToThreadPool(host, host.getThreadPool(), len, line)

    def _say(self) -> None:
        random = self.factory.clock.network.random
        for _ in range(random.randint(0, 3)):
            self.sendLine(b"x" * random.randint(0, 200))
        if random.random() < 0.01:
            self.transport.loseConnection()


class ChatterFactory(ReconnectingClientFactory):
    """Keeps redialling; its jitter comes from the random module."""

    noisy = False
    protocol = Chatter
    maxDelay = 2
    initialDelay = 0.1

    def __init__(self, host: HostReactor) -> None:
        self.clock = host


def busy(seed: int, hosts: int = 5, seconds: float = 15, **conditions: Any) -> Network:
    """Run hosts that all talk to each other while links, machines and the network fail."""
    conditions = {"resets": 0.001, "chunking": 0.5} | conditions
    network = Network(seed, **conditions)
    ips = [f"10.0.0.{number}" for number in range(1, hosts + 1)]
    for ip in ips:
        start(network, ip, ips, factory_of(LineEcho))
    while network.clock.now < seconds:
        network.advance(network.random.uniform(0.1, 1))
        spoil(network, ips)
    return network


def start(network: Network, ip: str, others: list[str], factory: Factory) -> None:
    """Let a machine listen, and dial all others."""
    host = network.host(ip)
    host.listenTCP(PORT, factory)
    for other in others:
        if other != ip:
            host.connectTCP(other, PORT, ChatterFactory(host), timeout=5)


def spoil(network: Network, ips: list[str]) -> None:
    """Do one of the things that happen to networks."""
    choice = network.random.randrange(4)
    connections = network.connections()
    if choice == 0:
        split = network.random.randrange(1, len(ips))
        network.partition(ips[:split], ips[split:])
    elif choice == 1:
        ip = network.random.choice(ips)
        network.crash(ip)
        start(network, ip, ips, factory_of(LineEcho))
    elif choice == 2 and connections:
        network.cut(network.random.choice(connections))
    else:
        network.heal()

"""TCP in memory on a fake clock: enough of it for one request a connection.

    machines = Network()
    server, client = machines.reactor("10.0.0.1"), machines.reactor("10.0.0.2")
    server.listenTCP(8080, factory)
    client.connectTCP("10.0.0.1", 8080, client_factory)
    machines.clock.advance(0)

What is written arrives when the clock is advanced, by any amount. A transport whose `reading` is
False takes nothing, and whoever writes to it cannot finish. Whoever closes without having read all
that came resets the connection, and what it wrote last is lost.
"""

from collections import deque
from errno import EADDRINUSE

from twisted.internet.address import IPv4Address
from twisted.internet.error import (
    CannotListenError,
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
    TimeoutError,
    UserError,
)
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import ClientFactory, Protocol
from twisted.internet.task import Clock
from twisted.python.failure import Failure

#: Most bytes that arrive at once.
CHUNK = 16_384

#: Seconds in which time passes; a power of two, so that sums are exact.
STEP = 1 / 16

_END = object()
_CLOSE = object()


class Network:
    """Machines by IP; those in `dead` never answer a connection, nor refuse it."""

    def __init__(self):
        self.clock = Clock()
        self.ports = {}
        self.dead = set()
        self.connections = 0
        self._next_port = 50_000

    def reactor(self, ip="127.0.0.1"):
        return MemoryReactor(self, ip)

    def free_port(self):
        self._next_port += 1
        return self._next_port

    def listener(self, host, port):
        host = "127.0.0.1" if host == "localhost" else host
        return self.ports.get((host, port)) or self.ports.get(("", port))

    def settle(self, seconds=0.0):
        """Let everything happen that is due, then let time pass in small steps."""
        self.clock.advance(0)
        for _ in range(round(seconds / STEP)):
            self.clock.advance(STEP)


class MemoryReactor:
    """One process's reactor; whatever it connects to sees its machine's IP, or its loopback."""

    def __init__(self, network, ip):
        self.network = network
        self.ip = ip
        self.seconds = network.clock.seconds
        self.bind_error = None
        self._timers = []
        self._ports = []

    def callLater(self, delay, callable, *args, **kwargs):
        self._timers = [timer for timer in self._timers if timer.active()]
        timer = self.network.clock.callLater(delay, callable, *args, **kwargs)
        self._timers.append(timer)
        return timer

    def kill(self):
        """End the process: its timers and its ports are gone, nobody is told."""
        for timer in self._timers:
            if timer.active():
                timer.cancel()
        for port in self._ports:
            port.close()

    def listenTCP(self, port, factory, backlog=50, interface=""):
        if self.bind_error is not None:
            raise self.bind_error
        if self.network.listener(interface, port) is not None:
            raise CannotListenError(interface, port, OSError(EADDRINUSE, "in use"))
        self._ports.append(MemoryPort(self.network, (interface, port), factory))
        return self._ports[-1]

    def connectTCP(self, host, port, factory, timeout=30, bindAddress=None):  # noqa: N803  IReactorTCP's name
        source = bindAddress[0] if bindAddress else self._source(host)
        client = IPv4Address("TCP", source, self.network.free_port())
        connector = MemoryConnector(self.network, client, (host, port), factory)
        connector.start(timeout)
        return connector

    def _source(self, host):
        return "127.0.0.1" if host in ("localhost", "127.0.0.1") else self.ip


class MemoryPort:
    def __init__(self, network, key, factory):
        self._network = network
        self._key = key
        self.factory = factory
        network.ports[key] = self
        factory.doStart()

    def stopListening(self):
        self.close()
        self.factory.doStop()

    def close(self):
        if self._network.ports.get(self._key) is self:
            del self._network.ports[self._key]


class MemoryConnector:
    def __init__(self, network, client, target, factory):
        self._network = network
        self._client = client
        self._target = target
        self._factory = factory
        self._timeout = None
        self.state = "connecting"

    def start(self, timeout):
        self._factory.doStart()
        clock = self._network.clock
        self._timeout = clock.callLater(timeout, self._fail, TimeoutError())
        if self._target[0] not in self._network.dead:
            clock.callLater(0, self._connect)

    def disconnect(self):
        if self.state == "connecting":
            self._fail(UserError())
        elif self.state == "connected":
            self.transport.loseConnection()

    def _connect(self):
        if self.state != "connecting":
            return
        port = self._network.listener(*self._target)
        if port is None:
            self._fail(ConnectionRefusedError())
            return
        self._cancel_timeout()
        self.state = "connected"
        self._network.connections += 1
        host = "127.0.0.1" if self._target[0] == "localhost" else self._target[0]
        server = IPv4Address("TCP", host, self._target[1])
        protocol = self._factory.buildProtocol(server)
        self.transport = MemoryTransport(self._network.clock, self._client, server)
        self.transport.ended = self._ended
        accepted = port.factory.buildProtocol(self._client)
        far = MemoryTransport(self._network.clock, server, self._client)
        self.transport.other, far.other = far, self.transport
        self.transport.attach(protocol)
        if accepted is None:
            far.abortConnection()
        else:
            far.attach(accepted)

    def _fail(self, error):
        self.state = "disconnected"
        self._cancel_timeout()
        self._factory.clientConnectionFailed(self, Failure(error))
        self._factory.doStop()

    def _ended(self, reason):
        self.state = "disconnected"
        self._factory.clientConnectionLost(self, reason)
        self._factory.doStop()

    def _cancel_timeout(self):
        if self._timeout.active():
            self._timeout.cancel()


class MemoryTransport:
    """One end of a connection."""

    def __init__(self, clock, host, peer):
        self._clock = clock
        self._host = host
        self._peer = peer
        self._queue = deque()
        self._wants_to_read = True
        self._left_unread = False
        self._write_ended = False
        self.disconnecting = False
        self.producer = None
        self.protocol = None
        self.other = None
        self.connected = True
        self.reading = True
        self.ended = lambda reason: None

    def attach(self, protocol):
        self.protocol = protocol
        protocol.makeConnection(self)

    def getHost(self):
        return self._host

    def getPeer(self):
        return self._peer

    def write(self, data):
        if type(data) is not bytes:
            raise TypeError("bytes are written")
        if self.connected and not self._write_ended:
            for start in range(0, len(data), CHUNK):
                self._put(data[start : start + CHUNK])

    def loseWriteConnection(self):  # noqa: N802  ITCPTransport's name
        if not self._write_ended:
            self._write_ended = True
            self._put(_END)

    def pauseProducing(self):
        self._wants_to_read = False

    def registerProducer(self, producer, streaming):
        assert not streaming
        self.producer = producer
        producer.resumeProducing()

    def unregisterProducer(self):
        self.producer = None
        if self.connected and self.disconnecting:
            self._put(_CLOSE)

    def loseConnection(self):
        if self.connected and not self.disconnecting:
            self.disconnecting = True
            self._wants_to_read = False
            if self.producer is None:
                self._put(_CLOSE)

    def abortConnection(self):
        if self.connected:
            self._lost(ConnectionAborted())
            self._clock.callLater(0, self.other.reset)

    def reset(self):
        """The other end aborted."""
        self._lost(ConnectionLost())

    def read_on(self):
        """Take what was held back."""
        self.reading = True
        self._clock.callLater(0, self.other.flush)

    def flush(self):
        """Hand to the other end what it takes."""
        if self._left_unread and self.disconnecting and self.connected:
            self._lost(ConnectionDone())
            self.other.reset()
        while self._queue and self.connected and self.other.reading:
            item = self._queue.popleft()
            if item is _END:
                self.other.read_ended()
            elif item is _CLOSE:
                self._lost(ConnectionDone())
                self.other.read_ended()
            elif self.other.connected and self.other._wants_to_read:
                self.other.protocol.dataReceived(item)
            else:
                self.other._left_unread = True
            if not self._queue and self.producer is not None:
                self.producer.resumeProducing()

    def read_ended(self):
        if not self.connected:
            return
        if IHalfCloseableProtocol(self.protocol, None) is not None:
            self.protocol.readConnectionLost()
        else:
            self._close()

    def _close(self):
        self._lost(ConnectionDone())
        self._clock.callLater(0, self.other.read_ended)

    def _put(self, item):
        self._queue.append(item)
        self._clock.callLater(0, self.flush)

    def _lost(self, error):
        if not self.connected:
            return
        self.connected = False
        if self.producer is not None:
            self.producer.stopProducing()
        reason = Failure(error)
        if self.protocol is not None:
            self.protocol.connectionLost(reason)
        self.ended(reason)


class RawClient(Protocol):
    """Sends what it is told and keeps what it gets."""

    def __init__(self, sends=b"", reads=True):
        self._sends = sends
        self._reads = reads
        self.received = b""
        self.closed = None

    def connectionMade(self):
        self.transport.reading = self._reads
        if self._sends:
            self.transport.write(self._sends)

    def dataReceived(self, data):
        self.received += data

    def connectionLost(self, reason):
        self.closed = reason.value


def connect(reactor, host, port, sends=b"", reads=True):
    """Connect a RawClient; what it sends is on its way when the connection stands."""
    client = RawClient(sends, reads)
    reactor.connectTCP(host, port, _Fixed(client))
    return client


class _Fixed(ClientFactory):
    noisy = False

    def __init__(self, protocol):
        self._protocol = protocol

    def buildProtocol(self, addr):
        return self._protocol

"""An in-memory TCP connection on a fake clock: each write is one segment, recorded with its time.

What the other side has not read yet is in the kernel's buffer up to KERNEL bytes; what is more
waits in the transport, which then tells its producer to pause, as a Twisted transport does, and
can't close before it is rid of it.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

#: Unread bytes that the kernel takes.
KERNEL = 65536


class Segment(NamedTuple):
    """One write: when, and what."""

    time: float
    data: bytes


class End:
    """One end of a connection, as its protocol sees it: a transport."""

    def __init__(
        self, clock: IReactorTime, latency: float, host: IPv4Address, peer: IPv4Address
    ) -> None:
        self.other: End
        self.protocol: Any = None
        self.written: list[Segment] = []
        self.unread = 0
        self.disconnecting = False
        self.closed = False
        self.no_delay = False
        self.on_lost: Callable[[Failure], None] = lambda reason: None
        self.host = host
        self.peer = peer
        self._clock = clock
        self._latency = latency
        self._arrived: deque[bytes | Failure] = deque()
        self._reading = True
        self._producer: Any = None
        self._producer_paused = False

    # What a protocol asks of a transport

    def write(self, data: bytes) -> None:
        if self.closed or not data:
            return
        self.written.append(Segment(self._clock.seconds(), bytes(data)))
        self.unread += len(data)
        self._clock.callLater(self._latency, self.other._arrive, data)
        if self.unread > KERNEL and self._producer and not self._producer_paused:
            self._producer_paused = True
            self._producer.pauseProducing()

    def loseConnection(self) -> None:
        if self.closed or self.disconnecting:
            return
        self.disconnecting = True
        if self.unread <= KERNEL:
            self._clock.callLater(0, self._finish)

    def abortConnection(self) -> None:
        if not self.closed:
            self.disconnecting = True
            self._clock.callLater(0, self._abort)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        assert streaming, "only push producers are known here"
        assert self._producer is None, "a second producer"
        self._producer = producer

    def unregisterProducer(self) -> None:
        self._producer = None

    def pauseProducing(self) -> None:
        self._reading = False

    def resumeProducing(self) -> None:
        self._reading = True
        self._clock.callLater(0, self._read)

    def setTcpNoDelay(self, enabled: bool) -> None:
        self.no_delay = enabled

    def getPeer(self) -> IPv4Address:
        return self.peer

    def getHost(self) -> IPv4Address:
        return self.host

    # What a test does to it

    def cut(self) -> None:
        """Lose the connection without a word, as when a cable is pulled and both sides notice."""
        self._lose(ConnectionLost())
        self.other._lose(ConnectionLost())

    # What happens by itself

    def _arrive(self, data: "bytes | Failure") -> None:
        self._arrived.append(data)
        self._read()

    def _read(self) -> None:
        while self._arrived and self._reading and not (self.disconnecting or self.closed):
            data = self._arrived.popleft()
            if isinstance(data, Failure):
                self._lose(data.value)
            else:
                self.other._was_read(len(data))
                self.protocol.dataReceived(data)

    def _was_read(self, size: int) -> None:
        self.unread -= size
        if self.unread > KERNEL or self.closed:
            return
        if self._producer and self._producer_paused:
            self._producer_paused = False
            self._producer.resumeProducing()
        elif self.disconnecting:
            self._finish()

    def _finish(self) -> None:
        if not self.closed:
            self._clock.callLater(self._latency, self.other._arrive, Failure(ConnectionDone()))
            self._lose(ConnectionDone())

    def _abort(self) -> None:
        self._clock.callLater(self._latency, self.other._lose, ConnectionLost())
        self._lose(ConnectionAborted())

    def _lose(self, error: Exception) -> None:
        if self.closed:
            return
        self.closed = True
        self._arrived.clear()
        if self._producer is not None:
            self._producer.stopProducing()
        reason = Failure(error)
        self.protocol.connectionLost(reason)
        self.on_lost(reason)


class Connection(NamedTuple):
    """Both ends of a connection."""

    client: End
    server: End


def connect(
    clock: IReactorTime,
    client: Any,
    server: Any,
    hosts: tuple[IPv4Address, IPv4Address],
    latencies: tuple[float, float],
) -> Connection:
    """Join two protocols; latencies are those of what the client and what the server writes."""
    near = End(clock, latencies[0], hosts[0], hosts[1])
    far = End(clock, latencies[1], hosts[1], hosts[0])
    near.other, far.other = far, near
    near.protocol, far.protocol = client, server
    for end in (far, near):
        end.protocol.makeConnection(end)
    return Connection(near, far)

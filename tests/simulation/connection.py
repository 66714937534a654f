"""One end of a simulated connection, from the first SYN to the last RST."""

import errno
import socket
from enum import Enum
from math import inf
from typing import TYPE_CHECKING

from tests.simulation.sockets import Address, ListeningSocket, Socket, os_error
from tests.simulation.wire import Kind, Segment, Stream

if TYPE_CHECKING:
    from tests.simulation.machine import Machine


class State(Enum):
    """What a stream socket is; ACCEPTING is the listener's half of a handshake."""

    NEW = "new"
    CONNECTING = "connecting"
    ACCEPTING = "accepting"
    CONNECTED = "connected"
    CLOSED = "closed"


class StreamSocket(Socket):
    """One end of a connection.

    What was sent and not yet read by the other side is at most the network's window. The reader
    acknowledges when it has read half a window, which makes room again.
    """

    peer: "StreamSocket"
    _out: Stream
    _listener: ListeningSocket | None = None

    def __init__(self, machine: "Machine") -> None:
        super().__init__(machine)
        self.state = State.NEW
        self.dialled = False
        self.vanished = False
        self._window = machine.network.window
        self._received = bytearray()
        self._unacknowledged = 0
        self._read_unreported = 0
        #: When we began to connect, and when the end of the other direction arrived.
        self.began_at = self.ended_at = inf
        self._ended = False
        self._end_sent = False
        self._error = 0

    @property
    def name(self) -> str:
        """The address of this end, for the log."""
        return "{}:{}".format(*self.getsockname())

    # What Twisted calls

    def connect_ex(self, address: Address) -> int:
        """Start to connect, or say how far that is; returns an errno."""
        if self.state is not State.NEW:
            return errno.EISCONN if self.state is State.CONNECTED else errno.EALREADY
        target = self.machine.network.machine_at(address[0], self.machine)
        if self.local is None or self.local[0] == "0.0.0.0":
            port = self.local[1] if self.local else self.machine.free_port()
            self.local = (self.machine.address_toward(address[0]), port)
        self._join(StreamSocket(target), address)
        self.state, self.dialled = State.CONNECTING, True
        self.began_at = self.machine.network.clock.now
        self._out.send(Kind.SYN)
        return errno.EINPROGRESS

    def getsockopt(self, level: int, option: int) -> object:
        if (level, option) == (socket.SOL_SOCKET, socket.SO_ERROR):
            return self._error
        return super().getsockopt(level, option)

    def getpeername(self) -> Address:
        return self.peer.getsockname()

    def recv(self, size: int) -> bytes:
        """Take up to size bytes; b"" at the end of the stream. Raises OSError."""
        if self._received:
            data = bytes(self._received[:size])
            del self._received[:size]
            self._acknowledge(len(data))
            return data
        if self._ended:
            return b""
        raise os_error(self._error or errno.EWOULDBLOCK)

    def send(self, data: bytes | memoryview) -> int:
        """Send what the window has room for and return its length. Raises OSError."""
        room = self._window - self._unacknowledged
        if self._error or self._end_sent:
            raise os_error(self._error or errno.EPIPE)
        if not data:
            return 0
        if room <= 0:
            raise os_error(errno.EWOULDBLOCK)
        sent = bytes(data[:room])
        self._unacknowledged += len(sent)
        if self.machine.network.has_bad_luck():
            self.cut()
        else:
            self._let_overhear(sent)
            self._out.send_data(sent)
        return len(sent)

    def shutdown(self, how: int) -> None:
        """End our direction of the stream, behind what was sent."""
        if self.state is not State.CONNECTED or self._error:
            raise os_error(errno.ENOTCONN)
        if how != socket.SHUT_RD and not self._end_sent:
            self._end_sent = True
            self._out.send(Kind.FIN)

    def close(self) -> None:
        """Give the socket up: FIN, and RST if something was left unread or SO_LINGER is set."""
        if (socket.SOL_SOCKET, socket.SO_LINGER) in self._options:
            self.abort()
        elif self.state is State.CONNECTED and not self._error:
            self.shutdown(socket.SHUT_WR)
            if self._received:
                self._out.send(Kind.RST)
        self._gone()

    # What the machine and the network do with it

    def abort(self) -> None:
        """Reset the connection; some of what is on its way may be lost."""
        if self.state is State.CONNECTED and not self._error:
            self._out.reset()
        self._gone()

    def vanish(self) -> None:
        """Be gone without a word, with the whole machine."""
        self.vanished = True
        self._gone()

    def cut(self) -> None:
        """Reset the connection from outside: both ends get an RST, if the network lets it pass."""
        self._out.reset()
        self.peer._out.reset()

    def half_open(self) -> None:
        """Let what either end sends vanish from now on: neither hears of it, nor of the other."""
        self._out.lose_everything()
        self.peer._out.lose_everything()

    def time_out(self) -> None:
        """The other side has not answered for so long that the connection is given up."""
        self._fail(errno.ETIMEDOUT)

    def readable(self) -> bool:
        return bool(self._received or self._ended or self._error)

    def writable(self) -> bool:
        room = self.state is State.CONNECTED and self._unacknowledged < self._window
        return room or bool(self._error)

    def arrived(self, segment: Segment) -> None:
        """Take a segment of the other end; what comes for a closed socket is answered by RST."""
        if self.state is State.CLOSED:
            unwelcome = self.vanished or segment.kind in (Kind.DATA, Kind.SYN_ACK)
            if unwelcome and segment.kind is not Kind.RST:
                self._out.send(Kind.RST)
        elif not self._error:
            _ON_ARRIVAL[segment.kind](self, segment)

    def _let_overhear(self, data: bytes) -> None:
        for machine in (self.machine, self.peer.machine):
            if machine.overhears is not None:
                machine.overhears(self, data)

    def _join(self, peer: "StreamSocket", address: Address) -> None:
        network = self.machine.network
        self.peer, peer.peer = peer, self
        peer.local = address
        self._out, peer._out = Stream(network, self, peer), Stream(network, peer, self)

    def _on_syn(self, _: Segment) -> None:
        local = self.peer.machine is self.machine
        sheltered = "" if local else self.machine.sheltered
        if not self.machine.booted or sheltered == "silent":
            self._gone()  # nobody is there to answer
            return
        if sheltered:
            self._refuse()
            return
        self._listener = self.machine.listener_at(self.getsockname())
        if self._listener is not None and not self._listener.is_full():
            self.state = State.ACCEPTING
            self._out.send(Kind.SYN_ACK)
            return
        if self._listener is None:
            self._refuse()
        else:
            self._gone()

    def _refuse(self) -> None:
        self._out.send(Kind.RST)
        self._gone()

    def _on_syn_ack(self, _: Segment) -> None:
        self.state = State.CONNECTED
        self._out.send(Kind.ACK)
        self.machine.wake(self)

    def _on_ack(self, segment: Segment) -> None:
        if self.state is State.ACCEPTING:
            self.state = State.CONNECTED
            if self._listener is None or self._listener.closed:
                self.abort()
            else:
                self._listener.offer(self)
        else:
            self._unacknowledged -= segment.read_bytes
            self.machine.wake(self)

    def _on_data(self, segment: Segment) -> None:
        self._received += segment.data
        if not segment.held_back:
            self.machine.wake(self)

    def _on_fin(self, _: Segment) -> None:
        self._ended = True
        self.ended_at = self.machine.network.clock.now
        self.machine.wake(self)

    def _on_rst(self, _: Segment) -> None:
        connecting = self.state is State.CONNECTING
        if self.state is State.ACCEPTING:
            self._gone()
        else:
            self._fail(errno.ECONNREFUSED if connecting else errno.ECONNRESET)

    def _fail(self, error: int) -> None:
        if self.state is not State.CLOSED:
            self._error = error
            self.machine.wake(self)

    def _acknowledge(self, size: int) -> None:
        self._read_unreported += size
        if self._read_unreported >= self._window // 2 and not self._error:
            self._out.send(Kind.ACK, read_bytes=self._read_unreported)
            self._read_unreported = 0

    def _gone(self) -> None:
        self.state = State.CLOSED
        self.closed = True
        self.machine.forget(self)


_ON_ARRIVAL = {
    Kind.SYN: StreamSocket._on_syn,
    Kind.SYN_ACK: StreamSocket._on_syn_ack,
    Kind.ACK: StreamSocket._on_ack,
    Kind.DATA: StreamSocket._on_data,
    Kind.FIN: StreamSocket._on_fin,
    Kind.RST: StreamSocket._on_rst,
}

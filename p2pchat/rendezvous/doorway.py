"""The port of a busy server: who comes with a request is answered at the door.

Most clients send their line as soon as they are connected, so that it is there when the connection
is accepted. Then it is read, answered and closed at once, with no more system calls than that
takes; to make a transport, to watch it and to take it down again would cost more than the answer.
Whatever is not as simple goes the ordinary way: a line that is still coming, a reply that the
client has to read before all of it can be sent, and whoever is to be turned away.
"""

import errno
import os
import socket
from contextlib import suppress
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IListeningPort,
    IReadDescriptor,
)
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from p2pchat.ports import Opener, open_port
from p2pchat.rendezvous.connection import RendezvousProtocol, plain
from p2pchat.rendezvous.server import RendezvousFactory

#: Connections that are accepted in one turn of the reactor.
TURN = 64

#: Seconds until it is tried again when the system has no room for another connection.
PAUSE = 0.1

#: What to do about what the system says, if it is up to whoever runs the server.
REMEDIES = {errno.EMFILE: "; raise the limit of open files (ulimit -n; LimitNOFILE of systemd)"}

#: The most that is read at the door, in bytes.
READ = 65536


@implementer(IListeningPort, IReadDescriptor)
class Doorway:
    """Accepts the connections of a listening socket for a server."""

    log = Logger()

    def __init__(self, reactor: Any, listening: socket.socket, server: RendezvousFactory) -> None:
        self._reactor = reactor
        self._listening = listening
        self._server = server
        self._pausing: IDelayedCall | None = None
        #: What kept it from accepting, if that was told and is not over.
        self._told: int | None = None
        #: Who has said nothing yet, and is looked at once more in the next turn.
        self._late: list[tuple[socket.socket, tuple[Any, ...]]] = []
        self._next_turn: IDelayedCall | None = None

    # IListeningPort

    def startListening(self) -> None:
        """Accept from now on."""
        self._server.doStart()
        self._reactor.addReader(self)

    def stopListening(self) -> "Deferred[None]":
        """Accept nothing more."""
        if self._listening.fileno() >= 0:
            self._reactor.removeReader(self)
            for call in (self._pausing, self._next_turn):
                if call is not None:
                    call.cancel()
            for connection, _ in self._late:
                connection.close()
            self._late.clear()
            self._listening.close()
            self._server.doStop()
        return succeed(None)

    def getHost(self) -> IAddress:
        """Return where it listens."""
        return _address(self._listening.family, self._listening.getsockname())

    # IReadDescriptor

    def fileno(self) -> int:
        return self._listening.fileno()

    def logPrefix(self) -> str:  # noqa: N802  ILoggingContext's name
        return "Rendezvous"

    def connectionLost(self, reason: Failure) -> None:
        """The reactor ends, or the socket is of no use any more."""
        self.stopListening()

    def doRead(self) -> None:  # noqa: N802  IReadDescriptor's name
        """Take the connections that wait, some at a time."""
        for _ in range(TURN):
            try:
                connection, place = self._listening.accept()
            except (BlockingIOError, ConnectionError, InterruptedError):
                return  # there is none, or it is gone already
            except OSError as error:
                self._pause(error)
                return
            self._told = None
            data = _read(connection)
            if data:
                self._serve(connection, place, data)
            else:
                self._look_again(connection, place)

    # Within

    def _look_again(self, connection: socket.socket, place: tuple[Any, ...]) -> None:
        """Let a client whose connection was accepted at once come to send its line."""
        self._late.append((connection, place))
        if self._next_turn is None:
            self._next_turn = self._reactor.callLater(0, self._take_late)

    def _take_late(self) -> None:
        self._next_turn = None
        late, self._late = self._late, []
        for connection, place in late:
            self._serve(connection, place, _read(connection))

    def _serve(self, connection: socket.socket, place: tuple[Any, ...], data: bytes) -> None:
        """Serve one connection; whatever fails costs that one and not the port."""
        with connection:
            try:
                self._take(connection, place, data)
            except ConnectionError:
                pass  # it has hung up meanwhile
            except OSError as error:
                self._warn("drops a connection", error)
            except Exception:  # noqa: BLE001  # the reactor would give up the port for it
                self.log.failure("[Rendezvous] dropped {ip}", ip=place[0])

    def _take(self, connection: socket.socket, place: tuple[Any, ...], data: bytes) -> None:
        reply = self._server.answer_at_once(
            plain(place[0]), data, lambda: plain(connection.getsockname()[0])
        )
        if reply is None:
            self._hand_over(connection, _Rest(self._server, place, data))
            return
        sent = _send(connection, reply)
        if sent < len(reply):
            self._hand_over(connection, _Rest(self._server, place, b"", reply, sent))

    def _hand_over(self, connection: socket.socket, rest: "_Rest") -> None:
        """Let the reactor go on with a connection, by a handle of its own."""
        connection.setblocking(False)
        self._reactor.adoptStreamConnection(connection.fileno(), connection.family, rest)
        rest.go_on()

    def _warn(self, what: str, error: OSError) -> None:
        code = error.errno or 0
        why = os.strerror(code) + REMEDIES.get(code, "")
        self.log.warn("[Rendezvous] {what}: {why}", what=what, why=why)

    def _pause(self, error: OSError) -> None:
        if error.errno != self._told:  # it is tried ten times a second
            self._told = error.errno
            self._warn("accepts nothing for now", error)
        self._reactor.removeReader(self)
        self._pausing = self._reactor.callLater(PAUSE, self._go_on)

    def _go_on(self) -> None:
        self._pausing = None
        self._reactor.addReader(self)


class _Rest(ServerFactory):
    """Goes on with one connection: the request, of which `data` was read, or the reply."""

    noisy = False

    def __init__(
        self,
        server: RendezvousFactory,
        place: tuple[Any, ...],
        data: bytes,
        reply: bytes = b"",
        sent: int = 0,
    ) -> None:
        self._server = server
        self._place = place
        self._data = data
        self._reply = reply
        self._sent = sent
        self._protocol: RendezvousProtocol | None = None

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        ip, port = plain(self._place[0]), self._place[1]
        self._protocol = self._server.admit(ip, port, reply=self._reply, sent=self._sent)
        return self._protocol

    def go_on(self) -> None:
        """Let the protocol have what was read for it."""
        if self._protocol is not None and self._data:
            self._protocol.dataReceived(self._data)


def open_doorway(reactor: Any, listening: socket.socket) -> Opener:
    """Return the same as open_port, which answers at the door for a server that can."""
    open_ordinary = open_port(reactor, listening)

    def accept(factory: ServerFactory) -> IListeningPort:
        if not isinstance(factory, RendezvousFactory) or not factory.can_answer_at_once:
            return open_ordinary(factory)
        doorway = Doorway(reactor, listening, factory)
        doorway.startListening()
        return doorway

    return accept


def _read(connection: socket.socket) -> bytes:
    """Return what is here already; nothing, too, if the connection is gone."""
    with suppress(OSError):
        return connection.recv(READ, socket.MSG_DONTWAIT)
    return b""


def _send(connection: socket.socket, reply: bytes) -> int:
    """Send what can be sent without waiting; return how many bytes that were."""
    try:
        return connection.send(reply, socket.MSG_DONTWAIT)
    except BlockingIOError:
        return 0


def _address(family: int, place: tuple[Any, ...]) -> IAddress:
    kind = IPv6Address if family == socket.AF_INET6 else IPv4Address
    return kind("TCP", place[0], place[1])

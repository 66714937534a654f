"""Ports that are taken before there is a reactor, while it can still be said that it failed."""

import errno
import os
import socket
from typing import Protocol

from twisted.internet.interfaces import IAddress, IListeningPort, IReactorSocket, IReactorTime
from twisted.internet.protocol import ServerFactory

from p2pchat.errors import StartError
from p2pchat.identity import Address

#: Connections for figures that may wait to be accepted; one beyond that tries again in a second.
METRICS_BACKLOG = 128


class SocketReactor(IReactorSocket, IReactorTime):
    """A reactor with timers that takes over sockets; a name for type checkers only."""


class Opener(Protocol):
    """Starts to accept connections, each of which the factory serves."""

    def __call__(self, factory: ServerFactory) -> IListeningPort:
        """Accept from now on; called once."""


def take_port(bind: str, port: int, backlog: int, hint: str) -> socket.socket:
    """Listen, but accept nothing yet: up to backlog connections wait.

    `bind` "" means all addresses of IPv4, "::" all of both families. Raises StartError, with the
    hint if the port is taken or not for us.
    """
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # what the system does otherwise is its own setting
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, bind != "::")
        listening.bind((bind, port))
        listening.listen(backlog)
    except OSError as error:
        listening.close()
        reason = os.strerror(error.errno or 0)
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            reason = f"{reason}; {hint}"
        place = Address(bind or "0.0.0.0", port)
        raise StartError(f"cannot listen on {place}: {reason}") from error
    listening.setblocking(False)
    return listening


def open_port(reactor: SocketReactor, listening: socket.socket) -> Opener:
    """Return what hands a socket of take_port to the reactor, and closes our own handle of it."""

    def accept(factory: ServerFactory) -> IListeningPort:
        with listening:
            return reactor.adoptStreamPort(listening.fileno(), listening.family, factory)

    return accept


def place_of(port: IListeningPort) -> Address:
    """Tell where a port listens."""
    host: IAddress = port.getHost()
    return Address(getattr(host, "host", ""), getattr(host, "port", 0))

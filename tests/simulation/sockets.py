"""The sockets of a simulated machine: the part of `socket.socket` that Twisted's TCP code calls.

They never block, and fail with the errno that Linux would give. Names are those of the original.
This module has what all sockets share and the listening ones; connection.py has the others.
"""

import errno
import os
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.simulation.connection import StreamSocket
    from tests.simulation.machine import Machine

Address = tuple[str, int]


def os_error(number: int) -> OSError:
    """The exception that a system call raises for this errno."""
    return OSError(number, os.strerror(number))


class Socket:
    """What both kinds of socket have: a descriptor, a name and options without effect."""

    def __init__(self, machine: "Machine") -> None:
        self.machine = machine
        self.local: Address | None = None
        self.closed = False
        self._options: dict[tuple[int, int], object] = {}
        self._descriptor = machine.open(self)

    def fileno(self) -> int:
        return self._descriptor

    def setblocking(self, flag: bool) -> None:
        """Do nothing: no simulated socket blocks."""

    def setsockopt(self, level: int, option: int, value: object) -> None:
        self._options[level, option] = value

    def getsockopt(self, level: int, option: int) -> object:
        return self._options.get((level, option), 0)

    def getsockname(self) -> Address:
        return self.local or ("0.0.0.0", 0)

    def bind(self, address: Address) -> None:
        """Take the address; port 0 takes a free one. Raises OSError."""
        ip, port = address[0] or "0.0.0.0", address[1] or self.machine.free_port()
        if ip != "0.0.0.0" and not self.machine.has_address(ip):
            raise os_error(errno.EADDRNOTAVAIL)
        if self.machine.is_listening(ip, port):
            raise os_error(errno.EADDRINUSE)
        self.local = (ip, port)


class ListeningSocket(Socket):
    """A socket that accepts connections."""

    _backlog = 0

    def __init__(self, machine: "Machine") -> None:
        super().__init__(machine)
        self._queue: deque[StreamSocket] = deque()

    def listen(self, backlog: int) -> None:
        """Accept from now on; beyond that many unaccepted connections new ones are ignored."""
        self._backlog = backlog
        self.machine.listeners[self.getsockname()] = self

    def accept(self) -> tuple["StreamSocket", Address]:
        """Return the oldest connection that waits; BlockingIOError if there is none."""
        if not self._queue:
            raise os_error(errno.EWOULDBLOCK)
        accepted = self._queue.popleft()
        return accepted, accepted.getpeername()

    def shutdown(self, how: int) -> None:
        raise os_error(errno.ENOTCONN)

    def close(self) -> None:
        """Stop listening; whoever was not accepted yet is reset."""
        self.vanish()
        for waiting in self._queue:
            waiting.abort()

    def vanish(self) -> None:
        """Be gone without a word, with the whole machine."""
        self.closed = True
        self.machine.forget(self)

    def readable(self) -> bool:
        return bool(self._queue)

    def writable(self) -> bool:
        return False

    def is_full(self) -> bool:
        """Whether the backlog is used up."""
        return len(self._queue) > self._backlog

    def offer(self, connection: "StreamSocket") -> None:
        """Queue a connection whose handshake is done."""
        self._queue.append(connection)
        self.machine.wake(self)

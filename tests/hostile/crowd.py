"""Many connections of one attacker, none of which ever makes it wait."""

import selectors
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from tests.hostile.target import Tally

#: How long the node may take to accept a connection, in seconds.
_CONNECT_TIME = 5.0

_LINGER_NOT = struct.pack("ii", 1, 0)


@dataclass(eq=False)
class Member:
    """One connection; `rest` is what it began to say and could not say yet."""

    connection: socket.socket
    rest: bytes = b""
    heard: bool = False
    received: bytes = field(default=b"", repr=False)


class Crowd:
    """Connects, speaks and hears, and keeps the tally of it."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._selector = selectors.DefaultSelector()
        self.members: dict[Member, None] = {}

    def join(
        self, host: str, port: int, source: str, *, first: bytes = b"", deaf: bool = False
    ) -> Member | None:
        """Connect from an address of this machine; None if that is refused.

        Who is deaf never reads and has next to no room for what the node writes.
        """
        connection = socket.socket()
        connection.settimeout(_CONNECT_TIME)
        try:
            if deaf:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.bind((source, 0))
            connection.connect((host, port))
        except OSError:
            connection.close()
            self._tally.refused += 1
            return None
        connection.setblocking(False)
        return self._welcome(Member(connection), first, deaf=deaf)

    def say(self, member: Member, data: bytes, messages: int = 1) -> bool:
        """Write data behind what is left of earlier; tell whether all of it was taken.

        While something is left nothing is added to it: who is not read says no more.
        """
        if member not in self.members:
            return False
        if not member.rest:
            member.rest = data
            self._tally.messages += messages
        try:
            written = member.connection.send(member.rest)
        except BlockingIOError:
            written = 0
        except OSError:
            self._lost(member)
            return False
        self._tally.bytes += written
        member.rest = member.rest[written:]
        self._tally.paused += bool(member.rest)
        return not member.rest

    def hear(self, timeout: float = 0.0) -> Iterator[tuple[Member, bytes]]:
        """Yield what has come, and forget who was cut off."""
        for key, _ in self._selector.select(timeout):
            member: Member = key.data
            try:
                data = member.connection.recv(1 << 16)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            if data:
                member.heard = True
                yield member, data
            else:
                self._lost(member)

    def lines(self, timeout: float = 0.0) -> Iterator[tuple[Member, bytes]]:
        """Yield whole lines that have come."""
        for member, data in self.hear(timeout):
            *lines, member.received = (member.received + data).split(b"\n")
            for line in lines:
                yield member, line

    def leave(self, member: Member, *, abruptly: bool = False) -> None:
        """Hang up, with a reset if abruptly."""
        if self._forget(member):
            if abruptly:
                with suppress(OSError):
                    member.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
            member.connection.close()

    def count_ends(self) -> None:
        """See who among the deaf was cut off; all others are held."""
        for member in list(self.members):
            with suppress(BlockingIOError):
                try:
                    while member.connection.recv(1 << 16):
                        member.heard = True
                    self._lost(member)
                except ConnectionError:
                    self._lost(member)
        self._tally.held += len(self.members)

    def close(self) -> None:
        for member in list(self.members):
            self.leave(member, abruptly=True)
        self._selector.close()

    def _welcome(self, member: Member, first: bytes, *, deaf: bool) -> Member | None:
        self._tally.connections += 1
        self.members[member] = None
        if not deaf:
            self._selector.register(member.connection, selectors.EVENT_READ, member)
        if first:
            self.say(member, first)
        return member if member in self.members else None

    def _lost(self, member: Member) -> None:
        if self._forget(member):
            member.connection.close()
            if member.heard:
                self._tally.closed += 1
            else:
                self._tally.refused += 1

    def _forget(self, member: Member) -> bool:
        if member not in self.members:
            return False
        del self.members[member]
        with suppress(KeyError, ValueError):
            self._selector.unregister(member.connection)
        return True

"""A modern peer on a plain socket, so cheap that it does not hold up what it measures."""

import select
import socket
import time
import uuid

from benchmarks.figures import BenchmarkError
from p2pchat.chat.codec import decode, encode
from p2pchat.chat.messages import Bye, Hello, Ping, Pong

#: The longest that any answer is waited for, in seconds.
TIMEOUT = 20.0

_ROOM = 64 * 1024


class RawPeer:
    """One link to a server on 127.0.0.1. Announces `agent`, so that a node pipelines to it."""

    def __init__(self, port: int) -> None:
        self.peer_id = f"raw-{uuid.uuid4().hex[:8]}@CIC"
        self._link = socket.create_connection(("127.0.0.1", port), TIMEOUT)
        self._link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._link.sendall(encode(Hello(self.peer_id, agent="raw")))
        self._settle()

    def say(self, line: bytes) -> None:
        """Write something that nobody answers."""
        self._link.sendall(line)

    def ping(self) -> float:
        """Return the seconds from a PING to its PONG."""
        msg_id = str(uuid.uuid4())
        line, awaited = encode(Ping(msg_id)), msg_id.encode()
        started = time.perf_counter()
        self._link.sendall(line)
        while awaited not in self._receive():
            pass
        return time.perf_counter() - started

    def burst(self, lines: bytes, answers: int) -> tuple[float, bytes]:
        """Write all lines as fast as they are taken; return the seconds and the answers.

        The time ends with the given number of lines in answer, none longer than its question.
        """
        received, unsent = _Answers(len(lines)), memoryview(lines)
        poll = select.poll()
        poll.register(self._link, select.POLLIN | select.POLLOUT)
        self._link.setblocking(False)
        started = time.perf_counter()
        while received.count < answers:
            ready = _ready(poll, started)
            if ready & select.POLLOUT:
                unsent = unsent[self._link.send(unsent) :]
                if not unsent:
                    poll.modify(self._link, select.POLLIN)
            if ready & ~select.POLLOUT:
                received.take(self._link)
        seconds = time.perf_counter() - started
        self._link.settimeout(TIMEOUT)
        return seconds, received.all()

    def close(self) -> None:
        """Say BYE and wait for the other side to close."""
        self._link.sendall(encode(Bye(str(uuid.uuid4()), self.peer_id)))
        while self._link.recv(_ROOM):
            pass
        self._link.close()

    def _settle(self) -> None:
        """Exchange PINGs, so that nothing of the handshake is under way any more."""
        awaited = str(uuid.uuid4())
        self._link.sendall(encode(Ping(awaited)))
        received = self._receive()
        while awaited.encode() not in received or not received.endswith(b"\n"):
            received += self._receive()
        for line in received.splitlines():
            message = decode(line)
            if isinstance(message, Ping):
                self._link.sendall(encode(Pong(message.msg_id)))

    def _receive(self) -> bytes:
        data = self._link.recv(_ROOM)
        if not data:
            raise BenchmarkError("the server closed the link")
        return data


class _Answers:
    """Lines as they come: kept and counted, by C, but not looked at."""

    def __init__(self, size: int) -> None:
        self.count = 0
        self._buffer = bytearray(size)
        self._room = memoryview(self._buffer)
        self._size = 0

    def take(self, link: socket.socket) -> None:
        end = self._size + link.recv_into(self._room[self._size :])
        if end == self._size:
            raise BenchmarkError("the server closed the link, or answers with more than it got")
        self.count += self._buffer.count(b"\n", self._size, end)
        self._size = end

    def all(self) -> bytes:
        return bytes(self._room[: self._size])


def _ready(poll: "select.poll", started: float) -> int:
    """Wait for what can be done next, until TIMEOUT behind `started`."""
    events = poll.poll(TIMEOUT * 1000)
    if not events or time.perf_counter() > started + TIMEOUT:
        raise BenchmarkError(f"answers are missing after {TIMEOUT:g} s")
    return events[0][1]

"""Many clients of a rendezvous server in one process: a connection for each request."""

import collections
import select
import socket
import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from benchmarks.figures import BenchmarkError

#: Requests that are under way at the same time.
PARALLEL = 64

#: How long a server may say nothing, in seconds.
TIMEOUT = 30.0

# An answer up to here is in the kernel as a whole when the server has closed.
_SMALL = 32 * 1024
_ROOM, _MUCH_ROOM = 2 * _SMALL, 1 << 20

# linux/in.h: a port is chosen when it is known whom to connect to, so that it may be used again.
_IP_BIND_ADDRESS_NO_PORT = 24


class Request(NamedTuple):
    """One line, its newline included, and the address of 127.0.0.0/8 it comes from."""

    ip: str
    line: bytes


class Answers(NamedTuple):
    """What came back, in any order: the length of each; and what it took us, in seconds."""

    seconds: float
    cpu_seconds: float
    lengths: list[int]


def ask(port: int, request: Request, timeout: float = TIMEOUT) -> bytes:
    """Ask once, and return the whole answer; OSError if there is none."""
    with _connect(port, request, timeout) as connection:
        chunks = list(iter(lambda: connection.recv(_MUCH_ROOM), b""))
    return b"".join(chunks)


def ask_many(port: int, requests: Iterable[Request], length: int) -> Answers:
    """Ask PARALLEL at a time, for answers of about `length` bytes, until all are answered.

    Raises BenchmarkError unless each answer is a whole line that says OK.
    """
    waiting: collections.deque[Request] = collections.deque(requests)
    lengths = []
    used, started = time.process_time(), time.perf_counter()
    with select.epoll() as poll:
        for answer in _exchange(port, waiting, poll, is_long=length > _SMALL):
            if not answer.startswith(b'{"status": "OK"') or not answer.endswith(b"\n"):
                raise BenchmarkError(f"wrong answer: {answer[:100]!r}")
            lengths.append(len(answer))
    ended = time.perf_counter()
    return Answers(ended - started, time.process_time() - used, lengths)


def _exchange(
    port: int, waiting: collections.deque[Request], poll: select.epoll, *, is_long: bool
) -> Iterator[bytes]:
    # Of a short answer the end is enough to know; a long one comes only as far as it is read.
    events, room = (select.EPOLLIN, _MUCH_ROOM) if is_long else (select.EPOLLRDHUP, _ROOM)
    open_now: dict[int, tuple[socket.socket, list[bytes]]] = {}
    while waiting or open_now:
        while waiting and len(open_now) < PARALLEL:
            connection = _connect(port, waiting.popleft(), None)
            open_now[connection.fileno()] = connection, []
            poll.register(connection, events)
        ready = poll.poll(TIMEOUT)
        if not ready:
            raise BenchmarkError(f"no answer within {TIMEOUT:g} s")
        for number, _ in ready:
            connection, chunks = open_now[number]
            chunks.append(connection.recv(room))
            if is_long and chunks[-1]:
                continue
            del open_now[number]
            connection.close()
            yield b"".join(chunks)


def _connect(port: int, request: Request, timeout: float | None) -> socket.socket:
    """Connect to a server on this machine, which takes no time, and send the request.

    With a timeout, each thing done to the connection is twice as expensive.
    """
    connection = socket.socket()
    try:
        connection.settimeout(timeout)
        connection.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
        connection.bind((request.ip, 0))
        connection.connect(("127.0.0.1", port))
        connection.sendall(request.line)
    except BaseException:
        connection.close()
        raise
    return connection

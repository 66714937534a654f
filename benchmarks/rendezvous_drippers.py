"""Clients of a rendezvous server that never finish: a byte every two seconds, from each an address.

One that is sent away connects again at once. Prints `{"port": PORT}` when all are connected for the
first time. Run as `python -m benchmarks.rendezvous_drippers PORT COUNT`.
"""

import contextlib
import json
import select
import socket
import sys
import time
from collections import deque
from collections.abc import Iterator

#: Seconds between two bytes of a client; they connect within that time, one after another.
PERIOD = 2.0


class Drippers:
    """`count` connections to a port of 127.0.0.1, each with its own moment to drip."""

    def __init__(self, port: int, count: int) -> None:
        self._port = port
        self._poll = select.epoll()
        self._ips = [f"127.16.{number // 250}.{1 + number % 250}" for number in range(count)]
        self._links: dict[int, tuple[socket.socket, int]] = {}
        #: When which of them drips next; all have the same period, so the first is the next.
        self._next: deque[tuple[float, socket.socket]] = deque()

    def connect_all(self) -> None:
        """Connect one after another, and let those that are connected drip."""
        started = time.monotonic()
        for number in range(len(self._ips)):
            self.live(started + number * PERIOD / len(self._ips))
            self._connect(number)

    def live(self, until: float) -> None:
        """Drip, and connect again where the server hung up, until then."""
        for due in self._moments(until):
            for number, _ in self._poll.poll(max(0.0, due - time.monotonic())):
                link, client = self._links.pop(number)
                link.close()
                self._connect(client)

    def _moments(self, until: float) -> Iterator[float]:
        """Drip what is due, and tell until when there is nothing to do."""
        while (now := time.monotonic()) < until:
            while self._next and self._next[0][0] <= now:
                self._drip(self._next.popleft()[1])
            yield min(until, self._next[0][0] if self._next else until)

    def _drip(self, link: socket.socket) -> None:
        if link.fileno() < 0:
            return  # closed meanwhile
        with contextlib.suppress(OSError):
            link.send(b" ")
        self._next.append((time.monotonic() + PERIOD, link))

    def _connect(self, client: int) -> None:
        link = socket.create_connection(("127.0.0.1", self._port), 5, (self._ips[client], 0))
        self._links[link.fileno()] = link, client
        self._poll.register(link, select.EPOLLRDHUP)
        self._next.append((time.monotonic() + PERIOD, link))


if __name__ == "__main__":
    drippers = Drippers(int(sys.argv[1]), int(sys.argv[2]))
    drippers.connect_all()
    print(json.dumps({"port": int(sys.argv[1])}), flush=True)
    drippers.live(float("inf"))

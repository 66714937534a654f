"""The baseline of receiving: reads, counts, and forgets.

Prints `{"port": ...}` when it listens. Run as `python -m benchmarks.archive_sink`.
"""

import sys

import msgspec
from twisted.internet import asyncioreactor

asyncioreactor.install()  # as the node does; before anything imports the reactor

from twisted.internet import reactor  # noqa: E402
from twisted.internet.protocol import Factory, Protocol  # noqa: E402


class Sink(Protocol):
    """Closes when the other side does."""

    size = 0

    def dataReceived(self, data: bytes) -> None:
        self.size += len(data)


if __name__ == "__main__":
    port = reactor.listenTCP(0, Factory.forProtocol(Sink), interface="127.0.0.1")
    print(msgspec.json.encode({"port": port.getHost().port}).decode(), flush=True)
    sys.stdout.close()
    reactor.run()

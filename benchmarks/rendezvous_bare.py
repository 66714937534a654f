"""The baseline of requests: takes a line, answers so many bytes, closes, and does nothing else.

It has the rendezvous server's event loop and backlog. Prints `{"port": ...}` when it listens.
Run as `python -m benchmarks.rendezvous_bare SIZE`.
"""

import sys
from typing import Any, cast

import msgspec

from p2pchat.process import allow_open_files, install_fast_reactor

install_fast_reactor()  # as the server does; before anything imports the reactor

from twisted.internet import reactor as installed  # noqa: E402
from twisted.internet.interfaces import ITCPTransport  # noqa: E402
from twisted.internet.protocol import ServerFactory  # noqa: E402
from twisted.protocols.basic import LineOnlyReceiver  # noqa: E402

from p2pchat.rendezvous_tap import BACKLOG  # noqa: E402

SIZE = int(sys.argv[1])
ANSWER = b'{"status": "OK"'.ljust(SIZE - 1) + b"\n"


class Bare(LineOnlyReceiver):
    """Answers any line with the same one."""

    transport: ITCPTransport
    delimiter = b"\n"
    MAX_LENGTH = 32768

    def lineReceived(self, line: bytes) -> None:
        self.transport.write(ANSWER)
        self.transport.loseConnection()


if __name__ == "__main__":
    allow_open_files()
    factory = ServerFactory.forProtocol(Bare)
    factory.noisy = False
    reactor = cast(Any, installed)
    port = reactor.listenTCP(0, factory, BACKLOG, interface="127.0.0.1")
    print(msgspec.json.encode({"port": port.getHost().port}).decode(), flush=True)
    sys.stdout.close()
    reactor.run()

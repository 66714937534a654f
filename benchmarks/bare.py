"""The baseline of lines: decodes each one, answers it, and does nothing else.

A publication is written to everybody else who is connected.

Prints `{"port": ...}` when it listens. Run as `python -m benchmarks.bare`.
"""

import sys

import msgspec
from twisted.internet import asyncioreactor

asyncioreactor.install()  # as the node does; before anything imports the reactor

from twisted.internet import reactor  # noqa: E402
from twisted.internet.protocol import Factory  # noqa: E402
from twisted.protocols.basic import LineOnlyReceiver  # noqa: E402

from p2pchat.chat.messages import (  # noqa: E402
    Ack,
    Bye,
    ByeOk,
    Hello,
    HelloOk,
    Ping,
    Pong,
    Pub,
    Send,
)

NOW = "2026-01-01T00:00:00.000Z"

decode = msgspec.json.Decoder(Send | Ping | Pong | Hello | Bye | Pub).decode
#: All that are connected: a publication goes to each.
LINKS: set["Bare"] = set()

encode = msgspec.json.Encoder().encode


class Bare(LineOnlyReceiver):
    """Answers what is answered by a peer, line by line."""

    delimiter = b"\n"
    MAX_LENGTH = 32767

    def connectionMade(self) -> None:
        # as the node does; without it the end of a burst waits 40 ms for the other side's kernel
        self.transport.setTcpNoDelay(True)
        LINKS.add(self)

    def connectionLost(self, reason: object = None) -> None:
        LINKS.discard(self)

    def lineReceived(self, line: bytes) -> None:
        message = decode(line)
        if type(message) is Send:
            self.transport.write(encode(Ack(message.msg_id, NOW)) + b"\n")
        else:
            self._answer_other(message)

    def _answer_other(self, message: object) -> None:
        match message:
            case Ping():
                self.transport.write(encode(Pong(message.msg_id, NOW)) + b"\n")
            case Hello():
                self.transport.write(encode(HelloOk("bare@CIC", agent="bare")) + b"\n")
            case Pub():
                line = encode(message) + b"\n"
                for link in LINKS - {self}:
                    link.transport.write(line)
            case Bye():
                self.transport.write(encode(ByeOk(message.msg_id)) + b"\n")
                self.transport.loseConnection()


if __name__ == "__main__":
    port = reactor.listenTCP(0, Factory.forProtocol(Bare), interface="127.0.0.1")
    print(msgspec.json.encode({"port": port.getHost().port}).decode(), flush=True)
    sys.stdout.close()
    reactor.run()

"""The baseline of the burst: decodes each line, answers it, and does nothing else.

Prints the port it listens on. Run as `python -m benchmarks.bare`.
"""

import sys

import msgspec
from twisted.internet import asyncioreactor

asyncioreactor.install()

from twisted.internet import reactor  # noqa: E402  # the reactor must be chosen first
from twisted.internet.protocol import Factory  # noqa: E402
from twisted.protocols.basic import LineOnlyReceiver  # noqa: E402

from p2pchat.chat.messages import Ack, Hello, HelloOk, Send  # noqa: E402

decode = msgspec.json.Decoder(Send | Hello).decode
encode = msgspec.json.Encoder().encode


class Bare(LineOnlyReceiver):
    """Answers SEND by ACK and HELLO by HELLO_OK."""

    delimiter = b"\n"
    MAX_LENGTH = 32768

    def lineReceived(self, line: bytes) -> None:
        message = decode(line)
        if type(message) is Send:
            answer = encode(Ack(message.msg_id, "2026-01-01T00:00:00.000Z"))
        else:
            answer = encode(HelloOk("bare@CIC", agent="bare"))
        self.transport.write(answer + b"\n")


if __name__ == "__main__":
    port = reactor.listenTCP(0, Factory.forProtocol(Bare), interface="127.0.0.1")
    print(port.getHost().port, flush=True)
    sys.stdout.close()
    reactor.run()

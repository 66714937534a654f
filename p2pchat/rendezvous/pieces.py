"""A long reply, sent piece by piece as its client takes it.

Many who ask get the same reply, of megabytes perhaps. A transport copies what it is given, so what
it is given is little: clients that ask and do not read hold one reply together, and not one each.
"""

from typing import Any

from twisted.internet.interfaces import IPullProducer
from zope.interface import implementer

#: Bytes of one piece.
PIECE = 128 * 1024


def send_and_close(transport: Any, reply: bytes, start: int = 0) -> None:
    """Send a reply from its byte `start` on, and close the connection behind it.

    `transport` is an ITCPTransport that is an IConsumer too, as all of Twisted are.
    """
    if len(reply) - start <= PIECE:
        transport.write(reply[start:])
        transport.loseConnection()
    else:
        transport.pauseProducing()  # as loseConnection does: nothing more is wanted of the client
        transport.registerProducer(_Pieces(transport, reply, start), False)


@implementer(IPullProducer)
class _Pieces:
    def __init__(self, transport: Any, reply: bytes, start: int) -> None:
        self._transport = transport
        self._reply = reply
        self._at = start

    def resumeProducing(self) -> None:
        """All before was taken."""
        start, self._at = self._at, self._at + PIECE
        self._transport.write(self._reply[start : self._at])
        if self._at >= len(self._reply):
            self._transport.unregisterProducer()
            self._transport.loseConnection()

    def stopProducing(self) -> None:
        """The connection is gone."""

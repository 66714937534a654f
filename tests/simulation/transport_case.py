"""Protocols and producers for tests of the transport."""

from typing import Any

from twisted.internet.interfaces import IPullProducer, IPushProducer
from twisted.protocols.basic import LineReceiver
from zope.interface import implementer

from tests.simulation.protocols import Recorder

WINDOW = 65536
USER_BUFFER = 65536  # what a Twisted transport buffers before it pauses its producer


class Asking(LineReceiver):
    """Sends two lines at once and keeps the answers."""

    delimiter = b"\n"

    def connectionMade(self) -> None:
        self.lines: list[bytes] = []
        self.sendLine(b"one")
        self.sendLine(b"two")

    def lineReceived(self, line: bytes) -> None:
        self.lines.append(line)


class Raising(Recorder):
    """Cannot stand data."""

    def dataReceived(self, data: bytes) -> None:
        raise ValueError(data)


@implementer(IPushProducer)
class Firehose:
    """Writes 1000 bytes at a time until it is paused, and has no end."""

    def __init__(self, transport: Any) -> None:
        self.transport = transport
        self.written = 0
        self.paused = self.stopped = False
        self.pauses = 0

    def start(self) -> None:
        self.transport.registerProducer(self, True)
        self.resumeProducing()

    def resumeProducing(self) -> None:
        self.paused = False
        while not self.paused and not self.stopped:
            self.written += 1000
            self.transport.write(bytes(1000))

    def pauseProducing(self) -> None:
        self.paused = True
        self.pauses += 1

    def stopProducing(self) -> None:
        self.stopped = True


@implementer(IPullProducer)
class Bucket:
    """Writes 1000 bytes whenever it is asked to, count times, then lets the transport close."""

    def __init__(self, transport: Any, count: int) -> None:
        self.transport = transport
        self.left = count

    def resumeProducing(self) -> None:
        self.left -= 1
        self.transport.write(bytes(1000))
        if self.left == 0:
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    def stopProducing(self) -> None:
        self.left = 0

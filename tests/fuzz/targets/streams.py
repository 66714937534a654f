"""A transport in memory for the server's side of one connection."""

from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.testing import StringTransport

OURS = IPv4Address("TCP", "10.0.0.1", 8080)


class Stream(StringTransport):
    """One connection from an IP; `protocol` may put another in its place."""

    def __init__(self, ip: str) -> None:
        super().__init__(OURS, IPv4Address("TCP", ip, 50_000))
        self.protocol: Protocol | None = None
        self.write_ended = False

    def attach(self, protocol: Protocol) -> None:
        self.protocol = protocol
        protocol.makeConnection(self)

    def write(self, data: bytes) -> None:
        assert not self.write_ended, "written behind the end"
        super().write(data)

    def loseWriteConnection(self) -> None:  # noqa: N802  ITCPTransport's name
        self.write_ended = True

    def reads(self, data: bytes) -> None:
        """Let a read bring this, unless it was closed."""
        if not self.disconnecting:
            self.protocol.dataReceived(data)

    def ends(self) -> None:
        """Let the other end say that it is through, and be gone."""
        half_closes = IHalfCloseableProtocol(self.protocol, None) is not None
        if half_closes and not self.disconnecting:
            self.protocol.readConnectionLost()
        self.protocol.connectionLost(connectionDone)

"""What a registry finds, as its answer to DISCOVER needs it (docs/protocols.md, section 1)."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from p2pchat.rendezvous import replies
from p2pchat.rendezvous.replies import Listed


class Listing(Protocol):
    """Who is registered; to be read at once, before anything else is asked of the registry.

    Neither line nor peers are made before they are asked for: most answers need the line only.
    """

    @property
    def has_loopback(self) -> bool:
        """Whether anybody in it registered from this machine."""

    @property
    def peers(self) -> Sequence[Listed]:
        """Everybody, one by one."""

    def line(self) -> bytes:
        """Write the reply that lists them, its newline included."""


class Rows(NamedTuple):
    """A listing of peers that are there one by one already."""

    peers: Sequence[Listed]

    @property
    def has_loopback(self) -> bool:
        return any(is_loopback(peer.ip) for peer in self.peers)

    def line(self) -> bytes:
        return replies.listing(self.peers)


def is_loopback(ip: str) -> bool:
    """Tell whether ip is of this machine only.

    It is a source address as the socket gives it: no need to parse 10,000 of them.
    """
    return ip.startswith("127.") or ip == "::1"

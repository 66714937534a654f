"""Who a peer is and where it listens.

A peer is `name@namespace`. A name may itself contain `@`, so the namespace is what stands behind
the last one. Ids compare and sort as plain text, which is how two nodes agree on whose link stays
when both dial at once (docs/protocols.md, 2.8).
"""

from functools import lru_cache
from ipaddress import ip_address
from typing import NamedTuple, NewType

from p2pchat.text import is_printable

PeerId = NewType("PeerId", str)

#: Longest name and longest namespace, in characters (docs/protocols.md, section 1).
MAX_NAME_LENGTH = 64


class Address(NamedTuple):
    """Where a peer listens: an IP address or host name, and a TCP port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def is_name(text: object) -> bool:
    """Tell whether text can be a name or a namespace: 1 to 64 printable characters."""
    return isinstance(text, str) and 0 < len(text) <= MAX_NAME_LENGTH and is_printable(text)


def make_peer_id(name: str, namespace: str) -> PeerId:
    """Join a name and a namespace."""
    return PeerId(f"{name}@{namespace}")


def parse_peer_id(text: str) -> PeerId:
    """Check that text is `name@namespace`.

    Raises ValueError if a part is missing, over 64 characters or not printable.
    """
    name, at, namespace = text.rpartition("@")
    if not at or not is_name(name) or not is_name(namespace):
        raise ValueError("is not name@namespace, each 1 to 64 printable characters")
    return PeerId(text)


def is_peer_id(text: str) -> bool:
    """Tell whether text is `name@namespace`."""
    try:
        parse_peer_id(text)
    except ValueError:
        return False
    return True


def name_of(peer: PeerId) -> str:
    return peer.rpartition("@")[0]


def namespace_of(peer: PeerId) -> str:
    return peer.rpartition("@")[2]


@lru_cache(1024)
def is_ip_literal(host: str) -> bool:
    """Tell whether host is an IPv4 or IPv6 address, so that using it asks no name server."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


@lru_cache(1024)
def is_loopback(host: str) -> bool:
    """Tell whether host is this machine's loopback, by number or as `localhost`."""
    if host == "localhost":
        return True
    return is_ip_literal(host) and ip_address(host).is_loopback


def source_address(bind: str, destination: str) -> str | None:
    """Return the address that a connection to destination should come from; None leaves it open.

    A node that listens on one address is known by it, so it also dials from it, where it can: not
    from loopback to another machine, and not from one IP version to the other.
    """
    if not is_ip_literal(bind) or bind in ("0.0.0.0", "::"):
        return None
    if is_loopback(bind) and not is_loopback(destination):
        return None
    if (":" in bind) != (":" in destination):
        return None
    return bind

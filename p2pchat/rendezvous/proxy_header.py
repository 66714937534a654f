"""Who a connection comes from, as a balancer in front of us says it (no IO).

The PROXY protocol puts a header in front of what the client sends: in version 1 a line,

    PROXY TCP4 198.51.100.7 203.0.113.1 50000 8080\\r\\n

in version 2 a signature, four bytes that tell what follows and how much, and addresses in binary.
A header may come in any number of pieces. (Twisted's own wrapper wants its first 16 bytes at once,
takes any words for addresses, and does not pass on that a client has ended its side.)
"""

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

from p2pchat.errors import RemoteProtocolError

#: Bytes of a header at the most; what version 2 adds to the addresses is skipped.
MAX_LINE = 107
MAX_BINARY = 4096

_WORD = b"PROXY "
_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_FIXED = 16
_LOCAL, _PROXY = 0x20, 0x21

# The second byte behind the signature, and how long an address of that family is.
_FAMILIES = {0x11: 4, 0x21: 16}


class ProxyHeaderError(RemoteProtocolError):
    """A connection does not begin with a header, or with one that makes no sense."""


class Route(NamedTuple):
    """Where a client connects from and what address it connected to."""

    ip: str
    port: int
    reached: str


class ProxyHeader(NamedTuple):
    """A header of `length` bytes; no route: the balancer itself asks, or does not know who."""

    length: int
    route: Route | None


def read_header(data: bytes) -> ProxyHeader | None:
    """Read the header at the beginning of data; None if more bytes are needed to tell.

    Raises ProxyHeaderError, as soon as it is sure, if there is none.
    """
    if data.startswith(_SIGNATURE[: len(data)]):
        return _read_binary(data) if len(data) >= _FIXED else None
    if data.startswith(_WORD[: len(data)]):
        return _read_line(data)
    raise ProxyHeaderError("no PROXY header")


def _read_line(data: bytes) -> ProxyHeader | None:
    line, end, _ = data[:MAX_LINE].partition(b"\r\n")
    if not end:
        if len(data) >= MAX_LINE:
            raise ProxyHeaderError("a PROXY header that does not end")
        return None
    length = len(line) + len(end)
    family, *rest = line.removeprefix(_WORD).decode("latin-1").split(" ")
    if family == "UNKNOWN":
        return ProxyHeader(length, None)
    if family not in ("TCP4", "TCP6") or len(rest) != 4:
        raise ProxyHeaderError("a PROXY header of an unknown kind")
    source, destination = (_address(text, family) for text in rest[:2])
    ports = [_port(text) for text in rest[2:]]
    return ProxyHeader(length, Route(source, ports[0], destination))


def _read_binary(data: bytes) -> ProxyHeader | None:
    command, family = data[12], data[13]
    length = _FIXED + int.from_bytes(data[14:16], "big")
    if command not in (_LOCAL, _PROXY) or length > MAX_BINARY:
        raise ProxyHeaderError("a PROXY header of an unknown kind")
    if len(data) < length:
        return None
    size = _FAMILIES.get(family, 0)
    if command == _LOCAL or not size:
        return ProxyHeader(length, None)
    if length < _FIXED + 2 * size + 4:
        raise ProxyHeaderError("a PROXY header that is too short")
    source, destination = data[_FIXED : _FIXED + size], data[_FIXED + size : _FIXED + 2 * size]
    at = _FIXED + 2 * size
    port = int.from_bytes(data[at : at + 2], "big")
    return ProxyHeader(length, Route(_plain(source), port, _plain(destination)))


def _address(text: str, family: str) -> str:
    expected = IPv4Address if family == "TCP4" else IPv6Address
    try:
        address = expected(text)
    except ValueError:
        raise ProxyHeaderError("a PROXY header without an address") from None
    return _plain(address.packed)


def _plain(packed: bytes) -> str:
    """Write an address as everywhere: one of IPv4 as such, whatever it is wrapped in."""
    address = ip_address(packed)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) <= 65535):
        raise ProxyHeaderError("a PROXY header without a port")
    return int(text)

"""Replies of a rendezvous server, byte for byte (docs/protocols.md, section 1).

They are what Python's json.dumps writes by default: `", "` and `": "`, ASCII only, keys in the
order shown.

    {"status": "OK", "ttl": 60, "ip": "127.0.0.1", "port": 4000}       to REGISTER
    {"status": "OK", "peers": [{"ip", "port", "name", "namespace", "ttl", "expires_in"}, ...]}
    {"status": "OK"}                                                   to UNREGISTER
    {"status": "ERROR", "message": "bad_name"}
"""

import json
from collections.abc import Iterable
from json.encoder import encode_basestring_ascii as _quote

import msgspec


class Listed(msgspec.Struct, frozen=True):
    """One peer in the answer to DISCOVER; `ttl` and `expires_in` in seconds."""

    ip: str
    port: int
    name: str
    namespace: str
    ttl: int
    expires_in: int


def error(message: str, **details: int) -> bytes:
    """Say what is wrong."""
    return _line({"status": "ERROR", "message": message, **details})


def registered(ttl: int, ip: str, port: int) -> bytes:
    """Grant a registration."""
    text = f'{{"status": "OK", "ttl": {ttl}, "ip": {_quote(ip)}, "port": {port}}}\n'
    return text.encode("ascii")


def unregistered() -> bytes:
    """Confirm that a registration is gone."""
    return _line({"status": "OK"})


def listing(peers: Iterable[Listed]) -> bytes:
    """List peers, however many."""
    text = ", ".join(
        f"{_entry(peer.ip, peer.port, peer.name, peer.namespace, peer.ttl)}{peer.expires_in}}}"
        for peer in peers
    )
    return listing_of([text.encode("ascii")])


def listing_of(entries: Iterable[bytes]) -> bytes:
    """List peers by their entries, or by several such in one."""
    return b'{"status": "OK", "peers": [%b]}\n' % b", ".join(entries)


def template(ip: str, port: int, name: str, namespace: str, ttl: int) -> bytes:
    """Write all of a peer's entry but the seconds it has left, which `filled` puts in."""
    entry = _entry(ip, port, name, namespace, ttl).replace("%", "%%")
    return f"{entry}%d}}".encode("ascii")


def filled(templates: bytes, left: tuple[int, ...]) -> bytes:
    """Write entries from their templates, joined by `, `, with the seconds that each has left.

    That takes a fraction of the time that it takes to write them anew.
    """
    return templates % left


def blocked(host: str, port: int, limit: int, seconds: float) -> bytes:
    """Tell a client that connects too often how long it is not served any more."""
    return error(
        f"Connection from {host}:{port} has been blocked due to excessive login attempts "
        f"(limit: {limit}). The block will be lifted in {int(seconds)} seconds."
    )


def line_too_long(limit: int) -> bytes:
    """Tell a client that its line is over limit bytes."""
    return error("line_too_long", limit=limit)


def too_late() -> bytes:
    """Tell a client that its request did not come in time."""
    return error("Timeout: no data received, closing connection")


def _entry(ip: str, port: int, name: str, namespace: str, ttl: int) -> str:
    # Three times as fast as building a dict for json.dumps, and 10,000 peers are listed at once.
    return (
        f'{{"ip": {_quote(ip)}, "port": {port}, "name": {_quote(name)}, '
        f'"namespace": {_quote(namespace)}, "ttl": {ttl}, "expires_in": '
    )


def _line(fields: dict[str, str | int]) -> bytes:
    return json.dumps(fields).encode("ascii") + b"\n"

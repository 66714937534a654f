"""What a rendezvous server answers: a request line and a registry in, a reply line out.

The order in which conditions are checked is that of docs/protocols.md, section 1.
"""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from p2pchat.rendezvous import replies
from p2pchat.rendezvous.messages import (
    NO_MATCH,
    NOT_REGISTERED,
    Discover,
    Refusal,
    Register,
    Unregister,
    parse_request,
)
from p2pchat.rendezvous.registry import Registry, RegistryFullError
from p2pchat.rendezvous.replies import Listed


class Asker(NamedTuple):
    """Where a request came from, and our own address by which it came."""

    ip: str
    reached: str


async def answer(registry: Registry, line: bytes, asker: Asker) -> bytes:
    """Do what one request line asks for and return the reply, its newline included.

    Raises nothing of its own; what the registry raises, but for RegistryFullError, passes through.
    """
    request = parse_request(line)
    if request.registered_only and not await registry.knows(asker.ip):
        return replies.error(NOT_REGISTERED)
    match request:
        case Register():
            return await _register(registry, request, asker)
        case Discover():
            found = await registry.find(request.namespace)
            return replies.listing(_reachable(found, asker))
        case Unregister():
            return await _unregister(registry, request, asker)
        case Refusal():
            return replies.error(request.message)


async def _register(registry: Registry, request: Register, asker: Asker) -> bytes:
    try:
        await registry.register(asker.ip, request)
    except RegistryFullError:
        return replies.error("registry_full")
    return replies.registered(request.ttl, asker.ip, request.port)


async def _unregister(registry: Registry, request: Unregister, asker: Asker) -> bytes:
    gone = await registry.unregister(asker.ip, request.namespace, request.name, request.port)
    return replies.unregistered() if gone else replies.error(NO_MATCH)


def _reachable(found: Iterable[Listed], asker: Asker) -> Iterable[Listed]:
    # Whoever registered from loopback is on this machine, which an asker from elsewhere cannot
    # reach by that address, but by the one it has just used.
    if _is_loopback(asker.ip):
        return found
    return (
        msgspec.structs.replace(peer, ip=asker.reached) if _is_loopback(peer.ip) else peer
        for peer in found
    )


def _is_loopback(ip: str) -> bool:
    # A source address as the socket gives it: no need to parse 10,000 of them.
    return ip.startswith("127.") or ip == "::1"

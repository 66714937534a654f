"""What a rendezvous server answers: a request line and a registry in, a reply line out.

The order in which conditions are checked is that of docs/protocols.md, section 1.
"""

from collections.abc import Callable, Coroutine
from typing import NamedTuple

import msgspec

from p2pchat.rendezvous import replies
from p2pchat.rendezvous.listing import Listing, is_loopback
from p2pchat.rendezvous.messages import (
    NO_KIND,
    NO_MATCH,
    NOT_REGISTERED,
    UNAVAILABLE,
    Discover,
    Refusal,
    Register,
    Request,
    Unregister,
    parse_request,
)
from p2pchat.rendezvous.registry import Registry, RegistryFullError, RegistryUnavailableError
from p2pchat.rendezvous.strict import read_request


class Asker(NamedTuple):
    """Where a request came from; `reached` tells our own address by which it came."""

    ip: str
    reached: Callable[[], str]


class Answer(NamedTuple):
    """A reply line, its newline included; `kind` of request and `result`, each one word.

    Both words are among those of docs/protocols.md, 1, whatever was asked, so that they can be
    counted: "ok", or what the message begins with.
    """

    kind: str
    result: str
    line: bytes


class _Declined(Exception):  # noqa: N818  an answer, no error
    """The request is answered with this message."""


async def answer(registry: Registry, line: bytes, asker: Asker) -> Answer:
    """Do what one request line asks for.

    Raises nothing of its own; what the registry raises that is no answer passes through.
    """
    request = read_request(line) or parse_request(line)
    try:
        return Answer(request.kind, "ok", await _comply(registry, request, asker))
    except _Declined as declined:
        return refusal(str(declined), request.kind)
    except RegistryFullError:
        return refusal("registry_full", request.kind)
    except RegistryUnavailableError:
        return refusal(UNAVAILABLE, request.kind)


def begin(answering: Coroutine[object, None, Answer]) -> Answer | None:
    """Run a coroutine until it answers or waits for something; None if it waits.

    It may be run on from there. What it raises passes through.
    """
    try:
        answering.send(None)
    except StopIteration as answered:
        found: Answer = answered.value
        return found
    return None


def at_once(answering: Coroutine[object, None, Answer]) -> Answer:
    """Return what a coroutine answers that waits for nothing; ValueError if it does."""
    found = begin(answering)
    if found is None:
        answering.close()
        raise ValueError("the registry keeps us waiting")
    return found


def refusal(message: str, kind: str = NO_KIND) -> Answer:
    """Say what is wrong."""
    return Answer(kind, message.partition(" ")[0].lower(), replies.error(message))


async def _comply(registry: Registry, request: Request | Refusal, asker: Asker) -> bytes:
    if request.registered_only and not await registry.knows(asker.ip):
        raise _Declined(NOT_REGISTERED)
    match request:
        case Register():
            await registry.register(asker.ip, request)
            return replies.registered(request.ttl, asker.ip, request.port)
        case Discover():
            found = await registry.find(request.namespace)
            return _listing(found, asker)
        case Unregister():
            return await _unregister(registry, request, asker)
        case Refusal():
            raise _Declined(request.message)


async def _unregister(registry: Registry, request: Unregister, asker: Asker) -> bytes:
    if not await registry.unregister(asker.ip, request.namespace, request.name, request.port):
        raise _Declined(NO_MATCH)
    return replies.unregistered()


def _listing(found: Listing, asker: Asker) -> bytes:
    # Whoever registered from loopback is on this machine, which an asker from elsewhere cannot
    # reach by that address, but by the one it has just used.
    if is_loopback(asker.ip) or not found.has_loopback:
        return found.line()
    reached = asker.reached()
    return replies.listing(
        msgspec.structs.replace(peer, ip=reached) if is_loopback(peer.ip) else peer
        for peer in found.peers
    )

"""Requests to a rendezvous server (docs/protocols.md, section 1).

    REGISTER    {"type", "namespace", "name", "port", "ttl"}
    DISCOVER    {"type"}, and "namespace" if only that one is asked for
    UNREGISTER  {"type", "namespace"}, and "name" and "port" if not all registrations are meant

A request is one line. Here it is built from a value and read into one; a line that is no proper
request reads as the Refusal to answer it with.
"""

import json
import math
from collections.abc import Callable
from typing import ClassVar, TypeAlias

import msgspec

from p2pchat.identity import MAX_NAME_LENGTH, is_name

#: What a REGISTER without a ttl gets, and the longest that any gets, in seconds.
DEFAULT_TTL = 7200
MAX_TTL = 86400

#: Of a line that is no request of any kind.
NO_KIND = "none"

NOT_REGISTERED = "peer_not_registered"
NO_MATCH = "peer_credentials_do_not_match"
UNAVAILABLE = "registry_unavailable"

# Python converts no more digits than this at once, and raises.
_MAX_DIGITS = 4300


class _Request(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type"):
    """Base of all requests; with `registered_only`, an unregistered IP is told nothing else."""

    kind: ClassVar[str]
    registered_only: ClassVar[bool] = True


class Register(_Request, frozen=True, tag="REGISTER"):
    """List us: a name in a namespace, the port we listen on, for so many seconds."""

    namespace: str
    name: str
    port: int
    ttl: int

    kind: ClassVar[str] = "register"
    registered_only: ClassVar[bool] = False


class Discover(_Request, frozen=True, tag="DISCOVER"):
    """Tell who is listed, in one namespace or in all."""

    namespace: str | None = None

    kind: ClassVar[str] = "discover"


class Unregister(_Request, frozen=True, tag="UNREGISTER"):
    """Forget what was registered from this IP; a name or port that is given must match."""

    namespace: str
    name: str | None = None
    port: int | None = None

    kind: ClassVar[str] = "unregister"


class Refusal(msgspec.Struct, frozen=True):
    """A line that is no proper request, and the message to say so.

    With `registered_only` the message is for a registered IP only: whether it is one is checked
    before what is wrong with the line. `kind` is that of the request it was meant to be.
    """

    message: str
    registered_only: bool = False
    kind: str = NO_KIND


Request: TypeAlias = Register | Discover | Unregister
Fields: TypeAlias = dict[str, object]


def integer(value: object) -> int | None:
    """Convert a JSON value to an integer, as generously as deployed servers; None if it is none."""
    if not isinstance(value, str | int | float):
        return None
    try:
        return int(value)
    except (ValueError, OverflowError):
        return None


def port_number(value: object) -> int | None:
    """Convert a JSON value to a TCP port; None if it is none."""
    port = integer(value)
    return port if port is not None and 1 <= port <= 65535 else None


def printable_label(value: object) -> str | None:
    """Return a name or namespace that everybody can be told; None if it is none.

    A lone surrogate or a control character would harm some of those who are told.
    """
    return value if isinstance(value, str) and is_name(value) else None


def clamp_ttl(ttl: int) -> int:
    """Bring a ttl into 1..86400 seconds."""
    return min(max(ttl, 1), MAX_TTL)


def _parse_int(digits: str) -> float:
    # Beyond what can be converted a number is as good as infinite, which is no integer.
    return int(digits) if len(digits) <= _MAX_DIGITS else math.inf


#: Reads what deployed programs write: NaN, Infinity and lone surrogates pass, and numbers of any
#: length. Raises ValueError, or RecursionError if it is nested too deeply.
JSON = json.JSONDecoder(parse_int=_parse_int)


def parse_request(line: bytes) -> Request | Refusal:
    """Read one line, without its newline; bytes that are not UTF-8 become U+FFFD."""
    text = line.decode("utf-8", "replace")
    if not text.strip():
        return Refusal("Empty request line")
    try:
        fields = JSON.decode(text)
    except (ValueError, RecursionError):
        fields = None
    kind = fields.get("type") if isinstance(fields, dict) else None
    kind = kind.upper() if isinstance(kind, str) else ""
    parse = _PARSERS.get(kind)
    if parse is None:
        return Refusal("Unknown command")
    request = parse(fields)
    if isinstance(request, Refusal):
        return msgspec.structs.replace(request, kind=kind.lower())
    return request


def request_line(request: Request) -> bytes:
    """Write a request as its line; what is None is left out."""
    text = json.dumps(msgspec.to_builtins(request), separators=(",", ":"))
    return text.encode("ascii") + b"\n"


def _label(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= MAX_NAME_LENGTH else None


def _parse_register(fields: Fields) -> Register | Refusal:
    name = printable_label(fields.get("name"))
    if name is None:
        return Refusal("bad_name")
    ttl = integer(fields.get("ttl", DEFAULT_TTL))
    if ttl is None:
        return Refusal("bad_ttl")
    namespace = printable_label(fields.get("namespace"))
    if namespace is None:
        return Refusal("bad_namespace")
    port = port_number(fields.get("port"))
    if port is None:
        return Refusal("bad_port")
    return Register(namespace, name, port, clamp_ttl(ttl))


def _parse_discover(fields: Fields) -> Discover | Refusal:
    if "namespace" not in fields:
        return Discover()
    namespace = _label(fields["namespace"])
    if namespace is None:
        return Refusal("bad_namespace", registered_only=True)
    return Discover(namespace)


def _parse_unregister(fields: Fields) -> Unregister | Refusal:
    if "namespace" not in fields:
        return Refusal("namespace_required", registered_only=True)
    namespace = _label(fields["namespace"])
    if namespace is None:
        return Refusal("bad_namespace", registered_only=True)
    port = None
    if "port" in fields:
        port = port_number(fields["port"])
        if port is None:
            return Refusal(f"bad_port ({_shown(fields['port'])})", registered_only=True)
    name = fields.get("name")
    if "name" in fields and not isinstance(name, str):
        return Refusal(NO_MATCH, registered_only=True)
    return Unregister(namespace, name if isinstance(name, str) else None, port)


def _shown(value: object) -> str:
    try:
        return str(value)
    except RecursionError:
        return "..."


_PARSERS: dict[str, Callable[[Fields], Request | Refusal]] = {
    "REGISTER": _parse_register,
    "DISCOVER": _parse_discover,
    "UNREGISTER": _parse_unregister,
}

"""What a line of ours must be, for the sake of every deployed program (docs/protocols.md, 2)."""

import json
import re
from typing import Any

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_PEER = re.compile(r".+@.+")
_TARGET = re.compile(r"\*|#.+")
_ANY = re.compile(r".*", re.DOTALL)

#: The fields of each message and what each must be; `ttl` is 1 in all of them.
_FIELDS: dict[str, dict[str, object]] = {
    "HELLO": {"peer_id": _PEER, "version": "1.0", "features": list},
    "HELLO_OK": {"peer_id": _PEER, "version": "1.0", "features": list},
    "PING": {"msg_id": _UUID, "timestamp": _UTC},
    "PONG": {"msg_id": _ANY, "timestamp": _UTC},
    "SEND": {"msg_id": _UUID, "src": _PEER, "dst": _PEER, "payload": _ANY, "require_ack": bool},
    "ACK": {"msg_id": _ANY, "timestamp": _UTC},
    "PUB": {"msg_id": _UUID, "src": _PEER, "dst": _TARGET, "payload": _ANY, "require_ack": False},
    "BYE": {"msg_id": _UUID, "src": _PEER, "dst": _PEER, "reason": _ANY},
    "BYE_OK": {"msg_id": _ANY, "src": _PEER, "dst": _PEER},
}


def faults(line: bytes) -> list[str]:
    """Return what is wrong with a line (without its newline)."""
    if not line.strip():
        return ["a blank line"]
    if len(line) >= 32768:
        return [f"a line of {len(line) + 1} bytes"]
    try:
        message = json.loads(line)
    except ValueError as error:
        return [f"not JSON: {error}: {line[:80]!r}"]
    fields = _FIELDS.get(str(message.get("type"))) if isinstance(message, dict) else None
    if fields is None:
        return [f"no message that peers know: {line[:80]!r}"]
    return [
        f"{message['type']}.{name} is {message.get(name)!r:.80}"
        for name, wanted in {**fields, "ttl": 1}.items()
        if not _fits(message.get(name), wanted)
    ]


def _fits(value: Any, wanted: object) -> bool:
    if isinstance(wanted, re.Pattern):
        return isinstance(value, str) and wanted.fullmatch(value) is not None
    if isinstance(wanted, type):
        return isinstance(value, wanted)
    return value == wanted and type(value) is type(wanted)

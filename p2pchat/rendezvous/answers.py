"""What a rendezvous server answered, read with the care that deployed ones need.

See docs/protocols.md, section 1: some say `error` for `message`, some add keys, some list what no
peer can use, and an answer has no size limit. So it is read in steps, a slice of it at a time: a
hostile one of 16 MiB that is decoded at once would stop everything else for seconds.
"""

import re
from collections.abc import Generator
from typing import NamedTuple

import msgspec

from p2pchat.identity import is_ip_literal
from p2pchat.rendezvous.errors import (
    BlockedError,
    NonsenseError,
    NotRegisteredError,
    RefusedError,
)
from p2pchat.rendezvous.messages import (
    DEFAULT_TTL,
    JSON,
    MAX_TTL,
    NOT_REGISTERED,
    Fields,
    clamp_ttl,
    integer,
    port_number,
    printable_label,
)
from p2pchat.rendezvous.replies import Listed
from p2pchat.text import visible

#: Most peers, good or bad, that are read of one answer.
MAX_LISTED = 20_000

#: Characters of an answer that are read in one step.
STEP = 8192

# One value of an answer is decoded from a window of this size, and if it does not fit, from the
# larger one. Nobody can be listed at such length who registered with a line of 32768 bytes.
_WINDOWS = (4096, 262_144)

# Members of the answer itself: those we know, among no more than so many.
_MEMBERS = frozenset({"status", "message", "error", "ttl", "ip"})
_MAX_MEMBERS = 64

_BLANK = re.compile(r"[ \t\n\r]*")
_MAX_SHOWN = 200


class Answer(msgspec.Struct):
    """An answer taken apart: the members we know, and the usable ones among its `peers`.

    `peers` is None if there was no such list, and not `complete` if it went on for too long.
    """

    fields: Fields = msgspec.field(default_factory=dict)
    peers: list[Listed] | None = None
    skipped: int = 0
    complete: bool = True


class Granted(NamedTuple):
    """A registration as the server took it: for ttl seconds, from the address it saw."""

    ttl: int
    ip: str | None


def read_answer(line: bytes) -> Generator[None, None, Answer]:
    """Read one answer, without its newline; yields after each step and returns the Answer.

    Raises BlockedError if it is empty, NonsenseError if it is no JSON object.
    """
    text = line.decode("utf-8", "replace")
    if not text.strip():
        raise BlockedError
    if "has been blocked" in text[:_MAX_SHOWN] and not text.lstrip().startswith("{"):
        raise BlockedError
    return (yield from _Reader(text).read())


def check(answer: Answer) -> None:
    """Raise what an answer other than OK means.

    NotRegisteredError and BlockedError if it says so, RefusedError on any other message, and
    NonsenseError if there is neither a status nor a message.
    """
    status = answer.fields.get("status")
    if isinstance(status, str) and status.upper() == "OK":
        return
    said = (answer.fields.get("message"), answer.fields.get("error"))
    message = next((text for text in said if isinstance(text, str)), None)
    if message is None:
        raise NonsenseError("an answer without status and message")
    if "has been blocked" in message:
        raise BlockedError
    if message == NOT_REGISTERED:
        raise NotRegisteredError(message)
    raise RefusedError(visible(message, _MAX_SHOWN))


def granted(answer: Answer) -> Granted:
    """Read the answer to a REGISTER; raises as `check` does."""
    check(answer)
    ttl = integer(answer.fields.get("ttl"))
    return Granted(DEFAULT_TTL if ttl is None else clamp_ttl(ttl), _ip(answer.fields.get("ip")))


def listed(answer: Answer) -> list[Listed]:
    """Read the answer to a DISCOVER; raises as `check` does, and NonsenseError if no list."""
    check(answer)
    if answer.peers is None:
        raise NonsenseError("an answer without peers")
    return answer.peers


class _Reader:
    """Reads the JSON object of an answer: `peers` element by element, other members whole."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._rested_at = 0
        self._answer = Answer()

    def read(self) -> Generator[None, None, Answer]:
        self._expect("{")
        if not self._accept("}"):
            yield from self._members()
        return self._answer

    def _members(self) -> Generator[None, None, None]:
        for _ in range(_MAX_MEMBERS):
            yield from self._member()
            if not self._answer.complete or self._accept("}"):
                return
            self._expect(",")
        raise NonsenseError("too many members")

    def _member(self) -> Generator[None, None, None]:
        key = self._value()
        self._expect(":")
        if key == "peers" and self._accept("["):
            yield from self._peers()
            return
        value = self._value()
        if isinstance(key, str) and key in _MEMBERS:
            self._answer.fields[key] = value
        yield from self._rest()

    def _peers(self) -> Generator[None, None, None]:
        peers: list[Listed] = []
        self._answer.peers = peers
        if self._accept("]"):
            return
        for _ in range(MAX_LISTED):
            peer = _peer(self._value())
            if peer is None:
                self._answer.skipped += 1
            else:
                peers.append(peer)
            yield from self._rest()
            if self._accept("]"):
                return
            self._expect(",")
        self._answer.complete = False

    def _rest(self) -> Generator[None, None, None]:
        if self._at - self._rested_at >= STEP:
            self._rested_at = self._at
            yield

    def _value(self) -> object:
        self._skip_blank()
        for window in _WINDOWS:
            try:
                value, end = JSON.raw_decode(self._text[self._at : self._at + window])
            except (ValueError, RecursionError):
                continue
            self._at += end
            return value
        raise self._nonsense()

    def _skip_blank(self) -> None:
        match = _BLANK.match(self._text, self._at)
        self._at = match.end() if match else self._at

    def _accept(self, character: str) -> bool:
        self._skip_blank()
        if not self._text.startswith(character, self._at):
            return False
        self._at += 1
        return True

    def _expect(self, character: str) -> None:
        if not self._accept(character):
            raise self._nonsense()

    def _nonsense(self) -> NonsenseError:
        seen = visible(self._text[self._at : self._at + 20])
        return NonsenseError(f"no JSON object: {seen!r} at character {self._at}")


def _peer(entry: object) -> Listed | None:
    """Read one entry of a listing; None if nobody could use it."""
    if not isinstance(entry, dict):
        return None
    ip, port = _ip(entry.get("ip")), port_number(entry.get("port"))
    name, namespace = printable_label(entry.get("name")), printable_label(entry.get("namespace"))
    if ip is None or port is None or name is None or namespace is None:
        return None
    ttl = _seconds(entry.get("ttl"), DEFAULT_TTL)
    return Listed(ip, port, name, namespace, ttl, _seconds(entry.get("expires_in"), ttl))


def _ip(value: object) -> str | None:
    # No name, which would be looked up, and no IPv6 zone, which may be any text.
    if isinstance(value, str) and "%" not in value and is_ip_literal(value):
        return value
    return None


def _seconds(value: object, default: int) -> int:
    seconds = integer(value)
    return default if seconds is None else min(max(seconds, 0), MAX_TTL)

"""Messages to lines and back (docs/protocols.md, section 2).

A line is one JSON object in UTF-8 ended by a newline, at most MAX_LINE bytes with it.
"""

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, Raw, UnsetType

from p2pchat.chat.messages import (
    Ack,
    AnyMessage,
    ArchiveOffer,
    Bye,
    ByeOk,
    Hello,
    HelloOk,
    HelloReject,
    Message,
    Ping,
    Pong,
    Pub,
    Relay,
    Send,
    Unknown,
)
from p2pchat.errors import LocalProtocolError, RemoteProtocolError
from p2pchat.text import visible

MAX_LINE = 32768

_Known = Hello | HelloOk | HelloReject | Ping | Pong | Send | Ack | Pub | Bye | ByeOk | Relay

_encode = msgspec.json.Encoder().encode
_encode_lines = msgspec.json.Encoder().encode_lines
_decode = msgspec.json.Decoder(_Known).decode
_decode_envelope = msgspec.json.Decoder(Unknown).decode
_decode_offer = msgspec.json.Decoder(ArchiveOffer).decode
_KNOWN_TYPES = frozenset(
    str(kind.__struct_config__.tag)
    for kind in (Hello, HelloOk, HelloReject, Ping, Pong, Send, Ack, Pub, Bye, ByeOk, Relay)
)


def encode(message: Message) -> bytes:
    """Write a message as a line.

    Raises LocalProtocolError for what must never be sent (2.11): a lone surrogate, or a line of
    more than MAX_LINE bytes.
    """
    try:
        line = _encode(message) + b"\n"
    except UnicodeEncodeError as error:
        raise LocalProtocolError("the text holds half a character (a lone surrogate)") from error
    if len(line) > MAX_LINE:
        raise LocalProtocolError(f"the message is {len(line)} bytes long; {MAX_LINE} are allowed")
    return line


def encode_acks(acks: Sequence[Ack]) -> bytes:
    """Write ACKs as lines; what they repeat was decoded, so it can be encoded and is short."""
    return _encode_lines(acks)


def decode(line: bytes) -> AnyMessage:
    """Read a line without its newline.

    Raises RemoteProtocolError for anything that is not a message; a well-formed message of a type
    we do not know is `Unknown`.
    """
    try:
        message: AnyMessage = _decode(line)
        return message
    except msgspec.ValidationError as error:
        return _unknown_type(line, error)
    except (ValueError, RecursionError) as error:
        raise RemoteProtocolError(f"not a message: {visible(str(error), 200)}") from error


def encode_offer(offer: ArchiveOffer | None) -> Raw | UnsetType:
    """Write the field `archive` of HELLO and HELLO_OK; without an offer there is none."""
    return UNSET if offer is None else Raw(_encode(offer))


def decode_offer(field: Raw | UnsetType) -> ArchiveOffer | None:
    """Read the field `archive`; None if there is none, or if it makes no sense."""
    if field is UNSET:
        return None
    try:
        return _decode_offer(field)
    except (ValueError, RecursionError):
        return None


def _unknown_type(line: bytes, error: msgspec.ValidationError) -> Unknown:
    """Tell a harmless message of an unknown type from a broken one of a known type."""
    problem = RemoteProtocolError(f"not a message: {visible(str(error), 200)}")
    try:
        unknown = _decode_envelope(line)
    except (ValueError, RecursionError):
        raise problem from error
    if unknown.type in _KNOWN_TYPES:
        raise problem from error
    return unknown

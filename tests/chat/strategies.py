"""Hypothesis strategies for what peers say."""

import itertools
import json

import msgspec
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from msgspec import UNSET, Raw

from p2pchat.chat.messages import (
    Ack,
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
)

#: Text as JSON can carry it: anything but lone surrogates.
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
ids = text
timestamps = st.none() | text | st.floats(allow_nan=False, allow_infinity=False)
ttls = st.integers(-(2**63), 2**63 - 1)
features = st.lists(text, max_size=5).map(tuple)
agents = st.just(UNSET) | text
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
offers = st.builds(
    ArchiveOffer, st.integers(1, 65535), st.integers(0, 2**32 - 1), st.text("0af", max_size=32)
)
archives = st.just(UNSET) | (offers | _json).map(msgspec.json.encode).map(Raw)

_introduction = {
    "peer_id": text,
    "version": text,
    "features": features,
    "ttl": ttls,
    "agent": agents,
    "archive": archives,
}
_routed = {"msg_id": ids, "src": text, "dst": text, "ttl": ttls}
_clocked = {"msg_id": ids, "timestamp": timestamps, "ttl": ttls}

#: Any message that we can write, of every type that we can read.
messages: SearchStrategy[Message] = st.one_of(
    st.builds(Hello, **_introduction),
    st.builds(HelloOk, **_introduction),
    st.builds(HelloReject, reason=text, peer_id=text),
    st.builds(Ping, **_clocked),
    st.builds(Pong, **_clocked),
    st.builds(Ack, **_clocked),
    st.builds(Send, **_routed, payload=text, require_ack=st.booleans()),
    st.builds(Pub, **_routed, payload=text, require_ack=st.booleans()),
    st.builds(Relay, **_routed, payload=text),
    st.builds(Bye, **_routed, reason=text),
    st.builds(ByeOk, **_routed),
)

_types = st.sampled_from(
    [
        "HELLO",
        "HELLO_OK",
        "HELLO_REJECT",
        "PING",
        "PONG",
        "SEND",
        "ACK",
        "PUB",
        "BYE",
        "BYE_OK",
        "RELAY",
        "OTHER",
    ]
)
_fields = st.sampled_from(
    [
        "peer_id",
        "version",
        "features",
        "ttl",
        "agent",
        "archive",
        "msg_id",
        "timestamp",
        "src",
        "dst",
        "payload",
        "require_ack",
        "reason",
    ]
)


@st.composite
def objects(draw: st.DrawFn) -> bytes:
    """A JSON object that looks like a message, with anything in its fields."""
    content = draw(st.dictionaries(_fields, _json, max_size=6))
    content["type"] = draw(_types | _json)
    return json.dumps(content).encode()


@st.composite
def mutated(draw: st.DrawFn, line: bytes) -> bytes:
    """The line with a few bytes replaced, taken out or put in."""
    changed = bytearray(line)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(changed)))
        end = min(len(changed), at + draw(st.integers(0, 3)))
        changed[at:end] = draw(st.binary(max_size=3))
    return bytes(changed)


@st.composite
def chunked(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """The data, cut anywhere."""
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=8)))
    edges = [0, *cuts, len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]

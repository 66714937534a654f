"""Messages to lines and back: nothing is lost, and only RemoteProtocolError comes of junk."""

import json
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chat.codec import MAX_LINE, decode, encode
from p2pchat.chat.messages import Ack, AnyMessage, Bye, Hello, Message, Ping, Pub, Send, Unknown
from p2pchat.errors import LocalProtocolError, RemoteProtocolError
from tests.chat.strategies import messages, mutated, objects

#: What no field of any message may be, by the type that it must be.
WRONG: dict[str, list[Any]] = {
    "text": [1, 1.5, True, None, [], {}],
    "whole number": ["1", 1.5, True, None, [], {}],
    "truth": [0, 1, "true", None, [], {}],
    "list of texts": ["ack", 1, None, {}, [1], [None], [["ack"]]],
    "time": [True, [], {}],
    "anything": [],
}
TEXT, NUMBER, TRUTH, TEXTS, TIME, ANYTHING = WRONG

_INTRODUCTION = {
    "peer_id": TEXT,
    "version": TEXT,
    "features": TEXTS,
    "ttl": NUMBER,
    "agent": TEXT,
    "archive": ANYTHING,
}
_CLOCKED = {"msg_id": TEXT, "timestamp": TIME, "ttl": NUMBER}
_ROUTED = {"msg_id": TEXT, "src": TEXT, "dst": TEXT, "ttl": NUMBER}

#: Every field of every message, and what it must be.
FIELDS = {
    "HELLO": _INTRODUCTION,
    "HELLO_OK": _INTRODUCTION,
    "HELLO_REJECT": {"reason": TEXT, "peer_id": TEXT},
    "PING": _CLOCKED,
    "PONG": _CLOCKED,
    "ACK": _CLOCKED,
    "SEND": {**_ROUTED, "payload": TEXT, "require_ack": TRUTH},
    "PUB": {**_ROUTED, "payload": TEXT, "require_ack": TRUTH},
    "RELAY": {**_ROUTED, "payload": TEXT},
    "BYE": {**_ROUTED, "reason": TEXT},
    "BYE_OK": _ROUTED,
}
VALID: dict[str, Any] = {
    TEXT: "x",
    NUMBER: 1,
    TRUTH: True,
    TEXTS: ["ack"],
    TIME: 1.5,
    ANYTHING: None,
}


def valid(kind: str) -> dict[str, Any]:
    """Return a message of this type with every field filled in."""
    return {"type": kind, **{field: VALID[what] for field, what in FIELDS[kind].items()}}


def read(content: object) -> AnyMessage:
    return decode(json.dumps(content).encode())


class RoundTrip(SynchronousTestCase):
    @settings(deadline=None, max_examples=100)
    @given(messages)
    def test_every_message_survives(self, message: Message) -> None:
        line = encode(message)
        self.assertTrue(line.endswith(b"\n"))
        self.assertEqual(line.count(b"\n"), 1)
        self.assertEqual(decode(line[:-1]), message)

    @settings(deadline=None, max_examples=100)
    @given(messages)
    def test_a_line_is_plain_json_with_its_type(self, message: Message) -> None:
        content = json.loads(encode(message))
        self.assertEqual(content["type"], message.__struct_config__.tag)
        for field in message.__struct_fields__:
            if getattr(message, field) is not msgspec.UNSET:
                self.assertIn(field, content)

    def test_the_table_of_fields_is_complete(self) -> None:
        for kind, fields in FIELDS.items():
            message = read(valid(kind))
            self.assertIsInstance(message, Message)
            self.assertEqual(sorted(message.__struct_fields__), sorted(fields), kind)


class Junk(SynchronousTestCase):
    def read_or_refuse(self, line: bytes) -> None:
        try:
            message = decode(line)
        except RemoteProtocolError as error:
            self.assertTrue(str(error).isprintable(), "an error that cannot be shown as it is")
            self.assertLess(len(str(error)), 1000)
        else:
            self.assertIsInstance(message, Message | Unknown)

    def refuses(self, line: bytes) -> None:
        try:
            message = decode(line)
        except RemoteProtocolError:
            return
        self.fail(f"{line[:200]!r} was read as {message!r:.200}")

    @settings(deadline=None, max_examples=100)
    @given(st.binary(max_size=200))
    def test_arbitrary_bytes(self, line: bytes) -> None:
        self.read_or_refuse(line)

    @settings(deadline=None, max_examples=100)
    @given(objects())
    def test_arbitrary_objects(self, line: bytes) -> None:
        self.read_or_refuse(line)

    @settings(deadline=None, max_examples=100)
    @given(messages.map(encode).flatmap(mutated))
    def test_valid_lines_with_a_few_bytes_changed(self, line: bytes) -> None:
        self.read_or_refuse(line)

    def test_a_wrong_type_in_any_field_of_any_message(self) -> None:
        for kind, fields in FIELDS.items():
            for field, what in fields.items():
                for wrong in WRONG[what]:
                    self.refuses(json.dumps({**valid(kind), field: wrong}).encode())

    def test_what_is_no_message(self) -> None:
        for line in (
            b"",
            b"GET / HTTP/1.1",
            b"null",
            b"[]",
            b'"HELLO"',
            b"{}",
            b'{"type":null}',
            b'{"type":5}',
            b'{"type":"PING"}',
            b'{"type":"PING","msg_id":"x"} {}',
            b'{"type":"PING","msg_id":NaN}',
            b'{"type":"PING","msg_id":"x","timestamp":NaN}',
            b'{"type":"PONG","msg_id":"x","timestamp":Infinity}',
            b'{"type":"PONG","msg_id":"x","timestamp":-Infinity}',
            b'{"type":"PING","msg_id":"\xff"}',
            b'{"type":"PING","msg_id":"\\ud800"}',
            b'{"type":"PING","msg_id":"x","ttl":1e400}',
            b"[" * 15_000,
            b"[" * 15_000 + b"]" * 15_000,
            b'{"type":"SEND","msg_id":' + b"[" * 15_000 + b"]" * 15_000 + b"}",
            b'{"type":"OTHER","x":' + b"[" * 15_000 + b"]" * 15_000 + b"}",
            b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
        ):
            self.refuses(line)

    def test_ids_and_names_have_a_limit(self) -> None:
        for field, limit in (("msg_id", 256), ("src", 512), ("dst", 512)):
            read({**valid("SEND"), field: "x" * limit})
            self.refuses(json.dumps({**valid("SEND"), field: "x" * (limit + 1)}).encode())


class Limits(SynchronousTestCase):
    def test_a_line_of_exactly_the_limit_is_written_and_one_byte_more_is_not(self) -> None:
        empty = len(encode(Send("1", payload="")))
        self.assertEqual(len(encode(Send("1", payload="x" * (MAX_LINE - empty)))), MAX_LINE)
        with self.assertRaises(LocalProtocolError):
            encode(Send("1", payload="x" * (MAX_LINE - empty + 1)))

    def test_the_limit_counts_bytes_not_characters(self) -> None:
        with self.assertRaises(LocalProtocolError):
            encode(Send("1", payload="é" * (MAX_LINE // 2)))

    def test_half_a_character_is_never_written(self) -> None:
        for message in (
            Send("1", payload="a\ud800"),
            Pub("1", payload="\udfff"),
            Bye(reason="\ud8aa"),
        ):
            with self.assertRaises(LocalProtocolError):
                encode(message)


class Leniency(SynchronousTestCase):
    """What deployed programs leave out, add or write otherwise (2.3)."""

    def test_what_may_be_missing(self) -> None:
        self.assertEqual(read({"type": "SEND", "msg_id": "1", "payload": "x"}).require_ack, True)
        self.assertEqual(read({"type": "PUB", "msg_id": "1", "payload": "x"}).dst, "*")
        self.assertEqual(read({"type": "PING", "msg_id": "1"}), Ping("1"))
        self.assertEqual(read({"type": "ACK", "msg_id": "1"}), Ack("1"))
        self.assertEqual(read({"type": "HELLO", "peer_id": "bob@CIC"}), Hello("bob@CIC"))
        self.assertEqual(read({"type": "BYE"}), Bye())

    def test_unknown_fields_and_any_order(self) -> None:
        ping = read({"ttl": 1, "src": "a", "x": [{}], "msg_id": "1", "type": "PING"})
        self.assertEqual(ping, Ping("1"))

    def test_unknown_types(self) -> None:
        for kind in ("NEWS", "ping", ""):
            self.assertEqual(read({"type": kind, "msg_id": 5}), Unknown(kind))

    def test_carriage_return_and_blanks_around(self) -> None:
        self.assertEqual(decode(b' {"type":"PING","msg_id":"1"}\r'), Ping("1"))

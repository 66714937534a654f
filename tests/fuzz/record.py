"""What the fuzzer starts from: `python -m tests.fuzz.record` writes tests/fuzz/corpus/TARGET/.

It is what real nodes said to each other (tests/fuzz/exchanges, written by `python -m
tests.fuzz.exchanges`), what our own encoders write, what deployed programs are known to send
(docs/protocols.md) and the beginnings of the archives in tests/data, whole and in pieces. It is
made without chance, so that running it again changes nothing.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from hashlib import sha1
from itertools import chain
from pathlib import Path

import msgspec

from p2pchat.archive import codec as archive
from p2pchat.archive.storage import OwnRecord
from p2pchat.chat.codec import encode, encode_offer
from p2pchat.chat.messages import (
    FEATURES,
    Ack,
    ArchiveOffer,
    Bye,
    ByeOk,
    Hello,
    HelloOk,
    HelloReject,
    Ping,
    Pong,
    Pub,
    Relay,
    Send,
)
from p2pchat.config import Config
from p2pchat.history import Entry
from p2pchat.rendezvous import replies
from p2pchat.rendezvous.messages import Discover, Register, Unregister, request_line
from p2pchat.rendezvous.replies import Listed
from tests.archive.examples import EXAMPLE, THOUSAND, wire
from tests.fuzz import recorded
from tests.fuzz.cuts import in_pieces, whole
from tests.fuzz.targets import TARGETS
from tests.fuzz.targets.archive_disk import MARK
from tests.fuzz.targets.session import DEAF, DIALLED, INTRODUCED, MODERN, REFUSES, SLOW
from tests.rendezvous.test_proxy_header import binary

CORPUS = Path(__file__).parent / "corpus"

TIME = "2025-03-01T12:00:00.000Z"
OFFER = encode_offer(ArchiveOffer(51511, 2, "0" * 32))
BOB, ALICE = "bob@CIC", "alice@CIC"

EIGHTHS = tuple(range(0x2000, 0x10000, 0x2000))

HELLO = encode(Hello(BOB, features=FEATURES, agent="p2pchat/9", archive=OFFER))
HELLO_OK = encode(HelloOk(BOB, features=FEATURES, agent="p2pchat/9", archive=OFFER))
TALK = [
    encode(message)
    for message in (
        Ping("p1", TIME),
        Pong("p1", TIME),
        Send("s1", BOB, ALICE, "reunião às 15h"),
        Send("s2", BOB, ALICE, "no answer, please", require_ack=False),
        Ack("s3", TIME),
        Pub("m1", BOB, "*", "good morning"),
        Pub("m2", BOB, "#CIC", "good morning, all"),
        Relay("r1", "carol@CIC", ALICE, "through others"),
    )
]
ENDS = [
    encode(message)
    for message in (
        HelloReject("duplicate", BOB),
        Bye("b1", BOB, ALICE, "leaving"),
        ByeOk("b1", BOB, ALICE),
    )
]
#: What others write otherwise (docs/protocols.md, 2).
OTHERS = [
    b'{"type": "HELLO", "peer_id": "bob@CIC", "version": "1.0", "features": [], "ttl": 1}\n',
    b'{"type": "PING", "msg_id": "1", "timestamp": 1740830400.25, "ttl": 1}\r\n',
    b'{"type": "SEND", "msg_id": "1", "payload": "x\\u00e9\\ud83d\\ude00", "extra": [1, {}]}\n',
    b'{"type": "STATUS", "uptime": 1}\n',
    b"\n",
]


def chat_codec() -> Iterable[bytes]:
    """Lines, without their ends."""
    return [line.rstrip() for line in (HELLO, HELLO_OK, *TALK, *ENDS, *OTHERS)]


def session() -> Iterable[bytes]:
    """Conversations with each kind of peer, from the first line on and from the middle."""
    talk = b"".join(TALK)
    for mode in (0, DIALLED, REFUSES, DIALLED | REFUSES, SLOW, SLOW | DIALLED):
        first = HELLO_OK if mode & DIALLED else HELLO
        yield bytes([mode]) + in_pieces(first + talk, 5000, 30_000, 30_100)
        yield bytes([mode]) + whole(OTHERS[0] + talk + ENDS[1])
    for mode in (INTRODUCED, INTRODUCED | MODERN, INTRODUCED | MODERN | DIALLED):
        yield bytes([mode]) + whole(talk + b"".join(OTHERS[1:]) + ENDS[1])
        yield bytes([mode | DEAF]) + in_pieces(TALK[0] + TALK[2], 60_000, doubled=6)
        yield bytes([mode]) + in_pieces(b'{"type": "SEND' + bytes(300), *EIGHTHS, doubled=8)
    yield bytes([DIALLED]) + whole(ENDS[0])


REQUESTS = [
    request_line(request)
    for request in (
        Register("CIC", "bob", 4001, 60),
        Discover("CIC"),
        Discover(),
        Unregister("CIC", "ana", 4000),
        Unregister("CIC"),
    )
]
OTHER_REQUESTS = [
    b'{"type": "register", "namespace": "CIC", "name": "z\\u00e9", "port": "4002"}\r\n',
    b'{"type": "DISCOVER"}',
    b"\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b'{"type": "UNREGISTER", "namespace": "CIC", "port": [1e5]}\n',
]


def rendezvous_server() -> Iterable[bytes]:
    """Each request alone, all of them in turn, and one that does not end."""
    for request in (*REQUESTS, *OTHER_REQUESTS):
        yield b"\0" + in_pieces(request, 20_000)
    for mode in (0, 0b10010000):
        yield bytes([mode]) + whole(b"\0".join(REQUESTS[:4]))
    yield b"\0" + in_pieces(b'{"type": ' * 33, *EIGHTHS, doubled=8)
    yield b"\0" + in_pieces(REQUESTS[2] + b" " * 300, *EIGHTHS, doubled=8)


def rendezvous_proxied() -> Iterable[bytes]:
    """Requests behind headers of both versions."""
    headers = [
        b"PROXY TCP4 198.51.100.7 203.0.113.1 50000 8080\r\n",
        b"PROXY TCP6 2001:db8::1 ::1 50000 8080\r\n",
        b"PROXY UNKNOWN\r\n",
        binary("198.51.100.7", "203.0.113.1", 50000),
        binary("::ffff:198.51.100.7", "::1", 50000, extra=b"\x03\0\4abcd"),
        binary("198.51.100.7", "203.0.113.1", 50000, command=0x20),
    ]
    for header in headers:
        yield whole(header + REQUESTS[0])
        yield in_pieces(header + REQUESTS[0], 1000, 20_000, 60_000)
    yield whole(REQUESTS[0])
    yield in_pieces(headers[4][:20] + bytes(100), *EIGHTHS, doubled=8)


def rendezvous_answers() -> Iterable[bytes]:
    """What our server answers, and others."""
    peers = [
        Listed("10.0.0.1", 4001, "ana", "CIC", 7200, 7199),
        Listed("2001:db8::1", 4002, 'z"é\\', "CIC", 60, 0),
    ]
    for line in (
        replies.registered(60, "10.0.0.2", 4000),
        replies.unregistered(),
        replies.listing([]),
        replies.listing(peers),
        replies.error("bad_name"),
        replies.error("peer_not_registered"),
        replies.blocked("10.0.0.2", 50000, 50, 59.5),
        replies.line_too_long(32768),
        replies.too_late(),
        b'{"status": "ERROR", "error": "nonsense", "peers": null}\n',
        b'{"status": "ok", "peers": [1, {}, {"ip": "x", "port": 1}], "ttl": "7200"}\n',
        b"Connection has been blocked\n",
        b"",
    ):
        yield in_pieces(line, 30_000)
    entries = b'{"ip":"10.0.0.1","port":1,"name":"a","namespace":"C"},'
    yield in_pieces(b'{"peers":[' + entries * 10, doubled=7)


def archive_streams() -> Iterable[bytes]:
    """Every message, alone and behind others; archives that we know, that are longer, and forks."""
    messages = [
        archive.PEER_REQUEST,
        archive.peer_list(["10.0.0.1", "10.0.0.2"]),
        archive.ARCHIVE_REQUEST,
        archive.notification("Chat archived"),
        wire(THOUSAND.truncated(2)),
        wire(THOUSAND.truncated(4)),
    ]
    for message in (*messages, b"".join(messages)):
        yield b"\1" + in_pieces(message, 20_000)
    yield b"\1" + whole(archive.identification("10.0.0.1") + b"".join(messages))
    for ours in (0, 1, 2, 3):
        yield bytes([ours << 1]) + in_pieces(wire(THOUSAND.truncated(26)), 20_000, 40_000)
        yield bytes([ours << 1]) + whole(wire(EXAMPLE.truncated(min(4, EXAMPLE.height))))
    yield b"\0" + in_pieces(wire(THOUSAND.truncated(50)), *EIGHTHS)
    yield b"\0" + in_pieces(archive.archive_header(2**32 - 1) + bytes(64), *EIGHTHS, doubled=8)
    yield b"\0" + in_pieces(b"\2\xff\xff\xff\xff" + bytes(64), *EIGHTHS, doubled=8)


def archive_growth() -> Iterable[bytes]:
    """Archives that grow, that fork, that are damaged, and several of them."""
    cuts = b"".join(cut.to_bytes(2, "big") for cut in EIGHTHS)
    for steps in (
        [(0, 5), (0, 12), (0, 40)],
        [(0, 26), (2, 24), (0, 40)],
        [(1, 2), (0, 3), (2, 24)],
        [(0, 20), (0x84, 30), (0, 40)],
        [(0, 20), (8, 30), (0, 40)],
        [(3, 0), (0, 30), (3, 0)],
    ):
        stream = b"".join(bytes(step) for step in steps)
        yield b"\1\0" + cuts + stream
        yield b"\6\0" + cuts[::-1] + stream


def archive_disk() -> Iterable[bytes]:
    """Both files, whole and damaged."""
    records = [OwnRecord(1, "one", "1" * 16), OwnRecord(2, "two", "2" * 16, 3, confirmed=True)]
    own = msgspec.json.Encoder().encode_lines(records)
    for height in (0, 1, 3, 22):
        chats = bytes(THOUSAND.truncated(height).view())
        yield whole(chats + MARK + own)
        yield whole(chats[:-1] + MARK + own[:-5])
        yield whole(chats + b"\0" * 40 + MARK + b"{}\n" + own)


def history_import() -> Iterable[bytes]:
    """Entries of every kind, as they are exported."""
    encoder = msgspec.json.Encoder()
    lines = [
        encoder.encode(
            Entry(
                time=datetime(2025, 3, 1, 12, tzinfo=UTC),
                msg_id=f"{kind}-{direction}-{state}",
                source=ALICE if direction == "out" else BOB,
                to="#CIC" if kind == "pub" else BOB if direction == "out" else ALICE,
                text="reunião\n",
                kind=kind,
                direction=direction,
                state=state,
                relayed=relayed,
            )
        )
        for kind, direction, state, relayed in (
            ("send", "in", "", False),
            ("send", "in", "", True),
            ("send", "out", "queued", False),
            ("send", "out", "delivered", False),
            ("send", "out", "failed", False),
            ("pub", "in", "", False),
            ("pub", "out", "", False),
        )
    ]
    for line in lines:
        yield whole(line + b"\n")
        yield whole(line.replace(b"alice", b"carol") + b"\n" + line)
    yield whole(b"\n".join(lines))
    yield in_pieces(lines[0] + b"\n", doubled=8)


def config_file() -> Iterable[bytes]:
    """All defaults, each section of them, and what earlier programs have."""
    encode_json = msgspec.json.encode
    yield whole(encode_json(Config()))
    for section in Config.__struct_fields__:
        yield whole(encode_json({section: getattr(Config(), section)}))
        yield whole(encode_json({section: {"x": 1}}))
    for content in (
        {"rendezvous": {"servers": ["[::1]:8080", "localhost:8080"]}},
        {"archive": {"peers": ["10.0.0.1", "localhost:51511"], "bind": "127.0.0.1"}},
        {"logging": {"level": "LOUD"}},
        {"peer": {"bind": "fe80::1%eth0", "name": "zé"}},
        [],
    ):
        yield whole(encode_json(content))


def metrics_http() -> Iterable[bytes]:
    """What Prometheus asks, what browsers do, and bodies that nobody wants."""
    host = b"Host: localhost:9100\r\n"
    openmetrics = b"Accept: application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1\r\n"
    for request in (
        b"GET /metrics HTTP/1.1\r\n" + host + openmetrics + b"Accept-Encoding: gzip\r\n\r\n",
        b"GET /metrics HTTP/1.0\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + host + b"Connection: close\r\n\r\n",
        b"HEAD /metrics HTTP/1.1\r\n" + host + b"\r\n",
        b"POST /metrics HTTP/1.1\r\n" + host + b"Content-Length: 300\r\n\r\nabc",
        b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        b"nonsense\r\n\r\n",
    ):
        yield in_pieces(request, 9000, 40_000)
        yield in_pieces(request, 30_000, doubled=2)


RECORDED = {
    "chat-codec": chat_codec,
    "session": session,
    "rendezvous-server": rendezvous_server,
    "rendezvous-proxied": rendezvous_proxied,
    "rendezvous-answers": rendezvous_answers,
    "archive-framer": archive_streams,
    "archive-link": archive_streams,
    "archive-growth": archive_growth,
    "archive-disk": archive_disk,
    "import": history_import,
    "config": config_file,
    "metrics-http": metrics_http,
}

#: What comes from real exchanges, or is made in tests/fuzz/recorded.py.
REAL: dict[str, Callable[[], Iterable[bytes]]] = {
    "chat-codec": recorded.chat_codec,
    "session": recorded.session,
    "rendezvous-server": recorded.rendezvous_server,
    "rendezvous-proxied": recorded.rendezvous_proxied,
    "rendezvous-answers": recorded.rendezvous_answers,
    "archive-framer": recorded.archive_streams,
    "archive-link": recorded.archive_streams,
    "console-lines": recorded.console_lines,
    "store-salvage": recorded.store_salvage,
    "redis-replies": recorded.redis_replies,
}


def inputs(target: str) -> Iterable[bytes]:
    """Return the inputs of a target."""
    nothing = tuple[bytes]
    return chain(RECORDED.get(target, nothing)(), REAL.get(target, nothing)())


def record(folder: Path = CORPUS) -> None:
    """Write the inputs of each target, named by their hash, in the place of what is there."""
    for target in TARGETS:
        (folder / target).mkdir(parents=True, exist_ok=True)
        for old in (folder / target).iterdir():
            old.unlink()
        for data in inputs(target):
            (folder / target / sha1(data, usedforsecurity=False).hexdigest()[:12]).write_bytes(data)


if __name__ == "__main__":
    record()

"""Inputs from what real nodes said to each other (tests/fuzz/exchanges), and to what has no other
side: damaged files and lines that are typed."""

from collections.abc import Iterable
from pathlib import Path

from tests.fuzz.cuts import in_pieces, whole
from tests.fuzz.targets.console_lines import CLASSIC, PLAIN
from tests.fuzz.targets.redis_replies import AGAIN, CENSUS, ENDLESS, KNOWN
from tests.fuzz.targets.session import DIALLED
from tests.fuzz.targets.store_salvage import CLOSED, CUT, LATER, PAGE, original

EXCHANGES = Path(__file__).parent / "exchanges"


def heard(kind: str) -> list[bytes]:
    """Return what was read of the connections of a kind."""
    return [path.read_bytes() for path in sorted(EXCHANGES.glob(f"{kind}-*"))]


def chat_codec() -> Iterable[bytes]:
    """Every kind of line once that was said in the live chat."""
    lines = b"".join(heard("chat-*")).split(b"\n")
    kinds = {line.partition(b",")[0]: line for line in lines if line}
    return kinds.values()


def session() -> Iterable[bytes]:
    """Whole conversations of each side, as alice hears them."""
    for kind, mode in (("chat-accepted", 0), ("chat-dialled", DIALLED)):
        for data in heard(kind):
            yield bytes([mode]) + in_pieces(_for_alice(data), 20_000, 40_000)


def _for_alice(data: bytes) -> bytes:
    if b'"peer_id":"alice@CIC"' not in data:
        return data
    return data.replace(b"alice@", b"\0").replace(b"bob@", b"alice@").replace(b"\0", b"bob@")


def rendezvous_server() -> Iterable[bytes]:
    """Requests, one connection after the other, and each alone."""
    requests = heard("rendezvous-request")
    yield b"\0" + whole(b"\0".join(requests))
    for request in requests:
        yield b"\x04" + in_pieces(request, 20_000)


def rendezvous_proxied() -> Iterable[bytes]:
    """A request behind a header that a balancer puts before it."""
    for request in heard("rendezvous-request")[:1]:
        yield whole(b"PROXY TCP4 198.51.100.7 203.0.113.1 50000 8080\r\n" + request)


def rendezvous_answers() -> Iterable[bytes]:
    return (in_pieces(answer, 30_000) for answer in heard("rendezvous-answer"))


def archive_streams() -> Iterable[bytes]:
    """What each side of a link said, to who has nothing yet."""
    for kind, mode in (("archive-accepted", 1), ("archive-dialled", 0)):
        for stream in heard(kind):
            yield bytes([mode]) + in_pieces(stream, 20_000, 40_000)


def console_lines() -> Iterable[bytes]:
    """What was typed, each command with what it takes, mistakes, and a line that is too long."""
    typed = [
        *heard("console"),
        b"/msg bob hi\nagain\n//usr\n/outbox\n/cancel 1\n/rtt\n/conn\n/reconnect\n",
        b'/msg "anna b@CIC" hi\n/msg "bob hi\n/msg carol hi\n/log DEBUG\n/log loud\n/pub # x\n',
        b"/history 5 before 14:30\n/history * 3\n/history 0\n/history before\n/search OR NEAR( x\n",
        b"/export x\n/unread\n/req\n/val\n/connect 10.0.0.1\n/help msg\n/help /x\n/MSG bob x\n",
        b"peers\nhist all\nhist 3\nreq\nval\nstatus\ndebug\nchat hello\nconnect\nhelp peers\n",
        b"/msg bob \x1b[2J\xe2\x80\xae\xff\xed\xa0\x80\0\n/msg \xc2\x9b x\n/\x1b[2J\n\r\n \t\n",
    ]
    for lines in typed:
        for mode in (0, PLAIN, PLAIN | CLASSIC):
            yield bytes([mode]) + in_pieces(lines, 9000, 30_000)
    yield b"\0" + in_pieces(b"/msg bob " + b"x" * 300, 1000, 30_000, doubled=8)


def store_salvage() -> Iterable[bytes]:
    """Pages that are overwritten, emptied and exchanged, places in them, and files that are cut."""
    zero, copied, changed = 0x80, 0xC0, 0x40
    for mode in (0, CLOSED, LATER):
        yield bytes([mode])
        yield bytes([mode, 1, zero, 0, 0xFF, 2, zero, 0, 0xFF, 3, zero, 0, 0xFF])
        yield bytes([mode, 0, 0, 100, 0xFF])
        yield bytes([mode, 0, 0, 63, 9])
    for page in range(2, 24, 3):
        yield bytes([0, page, copied, 0, page + 1, page + 2, changed | 12, 0, 0xFF])
        yield bytes([LATER, page, zero, 3, 0xFF, page + 1, 0, 3, 0xFF])
    for text in (b"reuni", b"good morning"):
        page, place = divmod(original().index(text), PAGE)
        for mode in (0, LATER):
            yield bytes([mode, page, changed | place >> 8, place & 0xFF, 1])
    for cut in (0, 1, 9, 30):
        yield bytes([CUT | cut << 3])


def redis_replies() -> Iterable[bytes]:
    """What Redis replied to each script, and what it never would."""
    found = b"".join(heard("redis-find")).split(b"\0")[:-1]
    yield bytes([AGAIN | KNOWN]) + whole(b"\0".join(found[-4:]))
    yield bytes([AGAIN | KNOWN | ENDLESS]) + whole(max(found, key=len))
    questions = ("find", "find", "register", "unregister", "census", "find", "judge", "judge")
    for question, kind in enumerate(questions):
        for replies in heard(f"redis-{kind}"):
            last = b"\0".join(replies.split(b"\0")[-4:-1])
            yield bytes([question | KNOWN]) + whole(last)
            yield bytes([question]) + whole(b"\0".join([b":1", last]))
    for nonsense in (b'["5",0,[]]', b'["0",0,[[1]]]', b"{}", b":7", b"*", b"-ERR", b'{"C":"x"}'):
        for question in (KNOWN, CENSUS, CENSUS + 2):
            yield bytes([question | ENDLESS]) + whole(nonsense)

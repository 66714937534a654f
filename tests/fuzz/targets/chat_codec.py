"""Lines of the live chat: `p2pchat.chat.codec`.

A line is a message or a RemoteProtocolError, and what was read can be written and read again.
"""

from p2pchat.chat.codec import MAX_LINE, decode, decode_offer, encode
from p2pchat.chat.messages import Hello, HelloOk, Unknown
from p2pchat.errors import LocalProtocolError, RemoteProtocolError
from tests.fuzz.targets import words
from tests.fuzz.watch import check_shown

MAX_LENGTH = 2048
WORDS = (
    *words.VALUES,
    *words.keys("type", "peer_id", "version", "features", "ttl", "agent", "archive"),
    *words.keys("msg_id", "timestamp", "src", "dst", "payload", "require_ack", "reason"),
    *words.keys("port", "height", "tip"),
    *(b'"HELLO"', b'"HELLO_OK"', b'"HELLO_REJECT"', b'"PING"', b'"PONG"', b'"SEND"', b'"ACK"'),
    *(b'"PUB"', b'"BYE"', b'"BYE_OK"', b'"RELAY"'),
)


def check(data: bytes) -> None:
    """Read each line."""
    for line in data.split(b"\n"):
        _check_line(line)


def _check_line(line: bytes) -> None:
    try:
        message = decode(line)
    except RemoteProtocolError as error:
        check_shown(error)
        return
    if isinstance(message, Unknown):
        return
    if isinstance(message, Hello | HelloOk):
        decode_offer(message.archive)
    try:
        written = encode(message)
    except LocalProtocolError:
        # only what is longer in our way of writing: the defaults that were left out
        assert len(line) + 512 > MAX_LINE, "what was read cannot be written"
        return
    assert written.endswith(b"\n"), "a line that does not end"
    assert written.count(b"\n") == 1, "a line that is two"
    assert decode(written[:-1]) == message, "it reads otherwise when it is written"

"""The rendezvous server: a real factory and registry, a few connections one after the other.

0x00 parts what one connection sends from what the next one does. Each gets one line, which our own
client can read, the same in whatever pieces the request comes; no connection, timer or more than a
request is kept.
"""

from twisted.internet.task import Clock

from p2pchat.rendezvous.registry import MemoryRegistry
from p2pchat.rendezvous.server import RendezvousFactory, ServerLimits
from tests.fuzz.cuts import pieces
from tests.fuzz.targets import rendezvous_answers, words
from tests.fuzz.targets.streams import Stream
from tests.fuzz.watch import no_failures_logged

MAX_LENGTH = 2048
WORDS = (
    *words.VALUES,
    *words.keys("type", "namespace", "name", "port", "ttl"),
    *(b'"REGISTER"', b'"DISCOVER"', b'"UNREGISTER"', b'"CIC"', b'"ana"', b'"4000"', b"4000"),
    *(b"\0", b"\n", b"\r\n"),
)

LIMITS = ServerLimits(rate_limit=1000)
MAX_CONNECTIONS = 4

#: Whoever is registered already.
REGISTER = b'{"type":"REGISTER","namespace":"CIC","name":"ana","port":4000}\n'
CLIENTS = ("10.0.0.2", "10.0.0.3", "127.0.0.1")


class Served:
    """A server and those who ask it; `replies` are what each got."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.factory = RendezvousFactory(self.clock, MemoryRegistry(self.clock.seconds), LIMITS)
        self.replies: list[bytes] = []
        self.asks(CLIENTS[0], [REGISTER])

    def asks(self, ip: str, reads: list[bytes]) -> None:
        """Let a client connect and send this."""
        stream = Stream(ip)
        protocol = self.factory.buildProtocol(stream.getPeer())
        stream.attach(protocol)
        bound = LIMITS.line_length + max(map(len, reads), default=0)
        for read in reads:
            stream.reads(read)
            assert len(protocol._received) <= bound, "more than a request is kept"
        stream.ends()
        self.replies.append(stream.value())

    def leaves_nothing(self) -> None:
        """Check that it is as if nobody had ever connected."""
        assert not self.factory.connections, "a connection is left"
        assert not self.clock.getDelayedCalls(), "a timer is left"


def check(data: bytes) -> None:
    """Let clients connect with this, whole and in pieces."""
    mode, reads = data[0] if data else 0, pieces(data[1:])
    with no_failures_logged():
        in_pieces, at_once = Served(), Served()
        for number, requests in enumerate(by_connection(reads)[:MAX_CONNECTIONS]):
            ip = CLIENTS[(mode >> 2 * number) % len(CLIENTS)]
            in_pieces.asks(ip, requests)
            at_once.asks(ip, [b"".join(requests)])
    assert in_pieces.replies == at_once.replies, "pieces are answered otherwise"
    for reply in in_pieces.replies:
        _check_reply(reply)
    for served in (in_pieces, at_once):
        served.leaves_nothing()


def by_connection(reads: list[bytes]) -> list[list[bytes]]:
    """Part what is read at each 0x00."""
    connections: list[list[bytes]] = [[]]
    for read in reads:
        first, *others = read.split(b"\0")
        connections[-1].append(first)
        connections += [[other] for other in others]
    return [[read for read in requests if read] for requests in connections]


def _check_reply(reply: bytes) -> None:
    assert reply.count(b"\n") == 1, "not one line"
    assert reply.endswith(b"\n"), "more than a line"
    assert reply.isascii(), "not ASCII"
    rendezvous_answers.read(reply[:-1])

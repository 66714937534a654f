"""The PROXY header in front of what a client sends to the rendezvous server."""

from twisted.internet.task import Clock

from p2pchat.rendezvous.connection import RendezvousProtocol
from p2pchat.rendezvous.proxied import ProxiedFactory, ProxiedProtocol
from p2pchat.rendezvous.proxy_header import MAX_BINARY
from p2pchat.rendezvous.registry import MemoryRegistry
from p2pchat.rendezvous.server import RendezvousFactory
from tests.fuzz.cuts import pieces
from tests.fuzz.targets import rendezvous_server
from tests.fuzz.targets.rendezvous_server import LIMITS
from tests.fuzz.targets.streams import Stream
from tests.fuzz.watch import no_failures_logged

MAX_LENGTH = 2048
WORDS = (
    *rendezvous_server.WORDS,
    *(b"PROXY ", b"TCP4 ", b"TCP6 ", b"UNKNOWN", b"::ffff:10.0.0.2 ", b"10.0.0.2 "),
    *(b"\r\n\r\n\0\r\nQUIT\n", b"\x20\x11\0\x0c", b"\x21\x11\0\x0c", b"\x21\x21\0\x24"),
)

BALANCER = "10.0.0.9"


def check(data: bytes) -> None:
    """Let a balancer pass this on, whole and in pieces."""
    reads = pieces(data)
    with no_failures_logged():
        in_pieces, at_once = answer(reads), answer([b"".join(reads)] if reads else [])
    assert in_pieces == at_once, "pieces are answered otherwise"


def answer(reads: list[bytes]) -> bytes:
    """Return what is answered to what one connection brings."""
    clock = Clock()
    server = RendezvousFactory(clock, MemoryRegistry(clock.seconds), LIMITS)
    factory = ProxiedFactory(server)
    stream = Stream(BALANCER)
    stream.attach(factory.buildProtocol(stream.getPeer()))
    one_read = max(map(len, reads), default=0)
    for read in reads:
        stream.reads(read)
        kept, bound = len(stream.protocol._received), _bound(stream.protocol)
        assert kept <= bound + one_read, "more than a header and a request is kept"
    stream.ends()
    assert not server.connections, "a connection is left"
    assert not factory._waiting, "a connection is left that has no header"
    assert not clock.getDelayedCalls(), "a timer is left"
    return stream.value()


def _bound(protocol: ProxiedProtocol | RendezvousProtocol) -> int:
    return MAX_BINARY if isinstance(protocol, ProxiedProtocol) else LIMITS.line_length

"""What a rendezvous server answers: `p2pchat.rendezvous.exchange` and `answers`.

A line is an Answer or a RendezvousError, read in steps of a bounded size; whom it lists can be
listed again.
"""

from twisted.internet.error import ConnectionDone
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure

from p2pchat.identity import Address, is_ip_literal, is_name
from p2pchat.rendezvous import answers, replies
from p2pchat.rendezvous.answers import MAX_LISTED, STEP, Answer, read_answer
from p2pchat.rendezvous.errors import RendezvousError
from p2pchat.rendezvous.exchange import exchange
from tests.fuzz.cuts import pieces
from tests.fuzz.targets import words
from tests.fuzz.watch import check_shown

MAX_LENGTH = 4096
WORDS = (
    *words.VALUES,
    *words.keys("status", "message", "error", "ttl", "ip", "peers", "port", "name", "namespace"),
    *words.keys("expires_in"),
    *(b'"OK"', b'"ERROR"', b"has been blocked", b"peer_not_registered", b'"10.0.0.1"', b'"::1"'),
)

SERVER = Address("10.0.0.1", 8080)


def check(data: bytes) -> None:
    """Let a server answer this."""
    reads = pieces(data)
    line = _received(reads)
    assert line == b"".join(reads).partition(b"\n")[0], "pieces are received otherwise"
    try:
        answer = read(line)
    except RendezvousError:
        return
    for understand in (answers.check, answers.granted, answers.listed):
        try:
            understand(answer)
        except RendezvousError as error:
            check_shown(error)
    _check_listed(answer)


def read(line: bytes) -> Answer:
    """Read an answer to its end; RendezvousError if it is none."""
    reading, steps = read_answer(line), 0
    while True:
        try:
            next(reading)
        except StopIteration as end:
            answer: Answer = end.value
            return answer
        steps += 1
        assert steps * STEP <= len(line), "steps that do not go ahead"


def _received(reads: list[bytes]) -> bytes:
    """Return what the client takes for the answer that arrives so."""
    reactor, lines, transport = MemoryReactorClock(), [], StringTransport()
    exchange(reactor, SERVER, None, b"?\n").addCallback(lines.append)
    factory = reactor.tcpClients[0][2]
    protocol = factory.buildProtocol(None)
    protocol.makeConnection(transport)
    for data in reads:
        if not transport.disconnecting:
            protocol.dataReceived(data)
    closed = Failure(ConnectionDone())
    protocol.connectionLost(closed)
    factory.clientConnectionLost(None, closed)
    assert not reactor.getDelayedCalls(), "a timer is left"
    (line,) = lines
    return line


def _check_listed(answer: Answer) -> None:
    if answer.peers is None:
        return
    assert len(answer.peers) <= MAX_LISTED, "more peers than are read"
    for peer in answer.peers:
        assert is_ip_literal(peer.ip), "an address that would be looked up"
        assert is_name(peer.name), "a name that nobody can have"
        assert is_name(peer.namespace), "a namespace that nobody can have"
        assert 1 <= peer.port <= 65535, "a port that is none"
    again = read(replies.listing(answer.peers)[:-1])
    assert again.peers == answer.peers, "they are listed otherwise"

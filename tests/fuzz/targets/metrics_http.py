"""HTTP requests to the port for figures: `p2pchat.metrics.http`.

What is answered begins as HTTP does, nothing fails that is only logged, no body is kept, and a
connection that is gone leaves no timer.
"""

from collections.abc import Iterable
from os import SEEK_END

from prometheus_client.core import Metric
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel

from p2pchat.metrics.families import gauge
from p2pchat.metrics.http import make_site
from tests.fuzz.cuts import pieces
from tests.fuzz.watch import no_failures_logged

MAX_LENGTH = 1024
WORDS = (
    *(b"GET ", b"HEAD ", b"POST ", b"/metrics", b"/", b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", b"\r\n"),
    *(b"Host: x\r\n", b"Accept: ", b"application/openmetrics-text;version=1.0.0", b"\xff", b"q="),
    *(
        b"Content-Length: ",
        b"Transfer-Encoding: chunked\r\n",
        b"Connection: close\r\n",
        b"0\r\n\r\n",
    ),
    *(b"Expect: 100-continue\r\n", b"escaping=", b"text/plain;version=0.0.4"),
)


class Figures:
    """A source of one figure."""

    async def metrics(self) -> Iterable[Metric]:
        return [gauge("links", "Links.", 1)]


def check(data: bytes) -> None:
    """Let a connection bring this, whole and in pieces."""
    reads = pieces(data)
    with no_failures_logged():
        statuses = [_statuses(reads), _statuses([b"".join(reads)])]
    assert statuses[0] == statuses[1], "pieces are answered otherwise"


def _check_nothing_kept(channel: HTTPChannel) -> None:
    for request in channel.requests:
        content = request.content
        if content is not None and not content.closed:
            assert content.seek(0, SEEK_END) == 0, "a body is kept"


def _statuses(reads: list[bytes]) -> list[bytes]:
    """Return the first lines of what is answered."""
    clock, transport = Clock(), StringTransport()
    site = make_site(clock, Figures())
    protocol = site.buildProtocol(None)
    protocol.makeConnection(transport)
    for read in reads:
        if read and not transport.disconnecting:
            protocol.dataReceived(read)
            _check_nothing_kept(protocol.wrappedProtocol)
    answer = transport.value()
    protocol.connectionLost(Failure(ConnectionDone()))
    clock.advance(60)
    assert not clock.getDelayedCalls(), "a timer is left"
    assert not answer or answer.startswith(b"HTTP/1."), "an answer that is none"
    return [line for line in answer.split(b"\r\n") if line.startswith(b"HTTP/1.")]

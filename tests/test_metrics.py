"""Figures: how they are counted, shaped and served."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from p2pchat import __version__
from p2pchat.counts import Histogram
from p2pchat.metrics.bounded import MAX_CONNECTIONS, REQUEST_TIME
from p2pchat.metrics.families import counters, gauge, gauges, histogram
from p2pchat.metrics.http import make_site
from p2pchat.metrics.lateness import INTERVAL, WINDOW, Lateness

Samples = dict[tuple[str, tuple[str, ...]], float]


def samples(families: Iterable[Metric]) -> Samples:
    """Return all values by name and the values of the labels."""
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


class HistogramTests(SynchronousTestCase):
    def test_a_value_counts_up_to_every_bound_that_it_does_not_exceed(self) -> None:
        counted = Histogram((1.0, 2.0))
        for value in (0.5, 1.0, 1.5, 2.0, 99.0):
            counted.add(value)
        expected = [(1.0, 2), (2.0, 4), (float("inf"), 5)]
        self.assertEqual(list(counted.cumulative()), expected)
        self.assertEqual((counted.count, counted.total), (5, 104.0))

    @given(st.lists(st.floats(-10, 10)))
    def test_they_add_up(self, values: list[float]) -> None:
        counted = Histogram((-1.0, 0.0, 3.5))
        for value in values:
            counted.add(value)
        for bound, count in counted.cumulative():
            self.assertEqual(count, sum(value <= bound for value in values))


class LatenessTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.lateness = Lateness(self.clock)
        self.lateness.start()

    def value(self, name: str, *labels: str) -> float:
        return samples(self.lateness.metrics())[f"p2pchat_reactor_lateness_{name}", labels]

    def test_a_reactor_that_is_in_time_is_not_late(self) -> None:
        self.clock.pump([INTERVAL] * 10)
        self.assertEqual(self.value("seconds_count"), 10)
        self.assertEqual(self.value("seconds_bucket", "0.001"), 10)
        self.assertEqual(self.value("max_seconds"), 0)

    def test_whatever_holds_it_up_shows_and_the_maximum_is_forgotten(self) -> None:
        self.clock.advance(INTERVAL + 0.75)
        self.assertEqual(self.value("seconds_sum"), 0.75)
        self.assertEqual(self.value("seconds_bucket", "0.5"), 0)
        self.assertEqual(self.value("seconds_bucket", "1.0"), 1)
        self.assertEqual(self.value("max_seconds"), 0.75)
        self.clock.pump([INTERVAL] * int(WINDOW / INTERVAL))
        self.assertEqual(self.value("max_seconds"), 0.75)
        self.clock.pump([INTERVAL] * int(WINDOW / INTERVAL + 1))
        self.assertEqual(self.value("max_seconds"), 0)

    def test_it_leaves_no_timer(self) -> None:
        self.lateness.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class PlayedSource:
    """Has these families when it is told to go on."""

    def __init__(self, *families: Metric) -> None:
        self.families = families
        self.ready: Deferred[None] = Deferred()

    async def metrics(self) -> Iterable[Metric]:
        await self.ready
        return self.families


class PageTests(SynchronousTestCase):
    def setUp(self) -> None:
        hostile = 'a"b\\c\nd{e="f"} 1é\u202e'
        self.labels = {hostile: 3.0, "plain": 4.0}
        counted = Histogram((0.5,))
        counted.add(0.25)
        self.source = PlayedSource(
            gauge("p2pchat_one", "One.", 1.5),
            gauges("p2pchat_many", "Many.", "label", self.labels),
            counters("p2pchat_grows", "Grows.", ("a", "b"), {("x", "y"): 2}),
            histogram("p2pchat_takes_seconds", "Takes.", counted),
        )
        self.clock = Clock()
        self.site = make_site(self.clock, self.source)
        self.site.doStart()
        self.addCleanup(self.site.doStop)

    def connect(self) -> StringTransport | None:
        protocol = self.site.buildProtocol(IPv4Address("TCP", "127.0.0.1", 1))
        if protocol is None:
            return None
        transport = StringTransport()
        protocol.makeConnection(transport)
        self.protocol = protocol
        return transport

    def get(self, path: str, method: str = "GET", accept: str = "*/*") -> tuple[bytes, str]:
        transport = self.connect()
        assert transport is not None
        request = f"{method} {path} HTTP/1.0\r\nHost: x\r\nAccept: {accept}\r\n\r\n"
        self.protocol.dataReceived(request.encode())
        head, _, body = transport.value().partition(b"\r\n\r\n")
        return head, body.decode()

    def test_what_is_accepted_may_be_any_bytes(self) -> None:
        self.source.ready.callback(None)
        transport = self.connect()
        self.protocol.dataReceived(b"GET /metrics HTTP/1.0\r\nAccept: \xff\r\n\r\n")
        self.assertIn(b" 200 OK", transport.value().partition(b"\r\n")[0])

    def test_a_body_is_not_kept(self) -> None:
        for head, part in (
            (b"Content-Length: 10000000", b"x" * 200_000),
            (b"Transfer-Encoding: chunked", b"%x\r\n%b\r\n" % (200_000, b"x" * 200_000)),
        ):
            self.connect()
            self.protocol.dataReceived(b"POST /metrics HTTP/1.1\r\n" + head + b"\r\n\r\n" + part)
            (request,) = self.protocol.wrappedProtocol.requests
            self.assertEqual(request.content.tell(), 0)
            request.content.close()

    def test_the_page_is_what_prometheus_reads(self) -> None:
        self.source.ready.callback(None)
        head, body = self.get("/metrics")
        self.assertIn(b"200 OK", head)
        self.assertIn(b"text/plain; version=0.0.4", head)
        found = samples(text_string_to_metric_families(body))
        for label, value in self.labels.items():
            self.assertEqual(found["p2pchat_many", (label,)], value)
        self.assertEqual(found["p2pchat_one", ()], 1.5)
        self.assertEqual(found["p2pchat_grows_total", ("x", "y")], 2)
        self.assertEqual(found["p2pchat_takes_seconds_bucket", ("0.5",)], 1)
        self.assertEqual(found["p2pchat_takes_seconds_bucket", ("+Inf",)], 1)
        self.assertEqual(found["p2pchat_info", (__version__,)], 1)
        self.assertGreater(found["process_resident_memory_bytes", ()], 0)

    def test_openmetrics_if_that_is_asked_for(self) -> None:
        self.source.ready.callback(None)
        head, body = self.get("/metrics", accept="application/openmetrics-text; version=1.0.0")
        self.assertIn(b"application/openmetrics-text", head)
        self.assertTrue(body.endswith("# EOF\n"))

    def test_there_is_nothing_else(self) -> None:
        self.source.ready.callback(None)
        for path, method, status in (
            ("/", "GET", b"404"),
            ("/x/metrics", "GET", b"404"),
            ("/metrics", "POST", b"405"),
        ):
            self.assertIn(status, self.get(path, method)[0])

    def test_figures_that_cannot_be_had_are_logged(self) -> None:
        self.source.ready.errback(ZeroDivisionError())
        self.assertIn(b"500", self.get("/metrics")[0])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_whoever_leaves_meanwhile_is_forgotten(self) -> None:
        self.assertEqual(self.get("/metrics"), (b"", ""))
        self.protocol.connectionLost(Failure(ConnectionDone()))
        self.assertTrue(self.source.ready.called, "it is still being gathered")
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_connections_are_bounded_and_end_with_the_site(self) -> None:
        transports = [self.asking() for _ in range(MAX_CONNECTIONS)]
        self.assertIsNone(self.connect())
        self.site.stopFactory()
        self.assertTrue(all(one.disconnecting for one in transports))

    def test_whoever_has_not_asked_for_longest_makes_room(self) -> None:
        asking = self.asking()
        silent = [self.silent() for _ in range(MAX_CONNECTIONS - 1)]
        self.source.ready.callback(None)
        self.assertIn(b"200 OK", self.get("/metrics")[0])
        self.assertIn(b"200 OK", self.get("/metrics")[0])
        self.assertEqual(
            [one.disconnecting for one in silent], [True, True] + [False] * (len(silent) - 2)
        )
        self.assertIn(b"200 OK", asking.value())

    def test_a_request_has_its_time_however_it_drips(self) -> None:
        transport = self.silent()
        self.drip(b"GET /metrics HTTP/1.1\r\nX: ", REQUEST_TIME - 1)
        self.assertFalse(transport.disconnecting)
        self.drip(b"y", 1)
        self.assertTrue(transport.disconnecting)

    def test_a_body_that_drips_has_no_time_of_its_own(self) -> None:
        transport = self.silent()
        self.protocol.dataReceived(b"POST /metrics HTTP/1.1\r\nContent-Length: 1000\r\n\r\n")
        self.drip(b"", REQUEST_TIME)
        self.assertTrue(transport.disconnecting)

    def test_an_answer_that_nobody_takes_has_no_time_of_its_own(self) -> None:
        transport = self.asking()
        self.source.ready.callback(None)
        self.clock.advance(REQUEST_TIME)
        self.assertTrue(transport.disconnected)

    def test_a_connection_is_for_one_request(self) -> None:
        self.source.ready.callback(None)
        transport = self.silent()
        self.protocol.dataReceived(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
        self.assertTrue(transport.disconnecting)
        self.assertEqual(transport.value().count(b"200 OK"), 1)
        self.assertIn(b"Connection: close\r\n", transport.value())

    def test_a_connection_that_is_gone_leaves_no_timer(self) -> None:
        before = self.clock.getDelayedCalls()
        self.silent()
        self.protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.clock.getDelayedCalls(), before)

    def silent(self) -> StringTransport:
        transport = self.connect()
        assert transport is not None
        return transport

    def asking(self) -> StringTransport:
        transport = self.silent()
        self.protocol.dataReceived(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        return transport

    def drip(self, said: bytes, seconds: int) -> None:
        """Say a byte a second, then always the same one."""
        for at in range(seconds):
            self.protocol.dataReceived(said[at : at + 1] or b"y")
            self.clock.advance(1)

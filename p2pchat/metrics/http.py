"""Figures over HTTP, as Prometheus asks for them: GET /metrics.

prometheus_client has a resource for Twisted too, but that gathers in a thread, where nothing of
ours may be asked, and for the whole process; and it imports the reactor.
"""

from collections.abc import Iterable
from itertools import chain

from prometheus_client import ProcessCollector
from prometheus_client.core import InfoMetricFamily
from prometheus_client.exposition import choose_encoder
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.interfaces import IListeningPort, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.pages import notFound
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET, Request

from p2pchat import __version__
from p2pchat.metrics.bounded import BoundedSite
from p2pchat.metrics.families import Metric, Source
from p2pchat.metrics.lateness import Lateness
from p2pchat.ports import Opener, place_of

_VERSION = InfoMetricFamily("p2pchat", "The version.", value={"version": __version__})


class MetricsServer(Service):
    """Serves the figures of one source, and has the reactor's lateness measured meanwhile."""

    log = Logger()

    def __init__(
        self, clock: IReactorTime, open_port: Opener, source: Source, lateness: Lateness
    ) -> None:
        self._clock = clock
        self._open_port = open_port
        self._source = source
        self._lateness = lateness
        self._port: IListeningPort | None = None

    def startService(self) -> None:
        Service.startService(self)
        self._lateness.start()
        self._port = self._open_port(make_site(self._clock, self._source))
        place = str(place_of(self._port))
        self.log.info("[Metrics] http://{place}/metrics", place=place)

    def stopService(self) -> Deferred[object]:
        Service.stopService(self)
        self._lateness.stop()
        port, self._port = self._port, None
        return maybeDeferred(port.stopListening if port is not None else _nothing)


def make_site(clock: IReactorTime, source: Source) -> BoundedSite:
    """Make the factory that serves a source's figures at /metrics, and nothing elsewhere."""
    root = _Root()
    root.putChild(b"metrics", MetricsPage(source))
    return BoundedSite(clock, root)


class MetricsPage(Resource):
    """All figures as text, made when they are asked for."""

    isLeaf = True  # noqa: N815  Resource's name
    log = Logger()

    def __init__(self, source: Source) -> None:
        Resource.__init__(self)
        self._source = source
        self._process = ProcessCollector(registry=None)

    def render_GET(self, request: Request) -> int:  # noqa: N802  Resource's name
        gathering = Deferred.fromCoroutine(self._answer(request))
        request.notifyFinish().addErrback(lambda _: gathering.cancel())
        gathering.addErrback(self._broken, request)
        return NOT_DONE_YET

    async def _answer(self, request: Request) -> None:
        families = await self._source.metrics()
        # as bytes, since whoever asks may have sent any
        accepted = (request.getHeader(b"accept") or b"").decode("latin-1")
        encode, content_type = choose_encoder(accepted)
        page = encode(_Families(chain(families, self._process.collect(), [_VERSION])))
        request.setHeader("content-type", content_type)
        request.write(page)
        request.finish()

    def _broken(self, failure: Failure, request: Request) -> None:
        if failure.check(CancelledError):
            return  # whoever asked is gone
        self.log.failure("[Metrics] no figures", failure)
        request.setResponseCode(500)
        request.finish()


class _Root(Resource):
    """Has the page, and nothing else."""

    def getChild(self, path: bytes, request: Request) -> IResource:  # noqa: N802  Resource's name
        return notFound()


class _Families:
    """Metric families as what prometheus_client encodes."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _nothing() -> None:
    """Nothing is to be done."""

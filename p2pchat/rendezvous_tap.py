"""The twistd plugin of the rendezvous server: command line -> settings -> service."""

import re
import resource
import time
from typing import Any, cast

from twisted.application.service import IService, IServiceCollection, MultiService
from twisted.logger import ILogObserver, Logger

from p2pchat.errors import P2PChatError
from p2pchat.events import Level
from p2pchat.logs import Logs, has_log
from p2pchat.ports import METRICS_BACKLOG, open_port, take_port
from p2pchat.process import spare_collections
from p2pchat.rendezvous.backends import make_backend
from p2pchat.rendezvous.doorway import open_doorway
from p2pchat.rendezvous.limits import ServerLimits
from p2pchat.rendezvous.server import RendezvousFactory
from p2pchat.rendezvous.standalone import StandaloneServer
from p2pchat.rendezvous_options import NAME, Options
from p2pchat.sections import RendezvousServer

__all__ = ["Options", "makeService"]

#: Connections that may wait to be accepted: those of a whole class that starts at once.
BACKLOG = 1024

_PORT_HINT = "choose another --port, or end the node of this machine that serves there"

# Files that are no connections: log, registry, standard streams, what the event loop needs.
_OWN_FILES = 64

log = Logger()


class ServerService(MultiService):
    """All of the service; it brings its own log, unless twistd was told to use another."""

    def __init__(self, observer: ILogObserver | None) -> None:
        MultiService.__init__(self)
        self._observer = observer

    def setServiceParent(self, parent: IServiceCollection) -> None:
        if self._observer is not None:
            parent.setComponent(ILogObserver, self._observer)  # type: ignore[attr-defined]  # it is Componentized too
        MultiService.setServiceParent(self, parent)


def makeService(options: Options) -> MultiService:
    """Build the service that twistd runs."""
    try:
        service = _make_service(options)
    except P2PChatError as error:
        raise SystemExit(f"{NAME}: {error}") from error
    spare_collections()
    return service


def _make_service(options: Options) -> ServerService:
    """Build the service; P2PChatError if something is in its way."""
    from twisted.internet import reactor as installed

    reactor = cast(Any, installed)
    config = options.settings
    settings = config.rendezvous_server
    logs = Logs(options.log_file, config.logging.level, config.logging.format)
    limits = server_limits(settings, _room_for_connections())
    backend = make_backend(
        *(options.registry, reactor, limits, time.time, _notify),
        max_entries=settings.max_registrations,
        max_per_ip=settings.max_registrations_per_ip,
    )
    server = RendezvousFactory(reactor, backend.registry, limits, backend.limiter)
    listening = take_port(settings.bind, settings.port, BACKLOG, _PORT_HINT)
    service = ServerService(None if has_log(options.parent) else logs.observer)
    StandaloneServer(
        *(server, open_doorway(reactor, listening), without_password(options.registry)),
        trust_proxy=settings.trust_proxy,
    ).setServiceParent(service)
    if config.metrics.port is not None:
        _make_metrics(reactor, server, config.metrics.bind, config.metrics.port).setServiceParent(
            service
        )
    return service


def _make_metrics(reactor: Any, server: RendezvousFactory, bind: str, port: int) -> IService:
    """Make what serves a server's figures; StartError if its port can't be had."""
    # only a service that serves them needs HTTP
    from p2pchat.metrics.http import MetricsServer
    from p2pchat.metrics.lateness import Lateness
    from p2pchat.metrics.rendezvous import RendezvousMetrics

    listening = take_port(bind, port, METRICS_BACKLOG, "choose another --metrics")
    lateness = Lateness(reactor)
    metrics = RendezvousMetrics(reactor, server, lateness)
    return MetricsServer(reactor, open_port(reactor, listening), metrics, lateness)


def server_limits(settings: RendezvousServer, room: int) -> ServerLimits:
    """Make the bounds of a server, with no more connections than there is room for."""
    most = min(settings.max_connections, room)
    if most < settings.max_connections:
        _notify("warning", f"only {most} connections at a time: no more files may be open")
    return ServerLimits(
        line_length=settings.line_limit,
        request_time=settings.read_deadline,
        rate_limit=settings.rate_limit,
        rate_window=settings.rate_window,
        block_time=settings.block_time,
        max_connections=most,
        max_connections_per_ip=min(settings.max_connections_per_ip, most),
    )


def without_password(location: str) -> str:
    """Say where registrations are kept, fit for a log."""
    return re.sub(r"^(redis[^/]*//).*@", r"\1", location)


def _room_for_connections() -> int:
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1 << 30 if most == resource.RLIM_INFINITY else max(most - _OWN_FILES, 1)


def _notify(level: Level, text: str) -> None:
    emit = {"info": log.info, "warning": log.warn, "error": log.error}[level]
    emit("[Rendezvous] {text}", text=text)

"""The twistd plugin: command line -> Config -> Node."""

import contextlib
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import SystemRandom
from typing import Any, cast

from twisted.application.service import IServiceCollection
from twisted.internet.defer import Deferred
from twisted.internet.error import ReactorNotRunning
from twisted.logger import ILogObserver
from twisted.python.failure import Failure

from p2pchat import process
from p2pchat.archive.disk import FileStorage
from p2pchat.archive.storage import MemoryStorage
from p2pchat.config import Config, own_id
from p2pchat.errors import P2PChatError, StartError
from p2pchat.events import Level
from p2pchat.history import History
from p2pchat.logs import Logs, has_log
from p2pchat.node import Node
from p2pchat.options import Options
from p2pchat.ports import METRICS_BACKLOG, open_port, take_port
from p2pchat.store.settings import history_bounds, memory_history
from p2pchat.store.sqlite import FILE, SqliteHistory
from p2pchat.text import visible
from p2pchat.ui.console import Kind, choose_console, inspect, make_console
from p2pchat.ui.importing import Import
from p2pchat.ui.surroundings import threads_of

__all__ = ["Options", "makeService"]

#: Threads for the disk, names and verifying again: as many as Twisted has by itself.
_OTHER_THREADS = 10

_PORT_HINT = "choose another --port, or leave it out for a free one"


class NodeService(Node):
    """A node as twistd starts it: it brings its own log, and fails with one line.

    `to_import` is a file of messages that is added to the history, once that is open.
    """

    def __init__(
        self, *args: Any, observer: ILogObserver | None, to_import: Path | None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._observer = observer
        self._to_import = to_import

    def setServiceParent(self, parent: IServiceCollection) -> None:
        """Give the application our log, unless twistd was told to use another."""
        if self._observer is not None:
            parent.setComponent(ILogObserver, self._observer)  # type: ignore[attr-defined]  # it is Componentized too
        Node.setServiceParent(self, parent)

    def privilegedStartService(self) -> None:
        try:
            super().privilegedStartService()
        except StartError as error:
            # by now sys.stderr leads to the log
            print(f"p2pchat: {error}", file=sys.__stderr__)
            raise SystemExit(1) from error

    def history_opened(self) -> None:
        super().history_opened()
        if self._to_import is not None:
            importing = Deferred.fromCoroutine(self._import(self._to_import))
            importing.addErrback(self._import_failed)

    async def _import(self, path: Path) -> None:
        name = visible(str(path))
        self.notice("info", f"importing {name}")
        threads = threads_of(self._reactor)
        loading = Import(self.history, self.peer_id, path, self._wall_clock(), threads)
        try:
            await loading.run()
        except P2PChatError as error:
            before = (
                f"before it: {loading.so_far}" if any(loading.so_far) else "nothing is imported"
            )
            self.notice("error", f"--import: {error}; {before}")
        else:
            self.notice("info", f"{name}: {loading.so_far}")
        await self.remember_peers()

    def _import_failed(self, failure: Failure) -> None:
        self.log.failure("import failed", failure)
        self.notice("error", "--import: import failed, the log tells more")


def makeService(options: Options) -> Node:
    """Build the node that twistd runs."""
    try:
        node = _make_node(options)
    except P2PChatError as error:
        raise SystemExit(f"p2pchat: {error}") from error
    process.spare_collections()
    return node


def _make_node(options: Options) -> Node:
    """Build the node; P2PChatError if something is in its way."""
    from twisted.internet import reactor

    config = options.settings
    kind = _choose_console(options)
    # as many threads as there are for all else, and those that mine
    cast(Any, reactor).suggestThreadPoolSize(_OTHER_THREADS + config.archive.miners)
    explicit_port = options["port"] is not None or config.peer.port != Config().peer.port
    if explicit_port:
        # found out before twistd goes into the background
        take_port(config.peer.bind, config.peer.port, 1, _PORT_HINT).close()
    log_file = config.logging.file or str(options.data_dir / "p2pchat.log")
    logs = Logs(log_file, config.logging.level, config.logging.format)
    ephemeral = config.store.ephemeral
    node = NodeService(
        *(reactor, SystemRandom(), _utc_now, config, logs, _stop_reactor),
        any_port=not explicit_port,
        storage=MemoryStorage() if ephemeral else FileStorage(options.data_dir),
        history=_make_history(reactor, options, lambda *notice: node.notice(*notice)),
        observer=None if has_log(options.parent) else logs.observer,
        to_import=options.import_file,
    )
    node.set_console(
        make_console(
            *(kind, cast(Any, reactor), node, None if ephemeral else options.data_dir),
            *(os.environ, _utc_now, sys.__stdin__, sys.__stdout__),
            classic=bool(options["classic-commands"]),
        )
    )
    if config.metrics.port is not None:
        _serve_metrics(reactor, node, config.metrics.bind, config.metrics.port)
    return node


def _serve_metrics(reactor: Any, node: Node, bind: str, port: int) -> None:
    """Have the node's figures served while it runs; StartError if the port can't be had."""
    # only a node that serves them needs HTTP
    from p2pchat.metrics.http import MetricsServer
    from p2pchat.metrics.lateness import Lateness
    from p2pchat.metrics.node import NodeMetrics

    listening = take_port(bind, port, METRICS_BACKLOG, "choose another --metrics")
    lateness = Lateness(reactor)
    metrics = MetricsServer(
        reactor, open_port(reactor, listening), NodeMetrics(node, lateness), lateness
    )
    metrics.setServiceParent(node)


def _make_history(reactor: Any, options: Options, notify: Callable[[Level, str], None]) -> History:
    config = options.settings
    if config.store.ephemeral:
        return memory_history(reactor, config, _utc_now)
    file, bounds = options.data_dir / FILE, history_bounds(config)
    return SqliteHistory(reactor, file, own_id(config), bounds, _utc_now, notify)


def _stop_reactor() -> None:
    from twisted.internet import reactor

    with contextlib.suppress(ReactorNotRunning):
        reactor.stop()


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _choose_console(options: Options) -> Kind:
    """Choose by option and streams; in the background there is nobody to talk to."""
    twistd: Any = options.parent or {}
    if not (twistd.get("nodaemon") or twistd.get("debug")) and "nodaemon" in twistd:
        return "none"
    streams = inspect(sys.__stdin__), inspect(sys.__stdout__)
    return choose_console(options["console"], *streams, os.environ.get("TERM", ""))

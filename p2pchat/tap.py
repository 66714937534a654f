"""The twistd plugin: command line -> Config -> Node."""

import contextlib
import errno
import getpass
import os
import resource
import socket
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from random import SystemRandom
from typing import IO, Any, ClassVar, cast

import platformdirs
from twisted.application.service import IServiceCollection
from twisted.internet.error import ReactorNotRunning
from twisted.logger import ILogObserver
from twisted.python import usage

from p2pchat import __version__
from p2pchat.archive.disk import FileStorage
from p2pchat.config import OPTIONS, Config, find_config_file, load_file, make_config
from p2pchat.data_dir import lock_data_dir, make_data_dir
from p2pchat.errors import ConfigError, P2PChatError, StartError
from p2pchat.identity import Address, is_name, make_peer_id
from p2pchat.logs import Logs
from p2pchat.node import Node
from p2pchat.ui.console import Kind, choose_console, inspect, make_console

CONSOLES = ("auto", "tty", "plain", "json", "none")

#: How long a thread may keep the interpreter from the reactor, in seconds. Mining and verifying run
#: in threads that never let go by themselves; by Python's default, 5 ms, every event would wait.
SWITCH_INTERVAL = 0.0005


class Options(usage.Options):
    """The command line of `twistd p2pchat`."""

    synopsis = "[options]"
    longdesc = (
        "A chat node without a server in the middle. Settings are read from --config, else "
        "./config.json, else the user's configuration folder; options come before them."
    )
    optParameters: ClassVar[list[list[object]]] = [
        ["name", None, None, "Your name on the network [your login name]"],
        ["namespace", None, None, "The group you belong to [CIC]"],
        ["port", None, None, "Listen for peers on this port [4000, or a free one]"],
        ["bind", None, None, "Listen on this IP address only [all]"],
        ["config", None, None, "Read this configuration file"],
        ["data-dir", None, None, "Keep archive, history, log and pid file here"],
        ["log-level", None, None, "DEBUG, INFO, WARNING or ERROR [INFO]"],
        ["log-file", None, None, "Write the log here; - is standard output [in the data folder]"],
        ["archive-bind", None, None, "Exchange the archive from this IPv4 address [as --bind]"],
        ["archive-port", None, None, "The archive's port, the same on the whole network [51511]"],
        ["console", None, "auto", f"How to talk to you: {', '.join(CONSOLES)}"],
    ]
    optFlags: ClassVar[list[list[object]]] = [
        ["no-rendezvous", None, "Use no rendezvous server: only wait for others"],
        ["no-archive", None, "Take no part in the archive"],
        ["classic-commands", None, "Plain console: take the archive's commands without slash, too"],
    ]

    def __init__(self) -> None:
        usage.Options.__init__(self)
        self.servers: list[str] = []
        self.archive_peers: list[str] = []
        self.settings = Config()
        self.data_dir = Path()
        self.lock: IO[str] | None = None

    def opt_rendezvous(self, server: str) -> None:
        """Find peers through this server, HOST:PORT; may be given several times [127.0.0.1:8080]"""
        self.servers.append(server)

    def opt_archive_peer(self, peer: str) -> None:
        """Exchange the archive with this peer, HOST or HOST:PORT; may be given several times"""
        self.archive_peers.append(peer)

    def opt_version(self) -> None:
        """Print the version of p2pchat and exit."""
        print(f"p2pchat {__version__}")
        sys.exit(0)

    def postOptions(self) -> None:
        """Make the configuration, and what has to be done before twistd goes on."""
        _install_reactor()
        _allow_open_files()
        sys.setswitchinterval(SWITCH_INTERVAL)
        try:
            self.settings = _configure(self)
            me = make_peer_id(self.settings.peer.name or "", self.settings.peer.namespace)
            self.data_dir = make_data_dir(self["data-dir"], me)
            self.lock = lock_data_dir(self.data_dir, me)
        except P2PChatError as error:
            raise SystemExit(f"p2pchat: {error}") from error
        if self.parent is not None and self.parent.get("pidfile") == "twistd.pid":
            pidfile = self.data_dir / "twistd.pid"
            # nobody else runs here, as we hold the lock: what is left is of a crash
            pidfile.unlink(missing_ok=True)
            self.parent["pidfile"] = str(pidfile)


class NodeService(Node):
    """A node as twistd starts it: it brings its own log, and fails with one line."""

    def __init__(self, *args: Any, observer: ILogObserver | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._observer = observer

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


def makeService(options: Options) -> Node:
    """Build the node that twistd runs."""
    try:
        return _make_node(options)
    except P2PChatError as error:
        raise SystemExit(f"p2pchat: {error}") from error


def _make_node(options: Options) -> Node:
    """Build the node; P2PChatError if something is in its way."""
    from twisted.internet import reactor

    config = options.settings
    kind = _choose_console(options)
    explicit_port = options["port"] is not None or config.peer.port != Config().peer.port
    if explicit_port:
        _check_port(config)
    log_file = config.logging.file or str(options.data_dir / "p2pchat.log")
    logs = Logs(log_file, config.logging.level)
    node = NodeService(
        reactor,
        SystemRandom(),
        _utc_now,
        config,
        logs,
        _stop_reactor,
        any_port=not explicit_port,
        storage=FileStorage(options.data_dir),
        observer=None if _has_log(options.parent) else logs.observer,
    )
    streams = sys.__stdin__, sys.__stdout__
    node.set_console(
        make_console(
            *(kind, cast(Any, reactor), node, options.data_dir, os.environ, _utc_now),
            *streams,
            classic=bool(options["classic-commands"]),
        )
    )
    return node


def _stop_reactor() -> None:
    from twisted.internet import reactor

    with contextlib.suppress(ReactorNotRunning):
        reactor.stop()


def _has_log(twistd: Any) -> bool:
    """Tell whether twistd was told where to log."""
    return bool(twistd and (twistd.get("logfile") or twistd.get("syslog")))


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _choose_console(options: Options) -> Kind:
    """Choose by option and streams; in the background there is nobody to talk to."""
    twistd: Any = options.parent or {}
    if not (twistd.get("nodaemon") or twistd.get("debug")) and "nodaemon" in twistd:
        return "none"
    streams = inspect(sys.__stdin__), inspect(sys.__stdout__)
    return choose_console(options["console"], *streams, os.environ.get("TERM", ""))


def _install_reactor() -> None:
    """Choose asyncio's event loop, which other libraries can share, if no reactor is chosen."""
    if "twisted.internet.reactor" in sys.modules:
        return
    from twisted.internet.asyncioreactor import AsyncioSelectorReactor
    from twisted.internet.main import installReactor

    class MonotonicReactor(AsyncioSelectorReactor):
        """Its timers go on when somebody sets the clock."""

        seconds = staticmethod(time.monotonic)

    installReactor(MonotonicReactor())


def _allow_open_files() -> None:
    """Raise the limit of open files as far as we may: each link is one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _configure(options: Options) -> Config:
    named = options["config"]
    user_dir = platformdirs.user_config_path("p2pchat")
    path = Path(named) if named else find_config_file(Path.cwd(), user_dir)
    content = load_file(path) if path is not None else {}
    overrides = _overrides(options)
    config = make_config(content, overrides)
    if config.peer.name is None:
        config = make_config(content, {**overrides, "peer.name": _login_name()})
    if options["console"] not in CONSOLES:
        raise ConfigError(f"--console: expected {', '.join(CONSOLES)}, got {options['console']!r}")
    return config


def _overrides(options: Options) -> dict[str, Any]:
    """Return what the command line sets, by the key it stands for."""
    given = {key: options.get(option.removeprefix("--")) for key, option in OPTIONS.items()}
    overrides = {key: value for key, value in given.items() if value is not None}
    for key in overrides.keys() & {"peer.port", "archive.port"}:
        overrides[key] = _number(overrides[key], OPTIONS[key])
    if "logging.level" in overrides:
        overrides["logging.level"] = overrides["logging.level"].upper()
    if options["no-rendezvous"]:
        overrides["rendezvous.servers"] = []
    elif options.servers:
        overrides["rendezvous.servers"] = options.servers
    if options.archive_peers:
        overrides["archive.peers"] = options.archive_peers
    if options["no-archive"]:
        overrides["archive.enabled"] = False
    return overrides


def _number(port: str, option: str) -> int:
    if not (port.isascii() and port.isdecimal() and len(port) < 10):
        raise ConfigError(f"{option}: expected a number from 1 to 65535, got {port!r}")
    return int(port)


def _login_name() -> str:
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = ""
    if not is_name(name):
        raise ConfigError("your login name cannot be used here; give a --name")
    return name


def _check_port(config: Config) -> None:
    """Find out before twistd goes into the background whether the port can be had."""
    bind, port = config.peer.bind, config.peer.port
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((bind, port))
            probe.listen(1)
        except OSError as error:
            place = Address(bind or "0.0.0.0", port)
            hint = (
                "; choose another --port, or leave it out for a free one"
                if error.errno in (errno.EADDRINUSE, errno.EACCES)
                else ""
            )
            raise StartError(
                f"cannot listen on {place}: {os.strerror(error.errno or 0)}{hint}"
            ) from error

"""The command line of `twistd p2pchat`: options -> Config, and the node's folder."""

import getpass
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, ClassVar

import platformdirs
from twisted.python import usage

from p2pchat import __version__, process
from p2pchat.config import OPTIONS, Config, find_config_file, load_file, make_config, own_id
from p2pchat.data_dir import keep_pid, lock_data_dir, make_data_dir
from p2pchat.errors import ConfigError, P2PChatError
from p2pchat.identity import is_name

CONSOLES = ("auto", "tty", "plain", "json", "none")


class Options(usage.Options):
    """The command line of `twistd p2pchat`."""

    synopsis = "[options]"
    longdesc = (
        "A chat node without a server in the middle. Settings are read from --config, else "
        "./config.json, else config.json in the user's configuration folder; options override them."
    )
    optParameters: ClassVar[list[list[object]]] = [
        ["name", None, None, "Your name on the network [your login name]"],
        ["namespace", None, None, "The group you belong to [CIC]"],
        ["port", None, None, "Listen for peers on this port [4000, or a free one]"],
        ["bind", None, None, "Listen on this IP address only, and dial from it [all]"],
        ["config", None, None, "Read this configuration file"],
        [
            "data-dir",
            None,
            None,
            "Keep history, archive, log and pid file here [a folder of yours]",
        ],
        ["import", None, None, "Add to the history what /export wrote to this file"],
        ["log-level", None, None, "DEBUG, INFO, WARNING or ERROR [INFO]"],
        ["log-file", None, None, "Write the log here; - is standard output [in the data folder]"],
        ["log-format", None, None, "Log lines as text or as json [text]"],
        ["metrics", None, None, "Serve figures for Prometheus on this port [none]"],
        ["metrics-bind", None, None, "Serve them on this IP address [127.0.0.1]"],
        ["archive-bind", None, None, "Exchange the archive from this IPv4 address [as --bind]"],
        ["archive-port", None, None, "The archive's port, the same on the whole network [51511]"],
        ["console", None, "auto", f"How to talk to you: {', '.join(CONSOLES)}"],
    ]
    optFlags: ClassVar[list[list[object]]] = [
        ["no-rendezvous", None, "Use no rendezvous server: only wait for others"],
        ["ephemeral", None, "Keep messages and archive in memory only: they end with the node"],
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
        self.import_file: Path | None = None

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
        process.install_reactor()
        process.allow_open_files()
        process.share_interpreter()
        try:
            self.settings = _configure(self)
            me = own_id(self.settings)
            self.data_dir = make_data_dir(self["data-dir"], me)
            self.lock = lock_data_dir(self.data_dir, me)
            self.import_file = _import_file(self["import"])
        except P2PChatError as error:
            raise SystemExit(f"p2pchat: {error}") from error
        keep_pid(self.parent, self.data_dir)


def _configure(options: Options) -> Config:
    content = read_settings(options["config"])
    overrides = _overrides(options)
    config = make_config(content, overrides)
    if config.peer.name is None:
        config = make_config(content, {**overrides, "peer.name": _login_name()})
    if options["console"] not in CONSOLES:
        raise ConfigError(f"--console: expected {', '.join(CONSOLES)}, got {options['console']!r}")
    return config


def read_settings(named: str | None) -> dict[str, Any]:
    """Read the configuration file that is named, else the first that is found, else none."""
    path = Path(named) if named else None
    if path is None:
        path = find_config_file(Path.cwd(), platformdirs.user_config_path("p2pchat"))
    return load_file(path) if path is not None else {}


def given_options(options: usage.Options, known: Mapping[str, str]) -> dict[str, Any]:
    """Return what options of the command line stand for a key, by that key."""
    given = {key: options.get(option.removeprefix("--")) for key, option in known.items()}
    overrides = {key: value for key, value in given.items() if value is not None}
    if "logging.level" in overrides:
        overrides["logging.level"] = overrides["logging.level"].upper()
    return overrides


def _overrides(options: Options) -> dict[str, Any]:
    """Return what the command line sets, by the key it stands for."""
    overrides = given_options(options, OPTIONS)
    for key in overrides.keys() & {"peer.port", "archive.port", "metrics.port"}:
        overrides[key] = _number(overrides[key], OPTIONS[key])
    if options["no-rendezvous"]:
        overrides["rendezvous.servers"] = []
    elif options.servers:
        overrides["rendezvous.servers"] = options.servers
    if options.archive_peers:
        overrides["archive.peers"] = options.archive_peers
    if options["ephemeral"]:
        overrides["store.ephemeral"] = True
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


def _import_file(option: str | None) -> Path | None:
    """Return the file to import; ConfigError, while it can still be said, if it cannot be read."""
    if not option:
        return None
    path = Path(option).absolute()
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe could wait for ever
            raise ConfigError(f"--import {path}: not a regular file")
        path.open("rb").close()
    except OSError as error:
        raise ConfigError(f"--import {path}: {error.strerror or error}") from error
    return path

"""The command line of `twistd p2pchat-rendezvous`: options -> Config, and the server's folder."""

import sys
from pathlib import Path
from typing import IO, Any, ClassVar

from twisted.python import usage

from p2pchat import __version__, process
from p2pchat.config import SERVER_OPTIONS, Config, make_config, parse_number
from p2pchat.data_dir import keep_pid, lock_data_dir, make_data_dir
from p2pchat.errors import P2PChatError
from p2pchat.options import given_options, read_settings

#: The server's folder among the user's, and what complaints begin with.
NAME = "p2pchat-rendezvous"

#: Its registrations, if it was not told to keep them elsewhere.
REGISTRY_FILE = "registrations.db"

# What is no number among the keys that options stand for.
_WORDS = {
    *("logging.level", "logging.file", "logging.format", "metrics.bind"),
    *("rendezvous_server.bind", "rendezvous_server.registry", "rendezvous_server.trust_proxy"),
}


class Options(usage.Options):
    """The command line of `twistd p2pchat-rendezvous`."""

    synopsis = "[options]"
    longdesc = (
        "A rendezvous server: tells the nodes of a network who else is there. Settings are read "
        "from --config, else ./config.json, else config.json in the user's configuration folder; "
        "options override them."
    )
    optParameters: ClassVar[list[list[object]]] = [
        ["port", None, None, "Listen on this port [8080]"],
        ["bind", None, None, "Listen on this IP address only; :: is all of IPv6 and IPv4 [IPv4]"],
        [
            *("registry", None, None),
            "Keep registrations here: memory, sqlite:FILE or redis://[:PASSWORD@]HOST[:PORT][/DB] "
            f"[sqlite:{REGISTRY_FILE} in the data folder]",
        ],
        ["config", None, None, "Read this configuration file"],
        ["data-dir", None, None, "Keep registrations, log and pid file here [a folder of yours]"],
        ["rate-limit", None, None, "Connections of one IP within the window [50]"],
        ["rate-window", None, None, "The window, in seconds [60]"],
        ["block-time", None, None, "Seconds without service for an IP beyond that [60]"],
        ["line-limit", None, None, "Bytes of a request at the most [32768]"],
        ["read-deadline", None, None, "Seconds for a whole request to come [5]"],
        ["max-connections", None, None, "Connections open at a time [4096]"],
        ["max-connections-per-ip", None, None, "Those of one IP [256]"],
        ["max-registrations", None, None, "Registrations at a time [200000]"],
        ["max-registrations-per-ip", None, None, "Those from one IP [10000]"],
        ["metrics", None, None, "Serve figures for Prometheus on this port [none]"],
        ["metrics-bind", None, None, "Serve them on this IP address [127.0.0.1]"],
        ["log-level", None, None, "DEBUG, INFO, WARNING or ERROR [INFO]"],
        [
            *("log-file", None, None),
            "Write the log here; - is standard output [-; in the background a file in the data "
            "folder]",
        ],
        ["log-format", None, None, "Log lines as text or as json [text]"],
    ]
    optFlags: ClassVar[list[list[object]]] = [
        ["trust-proxy", None, "Connections come from a balancer and begin with a PROXY header"],
    ]

    def __init__(self) -> None:
        usage.Options.__init__(self)
        self.settings = Config()
        self.data_dir = Path()
        self.lock: IO[str] | None = None

    def opt_version(self) -> None:
        """Print the version of p2pchat and exit."""
        print(f"p2pchat {__version__}")
        sys.exit(0)

    def postOptions(self) -> None:
        """Make the configuration, and what has to be done before twistd goes on."""
        process.install_fast_reactor()
        process.allow_open_files()
        process.share_interpreter()
        try:
            self.settings = _configure(self)
            self.data_dir = make_data_dir(self["data-dir"], NAME)
            self.lock = lock_data_dir(
                self.data_dir, "a rendezvous server", "choose another --data-dir"
            )
        except P2PChatError as error:
            raise SystemExit(f"{NAME}: {error}") from error
        keep_pid(self.parent, self.data_dir)

    @property
    def in_background(self) -> bool:
        """Whether twistd was told to leave the terminal."""
        twistd: Any = self.parent or {}
        return "nodaemon" in twistd and not (twistd["nodaemon"] or twistd.get("debug"))

    @property
    def registry(self) -> str:
        """Where registrations are kept; a file by its whole path."""
        named = self.settings.rendezvous_server.registry
        if named is None:
            return f"sqlite:{self.data_dir / REGISTRY_FILE}"
        kind, colon, path = named.partition(":")
        return f"sqlite:{Path(path).absolute()}" if colon and path and kind == "sqlite" else named

    @property
    def log_file(self) -> str:
        """Where the log goes: in the foreground to whoever started us."""
        named = self.settings.logging.file
        if named is not None:
            return named
        return str(self.data_dir / "rendezvous.log") if self.in_background else "-"


def _configure(options: Options) -> Config:
    overrides = given_options(options, SERVER_OPTIONS)
    for key in overrides.keys() - _WORDS:
        overrides[key] = parse_number(overrides[key], SERVER_OPTIONS[key])
    # a flag that was not given says nothing against the file
    if overrides.pop("rendezvous_server.trust_proxy"):
        overrides["rendezvous_server.trust_proxy"] = True
    return make_config(read_settings(options["config"]), overrides, SERVER_OPTIONS)

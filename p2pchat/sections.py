"""What can be set: the sections of the configuration, with types, bounds, defaults and options.

docs/configuration.md has a row for each key. Times are in seconds.
"""

from typing import Annotated, Literal

import msgspec

Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Count = Annotated[int, msgspec.Meta(ge=1)]
Rate = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
Retries = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=86400)]
Interval = Annotated[float, msgspec.Meta(ge=0.1, le=86400)]
Factor = Annotated[float, msgspec.Meta(ge=1, le=100)]
Text = Annotated[str, msgspec.Meta(min_length=1)]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
LogFormat = Literal["text", "json"]


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of all sections: immutable, and an unknown key is an error."""


class Rendezvous(Section, frozen=True):
    """Where to find the rendezvous server; `embedded`: serve it here if it is this machine."""

    host: Text = "127.0.0.1"
    port: Port = 8080
    embedded: bool = True
    servers: tuple[Text, ...] | None = None


class Peer(Section, frozen=True):
    """Who we are and where we listen; an unset port is 4000, or a free one if that is taken."""

    namespace: Text = "CIC"
    name: Text | None = None
    port: Port = 4000
    bind: str = ""


class Connection(Section, frozen=True):
    """Times and retries of links."""

    max_reconnect_attempts: Retries = 5
    reconnect_backoff_base: Factor = 2
    reconnect_backoff_max: Seconds = 60
    ping_interval: Seconds = 30
    ack_timeout: Seconds = 5
    discovery_interval: Seconds = 60


class Logging(Section, frozen=True):
    """What is logged, where and how; no file: `p2pchat.log` in the data folder."""

    level: LogLevel = "INFO"
    file: Text | None = None
    format: LogFormat = "text"


class Limits(Section, frozen=True):
    """Bounds against a hostile or broken network; bytes and counts, never exceeded."""

    max_links: Count = 1024
    max_links_per_ip: Count = 256
    max_handshakes_per_ip: Count = 64
    handshake_timeout: Seconds = 5
    queue_messages: Count = 10_000
    queue_bytes: Count = 8 * 1024 * 1024
    max_known_peers: Count = 10_000
    max_dialled_peers: Count = 200


class Archive(Section, frozen=True):
    """The replicated archive; `bind` unset: as `peer.bind`. Sizes in bytes."""

    enabled: bool = True
    peers: tuple[Text, ...] = ()
    bind: str = ""
    port: Port = 51511
    peer_request_interval: Interval = 5
    connect_timeout: Seconds = 5
    archive_request_interval: Interval = 15
    progress_timeout: Seconds = 60
    max_archive_bytes: Annotated[int, msgspec.Meta(ge=1024, le=1 << 30)] = 64 * 1024 * 1024
    max_peers: Count = 200
    max_pending: Count = 1000
    miners: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1


class Store(Section, frozen=True):
    """How much of what was said is kept; beyond that the oldest goes. `ephemeral`: nothing."""

    ephemeral: bool = False
    max_messages: Count = 1_000_000
    max_days: Annotated[float, msgspec.Meta(gt=0, le=36_500)] | None = None


class Outbox(Section, frozen=True):
    """Messages that wait to be delivered: for how long, how many, how often to other programs."""

    max_days: Annotated[float, msgspec.Meta(gt=0, le=3650)] = 7
    max_messages: Count = 10_000
    max_per_peer: Count = 1_000
    legacy_retries: Retries = 3


class Metrics(Section, frozen=True):
    """Figures for Prometheus, served at `/metrics`; without a port nowhere."""

    port: Port | None = None
    bind: Text = "127.0.0.1"


class RendezvousServer(Section, frozen=True):
    """The rendezvous server as a service of its own; no registry: an SQLite file of its own.

    Its bounds are those of docs/protocols.md, 1, but for the connections, which are many here.
    """

    port: Port = 8080
    bind: str = ""
    registry: Text | None = None
    trust_proxy: bool = False
    rate_limit: Rate = 50
    rate_window: Seconds = 60
    block_time: Seconds = 60
    line_limit: Annotated[int, msgspec.Meta(ge=256, le=1 << 20)] = 32768
    read_deadline: Seconds = 5
    max_connections: Count = 4096
    max_connections_per_ip: Count = 256
    max_registrations: Count = 200_000
    max_registrations_per_ip: Count = 10_000


class Config(Section, frozen=True):
    """All settings, of a node and of a rendezvous server of its own."""

    rendezvous: Rendezvous = Rendezvous()
    peer: Peer = Peer()
    connection: Connection = Connection()
    logging: Logging = Logging()
    limits: Limits = Limits()
    archive: Archive = Archive()
    store: Store = Store()
    outbox: Outbox = Outbox()
    metrics: Metrics = Metrics()
    rendezvous_server: RendezvousServer = RendezvousServer()


_COMMON_OPTIONS = {
    "logging.level": "--log-level",
    "logging.file": "--log-file",
    "logging.format": "--log-format",
    "metrics.port": "--metrics",
    "metrics.bind": "--metrics-bind",
}

#: The options of a rendezvous server of its own that stand for a key of the configuration.
SERVER_OPTIONS = _COMMON_OPTIONS | {
    f"rendezvous_server.{key}": f"--{option}"
    for key, option in (
        ("port", "port"),
        ("bind", "bind"),
        ("registry", "registry"),
        ("trust_proxy", "trust-proxy"),
        ("rate_limit", "rate-limit"),
        ("rate_window", "rate-window"),
        ("block_time", "block-time"),
        ("line_limit", "line-limit"),
        ("read_deadline", "read-deadline"),
        ("max_connections", "max-connections"),
        ("max_connections_per_ip", "max-connections-per-ip"),
        ("max_registrations", "max-registrations"),
        ("max_registrations_per_ip", "max-registrations-per-ip"),
    )
}

#: The options of a node that do.
OPTIONS = _COMMON_OPTIONS | {
    "peer.name": "--name",
    "peer.namespace": "--namespace",
    "peer.port": "--port",
    "peer.bind": "--bind",
    "rendezvous.servers": "--rendezvous",
    "archive.peers": "--archive-peer",
    "archive.bind": "--archive-bind",
    "archive.port": "--archive-port",
}

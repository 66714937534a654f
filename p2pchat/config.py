"""The configuration: defaults < config.json < command line (docs/configuration.md).

The first four sections are those of the configuration file that earlier clients read; `limits` and
the keys `rendezvous.embedded`, `rendezvous.servers` and `peer.bind` are ours. Times are in seconds.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from p2pchat.errors import ConfigError
from p2pchat.identity import MAX_NAME_LENGTH, is_name

Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Count = Annotated[int, msgspec.Meta(ge=1)]
Retries = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=86400)]
Factor = Annotated[float, msgspec.Meta(ge=1, le=100)]
Text = Annotated[str, msgspec.Meta(min_length=1)]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of all sections: immutable, and an unknown key is an error."""


class Rendezvous(_Section, frozen=True):
    """Where to find the rendezvous server; `embedded`: serve it here if it is this machine."""

    host: Text = "127.0.0.1"
    port: Port = 8080
    embedded: bool = True
    servers: tuple[Text, ...] | None = None


class Peer(_Section, frozen=True):
    """Who we are and where we listen; an unset port is 4000, or a free one if that is taken."""

    namespace: Text = "CIC"
    name: Text | None = None
    port: Port = 4000
    bind: str = ""


class Connection(_Section, frozen=True):
    """Times and retries of links."""

    max_reconnect_attempts: Retries = 5
    reconnect_backoff_base: Factor = 2
    reconnect_backoff_max: Seconds = 60
    ping_interval: Seconds = 30
    ack_timeout: Seconds = 5
    discovery_interval: Seconds = 60


class Logging(_Section, frozen=True):
    """What is logged and where; no file: `p2pchat.log` in the data folder."""

    level: LogLevel = "INFO"
    file: Text | None = None


class Limits(_Section, frozen=True):
    """Bounds against a hostile or broken network; bytes and counts, never exceeded."""

    max_links: Count = 1024
    max_links_per_ip: Count = 256
    max_handshakes_per_ip: Count = 64
    handshake_timeout: Seconds = 5
    queue_messages: Count = 10_000
    queue_bytes: Count = 8 * 1024 * 1024
    max_known_peers: Count = 10_000
    max_dialled_peers: Count = 200
    max_pending: Count = 10_000


class Config(_Section, frozen=True):
    """All settings of a node."""

    rendezvous: Rendezvous = Rendezvous()
    peer: Peer = Peer()
    connection: Connection = Connection()
    logging: Logging = Logging()
    limits: Limits = Limits()



"""The configuration: defaults < config.json < command line (docs/configuration.md).

The first four sections are those of the configuration file that earlier clients read; `limits`,
`archive` and the keys `rendezvous.embedded`, `rendezvous.servers` and `peer.bind` are ours. Times
are in seconds.
"""

import json
import re
from collections.abc import Mapping
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Any, Literal, cast, get_args

import msgspec

from p2pchat.errors import ConfigError
from p2pchat.identity import MAX_NAME_LENGTH, Address, is_ip_literal, is_loopback, is_name

Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Count = Annotated[int, msgspec.Meta(ge=1)]
Retries = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=86400)]
Interval = Annotated[float, msgspec.Meta(ge=0.1, le=86400)]
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


class Archive(_Section, frozen=True):
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


class Store(_Section, frozen=True):
    """How much of what was said is kept; beyond that the oldest goes. `ephemeral`: nothing."""

    ephemeral: bool = False
    max_messages: Count = 1_000_000
    max_days: Annotated[float, msgspec.Meta(gt=0, le=36_500)] | None = None


class Outbox(_Section, frozen=True):
    """Messages that wait to be delivered: for how long, how many, how often to other programs."""

    max_days: Annotated[float, msgspec.Meta(gt=0, le=3650)] = 7
    max_messages: Count = 10_000
    max_per_peer: Count = 1_000
    legacy_retries: Retries = 3


class Config(_Section, frozen=True):
    """All settings of a node."""

    rendezvous: Rendezvous = Rendezvous()
    peer: Peer = Peer()
    connection: Connection = Connection()
    logging: Logging = Logging()
    limits: Limits = Limits()
    archive: Archive = Archive()
    store: Store = Store()
    outbox: Outbox = Outbox()


#: The options that stand for a key of the configuration.
OPTIONS = {
    "peer.name": "--name",
    "peer.namespace": "--namespace",
    "peer.port": "--port",
    "peer.bind": "--bind",
    "logging.level": "--log-level",
    "logging.file": "--log-file",
    "rendezvous.servers": "--rendezvous",
    "archive.peers": "--archive-peer",
    "archive.bind": "--archive-bind",
    "archive.port": "--archive-port",
}


def find_config_file(cwd: Path, user_dir: Path) -> Path | None:
    """Return the file that is read when none is named: ./config.json, else the user's own."""
    for candidate in (cwd / "config.json", user_dir / "config.json"):
        if candidate.is_file():
            return candidate
    return None


def load_file(path: Path) -> dict[str, Any]:
    """Read a configuration file and check it by itself, so that errors name the file.

    Raises ConfigError if it cannot be read, is not JSON, or does not fit the schema.
    """
    try:
        content = json.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not JSON: {error}") from error
    _convert(content, f"{path}: ")
    return cast("dict[str, Any]", content)


def make_config(content: Mapping[str, Any], overrides: Mapping[str, Any]) -> Config:
    """Lay the command line over a file's content.

    `overrides` maps a key's path to its value, as in {"peer.port": 4001}. Raises ConfigError.
    """
    merged = {section: dict(keys) for section, keys in content.items()}
    for path, value in overrides.items():
        section, key = path.split(".")
        merged.setdefault(section, {})[key] = value
    try:
        return _convert(merged, "")
    except ConfigError as error:
        # the file was checked by itself, so that only an option can be wrong
        key, colon, rest = str(error).partition(": ")
        option = OPTIONS.get(key.partition("[")[0], key)
        raise ConfigError(f"{option}{colon}{rest}") from error


def _convert(content: Any, place: str) -> Config:
    """Check content against the schema; `place` begins each complaint."""
    try:
        config = msgspec.convert(content, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(place + _explain(str(error))) from error
    _check_names(config, place)
    return config


def _check_names(config: Config, place: str) -> None:
    """Check what the schema cannot say."""
    for key, value in (("name", config.peer.name), ("namespace", config.peer.namespace)):
        if value is not None and not is_name(value):
            raise ConfigError(
                f"{place}peer.{key}: expected 1 to {MAX_NAME_LENGTH} printable characters, "
                f"got {value!r:.100}"
            )
    if config.peer.bind and not is_ip_literal(config.peer.bind):
        raise ConfigError(f"{place}peer.bind: expected an IP address, got {config.peer.bind!r}")
    for server in config.rendezvous.servers or ():
        parse_server(server, f"{place}rendezvous.servers")
    _check_archive(config.archive, place)
    if config.archive.enabled and config.archive.port == config.peer.port:
        raise ConfigError(f"{place}archive.port: the same as peer.port, {config.peer.port}")


def _check_archive(archive: Archive, place: str) -> None:
    """Check the addresses: the archive's peers are known by IPv4 (docs/protocols.md, 3)."""
    if archive.bind and not _is_ipv4(archive.bind):
        raise ConfigError(f"{place}archive.bind: expected an IPv4 address, got {archive.bind!r}")
    for peer in archive.peers:
        parse_archive_peer(peer, archive.port, f"{place}archive.peers")


def _is_ipv4(text: str) -> bool:
    try:
        IPv4Address(text)
    except ValueError:
        return False
    return True


def parse_server(text: str, place: str) -> Address:
    """Read HOST:PORT ([HOST]:PORT for IPv6); ConfigError names the place if it is none."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (colon and host and _is_port(port)):
        raise ConfigError(f"{place}: expected HOST:PORT, got {text!r}")
    return Address(host, int(port))


def parse_archive_peer(text: str, default_port: int, place: str) -> Address:
    """Read HOST or HOST:PORT; ConfigError names the place if it is neither."""
    host, colon, port = text.partition(":")
    # one word, as somebody may have typed several
    if host.split() != [host] or (colon and not _is_port(port)):
        raise ConfigError(f"{place}: expected HOST or HOST:PORT, got {text!r:.100}")
    if not _can_be_dialled(host):
        raise ConfigError(f"{place}: no address and no host name: {host!r:.100}")
    return Address(host, int(port) if colon else default_port)


def _can_be_dialled(host: str) -> bool:
    """Tell whether host is an IPv4 address of one machine, or can be looked up."""
    if re.fullmatch(r"[0-9.]+", host):
        return _is_ipv4(host) and 0 < int(host.partition(".")[0]) < 224
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return True


def _is_port(text: str) -> bool:
    is_number = text.isascii() and text.isdigit() and len(text) <= len("65535")
    return is_number and 1 <= int(text) <= 65535


def rendezvous_servers(config: Rendezvous) -> list[Address]:
    """Return the servers to use: `servers` if given (none at all if empty), else host and port."""
    if config.servers is None:
        return [Address(config.host, config.port)]
    return [parse_server(server, "rendezvous.servers") for server in config.servers]


def archive_bind(config: Config) -> str:
    """Return the IPv4 address to listen on for the archive, and to dial from; "" means all."""
    bind = config.archive.bind or config.peer.bind
    if ":" in bind:
        return "127.0.0.1" if is_loopback(bind) else ""
    return bind


def _explain(problem: str) -> str:
    """Put the key's path before what msgspec says: `peer.port: expected int, got str`."""
    text, _, path = problem.partition(" - at `")
    path = path.removesuffix("`").removeprefix("$").removeprefix(".")
    unknown = re.fullmatch(r"Object contains unknown field `(.*)`", text, re.DOTALL)
    if unknown:
        return f"{f'{path}.' if path else ''}{unknown[1]}: unknown key; {_known_keys(path)}"
    value = re.fullmatch(r"Invalid enum value (.*)", text, re.DOTALL)
    if value:
        return f"{path}: expected one of {', '.join(get_args(LogLevel))}, got {value[1]}"
    text = text[:1].lower() + text[1:].replace("`", "")
    return f"{path}: {text}" if path else text


def _known_keys(section: str) -> str:
    """Name the keys that may stand in a section, or the sections."""
    place = getattr(Config(), section) if section else Config()
    return f"expected {', '.join(place.__struct_fields__)}"

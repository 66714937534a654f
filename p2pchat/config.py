"""The configuration: defaults < config.json < command line (docs/configuration.md).

The first four sections are those of the configuration file that earlier clients read; all others
and the keys `rendezvous.embedded`, `rendezvous.servers`, `peer.bind` and `logging.format` are ours.
A file may serve a node and a rendezvous server: each reads its own sections and checks all.
"""

import json
import re
from collections.abc import Mapping
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, cast, get_args

import msgspec

from p2pchat.errors import ConfigError
from p2pchat.identity import (
    MAX_NAME_LENGTH,
    Address,
    PeerId,
    is_ip_literal,
    is_loopback,
    is_name,
    make_peer_id,
)
from p2pchat.sections import (
    OPTIONS,
    SERVER_OPTIONS,
    Archive,
    Config,
    Connection,
    LogFormat,
    Logging,
    LogLevel,
    Metrics,
    Peer,
    Rendezvous,
    RendezvousServer,
)
from p2pchat.text import visible

__all__ = [
    "OPTIONS",
    "SERVER_OPTIONS",
    "Archive",
    "Config",
    "Connection",
    "Logging",
    "Metrics",
    "Peer",
    "Rendezvous",
    "RendezvousServer",
    "archive_bind",
    "find_config_file",
    "load_file",
    "make_config",
    "own_id",
    "parse_archive_peer",
    "parse_number",
    "parse_server",
    "rendezvous_servers",
]


# What msgspec calls a type, and users do not.
_TYPES = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
}
_TYPE = re.compile(rf"\b({'|'.join(_TYPES)})\b")

#: What is said of text that cannot be stored, sent or shown.
HALF_CHARACTER = "a text holds half a character (a lone surrogate)"


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
        json.dumps(content, ensure_ascii=False).encode("utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from error
    except UnicodeEncodeError as error:
        raise ConfigError(f"{path}: {HALF_CHARACTER}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not JSON: {error}") from error
    _convert(content, f"{path}: ")
    return cast("dict[str, Any]", content)


def make_config(
    content: Mapping[str, Any],
    overrides: Mapping[str, Any],
    options: Mapping[str, str] = OPTIONS,
) -> Config:
    """Lay the command line over a file's content.

    `overrides` maps a key's path to its value, as in {"peer.port": 4001}, `options` to the option
    that complaints name. Raises ConfigError.
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
        option = options.get(key.partition("[")[0], key)
        raise ConfigError(f"{option}{colon}{rest}") from error


def _convert(content: Any, place: str) -> Config:
    """Check content against the schema; `place` begins each complaint."""
    try:
        config = msgspec.convert(content, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(place + _explain(str(error))) from error
    except UnicodeEncodeError as error:
        raise ConfigError(place + HALF_CHARACTER) from error
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
    for key, bind in (
        ("peer", config.peer.bind),
        ("metrics", config.metrics.bind),
        ("rendezvous_server", config.rendezvous_server.bind),
    ):
        if bind and not is_ip_literal(bind):
            raise ConfigError(f"{place}{key}.bind: expected an IP address, got {bind!r}")
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


def parse_number(text: str, option: str) -> int | float:
    """Read a number of the command line; ConfigError names the option if it is none."""
    if not re.fullmatch(r"-?[0-9]{1,12}(\.[0-9]{1,9})?", text, re.ASCII):
        raise ConfigError(f"{option}: expected a number, got {text!r:.100}")
    return float(text) if "." in text else int(text)


def parse_archive_peer(text: str, default_port: int, place: str) -> Address:
    """Read HOST or HOST:PORT; ConfigError names the place if it is neither."""
    host, colon, port = text.partition(":")
    # one word, as somebody may have typed several; and not the id of a peer
    if "@" in host or host.split() != [host] or (colon and not _is_port(port)):
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


def own_id(config: Config) -> PeerId:
    """Return the id of the node that this configures; ValueError if it has no name."""
    if config.peer.name is None:
        raise ValueError("a node needs a name")
    return make_peer_id(config.peer.name, config.peer.namespace)


def archive_bind(config: Config) -> str:
    """Return the IPv4 address to listen on for the archive, and to dial from; "" means all."""
    bind = config.archive.bind or config.peer.bind
    if ":" in bind:
        return "127.0.0.1" if is_loopback(bind) else ""
    return bind


def _explain(problem: str) -> str:
    """Put the key's path before what msgspec says: `peer.port: expected a whole number`."""
    # the keys and values in it are somebody's, and may look like this themselves
    problem = visible(problem)
    located = re.fullmatch(r"(.*) - at `\$\.?([^` ]*)`", problem)
    text, path = located.groups() if located else (problem, "")
    unknown = re.fullmatch(r"Object contains unknown field `(.*)`", text)
    if unknown:
        return f"{f'{path}.' if path else ''}{unknown[1]}: unknown key; {_known_keys(path)}"
    value = re.fullmatch(r"Invalid enum value (.*)", text)
    if value:
        choices = get_args(LogFormat if path == "logging.format" else LogLevel)
        return f"{path}: expected one of {', '.join(choices)}, got {value[1]}"
    return f"{path}: {_in_words(text)}" if path else _in_words(text)


def _in_words(text: str) -> str:
    """Say what is expected as users would: "Expected `int | null`" is a whole number or null."""
    for words, ours in (("`", ""), (" | ", " or "), ("got float", "got a floating-point number")):
        text = text.replace(words, ours)
    return _TYPE.sub(lambda found: _TYPES[found[1]], text[:1].lower() + text[1:])


def _known_keys(section: str) -> str:
    """Name the keys that may stand in a section, or the sections."""
    place = getattr(Config(), section) if section in Config.__struct_fields__ else Config()
    return f"expected {', '.join(place.__struct_fields__)}"

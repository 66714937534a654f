"""Where a Redis (or Valkey) server is: redis://[[USER]:PASSWORD@]HOST[:PORT][/DB]."""

from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from p2pchat.errors import ConfigError

DEFAULT_PORT = 6379

_EXPECTED = "registry: expected redis://[:PASSWORD@]HOST[:PORT][/DB]"


class RedisPlace(NamedTuple):
    """A database of a server; str() shows no password."""

    host: str
    port: int = DEFAULT_PORT
    database: int = 0
    user: str = ""
    password: str = ""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}/{self.database}"


def parse_redis_place(location: str) -> RedisPlace:
    """Read a location; ConfigError, without its password, if it is none."""
    try:
        parts = urlsplit(location)
        port = DEFAULT_PORT if parts.port is None else parts.port
    except ValueError:
        raise ConfigError(_EXPECTED) from None
    database = parts.path.removeprefix("/")
    is_number = database.isascii() and (database.isdigit() or not database) and len(database) <= 9
    is_plain = not (parts.query or parts.fragment)
    if parts.scheme != "redis" or not (parts.hostname and port and is_number and is_plain):
        raise ConfigError(_EXPECTED)
    return RedisPlace(
        host=parts.hostname,
        port=port,
        database=int(database or 0),
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
    )

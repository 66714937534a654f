"""What is used of txredisapi: one connection's protocol, and nothing else.

Left to itself it queues commands without end while Redis is away, and gives up for good when AUTH
or SELECT is refused, as by a server that has too many clients for the moment; its timers and its
sockets are those of the process's reactor. So whoever uses this makes the connections, again and
again. Another library would replace this module alone.
"""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import ITCPTransport

from p2pchat.errors import ConfigError


class Wire(Protocol):
    """One connection, as txredisapi speaks it."""

    connected: int
    transport: ITCPTransport
    factory: object
    callLater: Callable[..., object]

    def whenConnected(self) -> "Deferred[object]":  # noqa: N802  txredisapi's name
        """Fire when it can be written to."""

    def execute_command(self, *words: bytes) -> "Deferred[object]":
        """Send one command; fires with the answer, and may be cancelled."""

    def eval(self, script: bytes, keys: Sequence[bytes], args: Sequence[bytes]) -> "Deferred[Any]":
        """Run a script by its hash, or send it if Redis does not know it."""


class RedisLibrary:
    """What is used of txredisapi; ConfigError if it is not installed."""

    def __init__(self) -> None:
        # imported late: it takes, and so installs, the process's reactor, and few need it
        try:
            self._module: Any = import_module("txredisapi")
        except ImportError:
            raise ConfigError(
                "registry: Redis needs txredisapi: pip install 'p2pchat[redis]'"
            ) from None

    def wire(self) -> Wire:
        """Make the protocol of one connection; what it answers are bytes and integers."""
        wire: Wire = self._module.RedisProtocol(charset=None, convertNumbers=False)
        return wire

    def is_refusal(self, error: BaseException) -> bool:
        """Tell whether Redis answered, but not what was asked for."""
        return isinstance(error, self._module.ResponseError)

    def is_failure(self, error: BaseException) -> bool:
        """Tell whether error is one of txredisapi."""
        return isinstance(error, self._module.RedisError)

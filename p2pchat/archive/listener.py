"""The archive's port: we listen on it, or dial the node of this machine that does.

All peers of the network use one port, so of several nodes behind one address one has it. The others
link to that one, which is as good for them, and take the port over when it becomes free.
"""

import errno
from collections.abc import Callable
from random import Random
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IDelayedCall, IReactorTCP, IReactorTime
from twisted.internet.protocol import ServerFactory

from p2pchat.identity import Address

#: Seconds between two attempts to get the port, before jitter.
RETRY_TIME = 2.0

#: Connections that may wait to be accepted.
BACKLOG = 256


class ListeningPort:
    """Gets the port as soon as it can be had.

    Who connects waits until accept(): the system holds up to BACKLOG connections till then.
    `gained` is called when it was got, `taken` the first time it was not: somebody else has it,
    unless there is `trouble`.
    """

    def __init__(
        self,
        reactor: Any,
        rng: Random,
        address: Address,
        factory: ServerFactory,
        gained: Callable[[], None],
        taken: Callable[[], None],
    ) -> None:
        self.address = address
        self._tcp: IReactorTCP = reactor
        self._clock: IReactorTime = reactor
        self._rng = rng
        self._factory = factory
        self._gained = gained
        self._taken = taken
        #: Whether we ever could not have it.
        self.was_taken = False
        #: Why it could not be had, if it is not that somebody else has it.
        self.trouble = ""
        self._port: Any = None  # an IListeningPort that can be paused, as every reactor's TCP port
        self._accepting = False
        self._retry: IDelayedCall | None = None

    @property
    def open(self) -> bool:
        """Whether the port is ours."""
        return self._port is not None

    @property
    def holder(self) -> Address:
        """Where the node listens that has the port while we don't."""
        host = self.address.host
        return Address("127.0.0.1" if host in ("", "0.0.0.0") else host, self.address.port)

    def start(self) -> None:
        """Try to get the port, now and until it is ours."""
        self._retry = None
        try:
            self._port = self._tcp.listenTCP(
                self.address.port, self._factory, BACKLOG, self.address.host
            )
        except (CannotListenError, OSError) as error:
            delay = RETRY_TIME * self._rng.uniform(0.75, 1.25)
            self._retry = self._clock.callLater(delay, self.start)
            self._say_taken(error)
            return
        if not self._accepting:
            self._port.pauseProducing()
        self._gained()

    def accept(self) -> None:
        """Take connections from now on, those that wait first."""
        self._accepting = True
        if self._port is not None:
            self._port.resumeProducing()

    def stop(self) -> "Deferred[Any]":
        """Close the port, or try no more."""
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        port, self._port = self._port, None
        stopping = port.stopListening() if port is not None else None
        return stopping if isinstance(stopping, Deferred) else succeed(None)

    def _say_taken(self, error: Exception) -> None:
        if not self.was_taken:
            self.was_taken = True
            cause = getattr(error, "socketError", error)
            if getattr(cause, "errno", None) != errno.EADDRINUSE:
                reason = getattr(cause, "strerror", None) or str(cause)
                self.trouble = f"cannot listen on {self.address}: {reason}"
            self._taken()

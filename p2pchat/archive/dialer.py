"""Dialling peers of the archive, and dialling them again with growing pauses.

One ReconnectingClientFactory an address. Peers that the user named are dialled for ever; one that a
list named is dialled once, and again only after it was reached (docs/protocols.md, 3.3).
"""

from random import Random
from typing import Any, Protocol

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTCP, IReactorTime
from twisted.internet.protocol import ReconnectingClientFactory
from twisted.logger import Logger
from twisted.python.failure import Failure

from p2pchat.api import ArchiveDialInfo
from p2pchat.archive.protocol import ArchiveProtocol
from p2pchat.config import Connection
from p2pchat.identity import Address, source_address

#: Who closes within so many seconds closes at once (3.4).
AT_ONCE = 5.0


class DialerListener(Protocol):
    """Makes the links, and hears how dialling ends."""

    def build_link(self, *, identify: bool) -> ArchiveProtocol:
        """Make the protocol for a connection that was made."""
        ...

    def given_up(self, address: Address) -> None:
        """An address is dialled no more."""


class ArchivePeerFactory(ReconnectingClientFactory):
    """Dials one address until it is given up or cancelled.

    A peer that closes at once without a byte is dialled once more with an identification in front;
    if that does not help, never so again (3.4).
    """

    noisy = False
    jitter = 0.0  # ours is drawn from the injected source of randomness
    clock: Any
    initialDelay: float
    maxDelay: float  # type: ignore[assignment]  # Twisted infers int from its default
    maxRetries: int | None  # type: ignore[assignment]  # Twisted infers None from its default

    def __init__(self, dialer: "ArchiveDialer", address: Address, *, persistent: bool) -> None:
        self.address = address
        self.persistent = persistent
        self.link: ArchiveProtocol | None = None
        self._dialer = dialer
        self._identify = False  # with the next connection
        self._tried_identifying = False
        self._made = 0.0  # when the link came up
        self._pause = 0.0  # the last one
        self._next = 0.0  # when it is dialled again
        self._trouble = ""
        self.clock = dialer.clock
        self.initialDelay = self.delay = dialer.policy.reconnect_backoff_base
        self.factor = dialer.policy.reconnect_backoff_base
        self.maxDelay = dialer.policy.reconnect_backoff_max
        self.maxRetries = None if persistent else 0

    @property
    def connected(self) -> bool:
        return self.link is not None

    @property
    def tentative(self) -> bool:
        """Whether it is dialled, and nobody knows whether a peer is there."""
        return not self.connected and self.maxRetries == 0

    def info(self) -> ArchiveDialInfo:
        """Tell why there is no link, and how long until it is tried again."""
        seconds = max(0.0, self._next - self.clock.seconds())
        return ArchiveDialInfo(str(self.address), self._trouble, seconds)

    def cancel(self) -> None:
        """Stop dialling; a link that is up stays."""
        self.stopTrying()

    def startedConnecting(self, connector: Any) -> None:
        self.connector = connector

    def buildProtocol(self, addr: object) -> ArchiveProtocol:
        identify, self._identify = self._identify, False
        self._made = self.clock.seconds()
        self.link = self._dialer.listener.build_link(identify=identify)
        return self.link

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        self._dialer.log.debug(
            "[Archive] {address}: {reason}", address=self.address, reason=reason.value
        )
        if self._identify:
            # by the time that somebody answers it may be another program
            self._identify = self._tried_identifying = False
        self._trouble = reason.getErrorMessage()
        self._retry(connector)

    def clientConnectionLost(self, connector: Any, reason: Failure) -> None:
        link, self.link = self.link, None
        assert link is not None
        if not self.continueTrying:
            self._dialer.finished(self)
            return
        lasted = self.clock.seconds() - self._made
        self._trouble = link.reason or reason.getErrorMessage()
        if link.spoke:
            self._was_reached(lasted)
        elif self._wants_identification(link, lasted):
            self._tried_identifying = self._identify = True
            connector.connect()
            return
        self._retry(connector)

    def _was_reached(self, lasted: float) -> None:
        """A peer is there. A link shorter than the pause before it leaves the pauses growing."""
        self.maxRetries = None if self.persistent else self._dialer.retries
        self._tried_identifying = False
        if lasted >= self._pause:
            self.resetDelay()

    def _wants_identification(self, link: ArchiveProtocol, lasted: float) -> bool:
        said_nothing = not link.heard and not link.dropped
        return said_nothing and lasted < AT_ONCE and not self._tried_identifying

    def _retry(self, connector: Any) -> None:
        if not self.continueTrying or (
            self.maxRetries is not None and self.retries >= self.maxRetries
        ):
            self._dialer.finished(self)
            return
        # step by step, as a power of the factor would grow beyond all numbers
        pause = self._pause * self.factor if self.retries else self.initialDelay
        self._pause = min(pause, self.maxDelay)
        self.delay = self._pause * self._dialer.rng.uniform(0.9, 1.1)
        self._next = self.clock.seconds() + self.delay
        self.retry(connector)


class ArchiveDialer(Service):
    """Keeps one factory for each address that is dialled or was reached by dialling.

    `bind` is the address that connections come from, where it can be ("": any).
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        rng: Random,
        policy: Connection,
        connect_timeout: float,
        bind: str,
        listener: DialerListener,
    ) -> None:
        self.clock: IReactorTime = reactor
        self.rng = rng
        self.policy = policy
        self.retries = policy.max_reconnect_attempts
        self.listener = listener
        self._reactor: IReactorTCP = reactor
        self._connect_timeout = connect_timeout
        self._bind = bind
        self._factories: dict[Address, ArchivePeerFactory] = {}

    def __len__(self) -> int:
        return len(self._factories)

    @property
    def connecting(self) -> int:
        """How many addresses are being dialled, or wait to be dialled again."""
        return sum(not factory.connected for factory in self._factories.values())

    @property
    def tentative(self) -> int:
        """How many addresses are being dialled where nobody may be."""
        return sum(factory.tentative for factory in self._factories.values())

    @property
    def missing(self) -> list[ArchiveDialInfo]:
        """Those that are dialled for ever, and to which there is no link."""
        every = self._factories.values()
        return [one.info() for one in every if one.persistent and not one.connected]

    def __contains__(self, address: Address) -> bool:
        return address in self._factories

    def dial(self, address: Address, *, persistent: bool) -> bool:
        """Dial an address; tell whether that was not under way already."""
        factory = self._factories.get(address)
        if factory is not None:
            if persistent:
                factory.persistent, factory.maxRetries = True, None
            return False
        if not self.running:
            return False
        factory = self._factories[address] = ArchivePeerFactory(
            self, address, persistent=persistent
        )
        source = source_address(self._bind, address.host)
        bind = (source, 0) if source is not None else None
        self._reactor.connectTCP(address.host, address.port, factory, self._connect_timeout, bind)
        return True

    def cancel(self, address: Address) -> None:
        """Stop dialling an address; a link that is up stays."""
        factory = self._factories.pop(address, None)
        if factory is not None:
            factory.cancel()

    def cancel_link(self, link: object) -> Address | None:
        """Stop dialling the address that a link was dialled by; the link stays.

        Return the address if it would have been dialled for ever.
        """
        found = next((one for one in self._factories.values() if one.link is link), None)
        if found is None:
            return None
        self.cancel(found.address)
        return found.address if found.persistent else None

    def stopService(self) -> None:
        Service.stopService(self)
        for factory in list(self._factories.values()):
            factory.cancel()
        self._factories.clear()

    def finished(self, factory: ArchivePeerFactory) -> None:
        if self._factories.get(factory.address) is factory:
            del self._factories[factory.address]
            self.listener.given_up(factory.address)

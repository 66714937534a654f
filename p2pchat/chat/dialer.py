"""Dialling peers, and dialling them again with growing pauses.

One ReconnectingClientFactory a peer. A round tries each of the peer's addresses once; between
rounds the pause grows from the configured base to its maximum, and is reset once a handshake is
done. After `max_reconnect_attempts` rounds in vain the peer is given up until something new is
heard of it.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Protocol

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTCP, IReactorTime
from twisted.internet.protocol import ReconnectingClientFactory
from twisted.logger import Logger
from twisted.python.failure import Failure

from p2pchat.chat.link import Closed, Ending
from p2pchat.chat.protocol import ChatProtocol
from p2pchat.config import Connection
from p2pchat.identity import Address, PeerId, source_address
from p2pchat.text import visible

#: A newly discovered peer is dialled after a random pause, as it may be dialling us (2.8); seconds.
FIRST_PAUSE = (0.5, 2.0)

#: How often dialling is put off because somebody at that address is just dialling us.
MAX_DEFERRALS = 3

#: How a handshake ends at an address where the peer is not; it may be at its next one.
NOT_THERE = frozenset({Ending.BROKEN, Ending.SILENT, Ending.LOST, Ending.REFUSED})


class DialerListener(Protocol):
    """Decides about dialling, and hears how it ends."""

    def build_link(self, peer: PeerId, address: Address) -> ChatProtocol:
        """Make the protocol for a connection that was made."""
        ...

    def is_dialling_us(self, address: Address) -> bool:
        """Tell whether somebody at this address connected just now."""
        ...

    def wants_redial(self, peer: PeerId, closed: Closed) -> bool:
        """Tell whether a peer whose link ended like this should be dialled by backoff."""
        ...

    def missed(self, peer: PeerId) -> None:
        """The first of several rounds was in vain; the others follow."""

    def gave_up(self, peer: PeerId) -> None:
        """All attempts were in vain."""


class _Round:
    """Stands in for a connector: reconnecting starts a new round."""

    def __init__(self, start: Callable[[], None]) -> None:
        self.connect = start

    def stopConnecting(self) -> None:
        """Nothing is connecting between rounds."""


class PeerFactory(ReconnectingClientFactory):
    """Dials one peer until it is reached, given up or cancelled."""

    noisy = False
    jitter = 0.0  # ours is drawn from the injected source of randomness
    clock: Any
    initialDelay: float
    maxDelay: float  # type: ignore[assignment]  # Twisted infers int from its default
    maxRetries: int  # type: ignore[assignment]  # Twisted infers None from its default

    def __init__(self, dialer: "Dialer", peer: PeerId, addresses: Sequence[Address]) -> None:
        self.peer = peer
        self.addresses = list(addresses)
        #: Whether a link ever came of it, and the last connection, which may be one.
        self.proven = False
        self.link: ChatProtocol | None = None
        self._dialer = dialer
        self._round: list[Address] = []
        self._deferrals = 0
        self._start: IDelayedCall | None = None
        self.initialDelay = self.delay = dialer.policy.reconnect_backoff_base
        self.factor = dialer.policy.reconnect_backoff_base
        self.maxDelay = dialer.policy.reconnect_backoff_max
        self.maxRetries = 0
        self.clock = dialer.clock

    def start(self, delay: float) -> None:
        """Begin the first round after so many seconds."""
        self._start = self._dialer.clock.callLater(delay, self._begin_round)

    def cancel(self) -> None:
        """Stop dialling; a link that is up stays."""
        if self._start is not None and self._start.active():
            self._start.cancel()
        self.stopTrying()

    def startedConnecting(self, connector: Any) -> None:
        self.connector = connector

    def buildProtocol(self, addr: object) -> ChatProtocol | None:
        address = Address(getattr(addr, "host", "?"), getattr(addr, "port", 0))
        self.link = self._dialer.listener.build_link(self.peer, address)
        return self.link

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        if not self.continueTrying:
            return
        self._dialer.log.debug(
            "[PeerClient] {peer}: {reason}", peer=visible(self.peer), reason=reason.value
        )
        if self._round:
            self._connect_next()
        else:
            self._retry(connector)

    def clientConnectionLost(self, connector: Any, reason: Failure) -> None:
        reached = self._dialer.left(self)
        closed = self.link.closed if self.link is not None else None
        if not self.continueTrying or closed is None:
            self._dialer.finished(self)
        elif self._round and not reached and closed.ending in NOT_THERE:
            self._connect_next()
        elif self._dialer.listener.wants_redial(self.peer, closed):
            self._retry(connector)
        else:
            self._dialer.finished(self)

    def _retry(self, connector: Any) -> None:
        if self.retries >= (self.maxRetries or 0):
            self._dialer.finished(self)
            self._dialer.listener.gave_up(self.peer)
            return
        if not self.retries:
            self._dialer.listener.missed(self.peer)
        # beyond so many steps it is the maximum in any case, and would overflow in the end
        pause = self.initialDelay * self.factor ** min(self.retries, 100)
        self.delay = min(pause, self.maxDelay) * self._dialer.rng.uniform(0.9, 1.1)
        self.retry(_Round(self._begin_round))

    def _begin_round(self) -> None:
        self._round = list(self.addresses)
        self._connect_next()

    def _connect_next(self) -> None:
        if self._dialer.listener.is_dialling_us(self._round[0]) and self._deferrals < MAX_DEFERRALS:
            self._deferrals += 1
            self.start(self._dialer.rng.uniform(*FIRST_PAUSE))
            return
        self._dialer.connect(self._round.pop(0), self)


class Dialer(Service):
    """Keeps one PeerFactory for each peer that is dialled or was reached by dialling.

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
        self.listener = listener
        self._reactor: IReactorTCP = reactor
        self._connect_timeout = connect_timeout
        self._bind = bind
        self._factories: dict[PeerId, PeerFactory] = {}
        self._reached: set[PeerFactory] = set()

    @property
    def count(self) -> int:
        """Count the peers that attempts go on at."""
        return len(self._factories) - len(self._reached)

    @property
    def reached(self) -> int:
        """Count the peers that are linked by our dialling."""
        return len(self._reached)

    @property
    def busy(self) -> bool:
        """Tell whether attempts at any peer go on."""
        return self.count > 0

    def is_dialling(self, peer: PeerId) -> bool:
        """Tell whether attempts at this peer go on."""
        factory = self._factories.get(peer)
        return factory is not None and factory not in self._reached

    def dial(
        self, peer: PeerId, addresses: Sequence[Address], delay: float, *, once: bool = False
    ) -> None:
        """Dial a peer after so many seconds, unless that is under way.

        `once`: no second round, unless that was wanted before.
        """
        if not addresses or not self.running:
            return
        factory = self._factories.get(peer)
        if factory is None:
            factory = self._factories[peer] = PeerFactory(self, peer, addresses)
            factory.start(delay)
        factory.addresses = list(addresses)
        if not once:
            factory.maxRetries = self.policy.max_reconnect_attempts

    def established(self, link: ChatProtocol) -> None:
        """Note that the handshake on a link we dialled is done.

        It may be of an attempt that was called off; another one is none the further for it.
        """
        factory = self._factories.get(link.expected) if link.expected is not None else None
        if factory is not None and factory.link is link:
            factory.maxRetries = self.policy.max_reconnect_attempts
            factory.resetDelay()
            factory.proven = True
            self._reached.add(factory)

    def cancel(self, peer: PeerId) -> None:
        """Stop dialling a peer, if no link came of it yet."""
        factory = self._factories.get(peer)
        if factory is not None and factory not in self._reached:
            self.finished(factory)
            factory.cancel()

    def drop_unreached(self) -> bool:
        """Stop dialling the peer dialled longest without a link; False if there is none."""
        for peer, factory in self._factories.items():
            if not factory.proven:
                self.cancel(peer)
                return True
        return False

    def stopService(self) -> None:
        Service.stopService(self)
        for factory in list(self._factories.values()):
            factory.cancel()
        self._factories.clear()
        self._reached.clear()

    # What factories ask

    def connect(self, address: Address, factory: PeerFactory) -> None:
        source = source_address(self._bind, address.host)
        bind = (source, 0) if source is not None else None
        self._reactor.connectTCP(address.host, address.port, factory, self._connect_timeout, bind)

    def left(self, factory: PeerFactory) -> bool:
        """Note that a connection is gone; tell whether it had become a link."""
        reached = factory in self._reached
        self._reached.discard(factory)
        return reached

    def finished(self, factory: PeerFactory) -> None:
        if self._factories.get(factory.peer) is factory:
            del self._factories[factory.peer]

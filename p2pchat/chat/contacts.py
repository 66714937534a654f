"""Whom to dial, when, and where (docs/protocols.md, 2.4, 2.8, 2.9)."""

from collections import deque
from collections.abc import Callable, Iterable
from itertools import islice
from random import Random
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from p2pchat.chat.dialer import FIRST_PAUSE, Dialer
from p2pchat.chat.link import Closed, Ending
from p2pchat.chat.peers import Peer, PeerTable
from p2pchat.chat.protocol import ChatProtocol
from p2pchat.config import Config
from p2pchat.identity import Address, PeerId, is_ip_literal, is_loopback, namespace_of
from p2pchat.text import visible

#: How a link must have ended for its peer to be dialled again by backoff; after the others only
#: discovery or /reconnect does it.
REDIAL_AFTER = frozenset({Ending.LOST, Ending.DEAD, Ending.SILENT})

#: Addresses that we believe to be ours: one for each way out of here, and a few more.
MAX_PUBLIC_IPS = 8

#: A peer without a link that no discovery shows is forgotten after so many seconds.
FORGET_AFTER = 600.0

#: Discovered peers that are looked at in one go; ten thousand would stop all else for long.
SLICE = 100


class Contacts:
    """Decides about dialling the peers of a table; its Dialer carries it out.

    `build` makes a link for a connection to a peer; `is_dialling_us` tells whether somebody at an
    IP address has connected and not said who it is. `moved` is told when a peer was not where it
    was last seen: it may be at a new address, if somebody is asked.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        rng: Random,
        me: PeerId,
        config: Config,
        peers: PeerTable,
        *,
        build: Callable[[PeerId, Address], ChatProtocol],
        is_dialling_us: Callable[[str], bool],
        moved: Callable[[], None],
    ) -> None:
        self.public_ips: set[str] = set()
        self._clock: IReactorTime = reactor
        self._rng = rng
        self._me = me
        self._config = config
        self._peers = peers
        self._build = build
        self._is_dialling_us = is_dialling_us
        self._moved = moved
        self._shown: deque[tuple[PeerId, list[Address]]] = deque(
            maxlen=config.limits.max_known_peers
        )
        self._next_slice: IDelayedCall | None = None
        self.dialer = Dialer(
            *(reactor, rng, config.connection),
            *(config.limits.handshake_timeout, config.peer.bind, self),
        )

    def set_public_ips(self, ips: Iterable[str]) -> None:
        """Note the addresses under which others see this machine; loopback tells nothing."""
        useful = (ip for ip in ips if is_ip_literal(ip) and not is_loopback(ip))
        self.public_ips = set(islice(useful, MAX_PUBLIC_IPS))

    def is_dialling(self, peer: PeerId) -> bool:
        """Tell whether attempts at this peer go on."""
        return self.dialer.is_dialling(peer)

    def discovered(self, found: Iterable[tuple[PeerId, Address]]) -> None:
        """Note all peers that a discovery shows, and dial those without a link, within limits.

        A peer may be shown at several addresses, the best one first. Our own namespace and peers
        that were not dialled in vain come first, the rest by chance: so a list full of peers that
        do not exist can't keep us from those that do. The first SLICE are noted when this returns,
        the others in the turns of the reactor that follow.
        """
        self._peers.forget_absent(self._clock.seconds() - FORGET_AFTER)
        addresses: dict[PeerId, list[Address]] = {}
        for peer_id, address in found:
            addresses.setdefault(peer_id, []).append(address)
        addresses.pop(self._me, None)
        order = iter(sorted(addresses, key=self._order))
        for peer_id in islice(order, SLICE):
            self._discovered_one(peer_id, addresses[peer_id])
        self._shown.extend((peer_id, addresses[peer_id]) for peer_id in order)
        if self._shown and self._next_slice is None:
            self._next_slice = self._clock.callLater(0, self._go_on)

    def stop(self) -> None:
        """Dial nobody any more."""
        self._shown.clear()
        if self._next_slice is not None:
            self._next_slice.cancel()
            self._next_slice = None
        self.dialer.stopService()

    def remembered(self, peer_id: PeerId, addresses: Iterable[Address]) -> None:
        """Try a peer of an earlier run once, where it was: the rendezvous may not be there."""
        if peer_id == self._me or self._peers.get(peer_id) is not None:
            return
        peer = self._peers.meet(peer_id, self._clock.seconds())
        for address in reversed(list(addresses)):
            peer.learn_address(address)
        if peer.addresses and not self._is_crowded(peer_id):
            self._dial(peer, self._rng.uniform(*FIRST_PAUSE), once=True)

    def lost(self, peer: Peer, closed: Closed) -> None:
        """Dial a peer whose last link ended, if it ended in a way that calls for it."""
        if closed.ending in REDIAL_AFTER and self._has_room_again(peer.peer_id, 1):
            self._dial(peer, self._config.connection.reconnect_backoff_base)

    def reconnect(self) -> int:
        """Dial every known peer that has no link, now, within limits; return how many."""
        absent = [peer for peer in self._peers if peer.addresses and not peer.links]
        dialled = 0
        for peer in sorted(absent, key=lambda peer: self._order(peer.peer_id)):
            self.dialer.cancel(peer.peer_id)
            peer.stale = False
            if not self._is_crowded(peer.peer_id):
                self._dial(peer, 0.0)
                dialled += 1
        return dialled

    # The dialer asks (DialerListener)

    def build_link(self, peer: PeerId, address: Address) -> ChatProtocol:
        return self._build(peer, address)

    def is_dialling_us(self, address: Address) -> bool:
        return self._is_dialling_us(address.host)

    def wants_redial(self, peer: PeerId, closed: Closed) -> bool:
        known = self._peers.get(peer)
        wanted = known is not None and not known.links and closed.ending in REDIAL_AFTER
        return wanted and self._has_room_again(peer, 0)  # it counts as dialled already

    def missed(self, peer: PeerId) -> None:
        self._moved()

    def gave_up(self, peer: PeerId) -> None:
        known = self._peers.get(peer)
        if known is not None:
            known.stale = True
        self.log.info("[PeerClient] {peer} cannot be reached: stale", peer=visible(peer))

    # Within

    def _order(self, peer_id: PeerId) -> tuple[bool, bool, float]:
        peer = self._peers.get(peer_id)
        in_vain = peer is not None and peer.stale
        foreign = namespace_of(peer_id) != namespace_of(self._me)
        return in_vain, foreign, self._rng.random()

    def _go_on(self) -> None:
        """Note some more of the peers that were shown."""
        self._next_slice = None
        for _ in range(min(SLICE, len(self._shown))):
            self._discovered_one(*self._shown.popleft())
        if self._shown:
            self._next_slice = self._clock.callLater(0, self._go_on)

    def _discovered_one(self, peer_id: PeerId, addresses: list[Address]) -> None:
        peer = self._peers.meet(peer_id, self._clock.seconds())
        learned = [peer.learn_address(address) for address in reversed(addresses)]
        new = any(learned)
        if peer.links or self._is_crowded(peer_id):
            return
        # who left, or could not be reached, is tried once each time that it is shown
        once = (peer.stale or peer.left) and not new
        self._dial(peer, self._rng.uniform(*FIRST_PAUSE), once=once)

    def _dial(self, peer: Peer, delay: float, *, once: bool = False) -> None:
        self.dialer.dial(peer.peer_id, self._candidates(peer), delay, once=once)

    def _candidates(self, peer: Peer) -> list[Address]:
        """Return where to dial a peer; one behind our own address may be on this very host."""
        candidates = list(peer.addresses)
        for address in peer.addresses:
            here = Address("127.0.0.1", address.port)
            if address.host in self.public_ips and here not in candidates:
                candidates.append(here)
        return candidates

    def _has_room_again(self, peer_id: PeerId, more: int) -> bool:
        """Tell whether so many more may be dialled, who were linked: who never was makes room."""
        room = self._room(peer_id) - more
        while self.dialer.count > room and self.dialer.drop_unreached():
            pass
        return self.dialer.count <= room and not self._has_all_links

    def _is_crowded(self, peer_id: PeerId) -> bool:
        """Tell whether we dial enough peers."""
        return self.dialer.count >= self._room(peer_id) or self._has_all_links

    @property
    def _has_all_links(self) -> bool:
        return self.dialer.reached >= self._config.limits.max_links

    def _room(self, peer_id: PeerId) -> int:
        """Return how many peers may be dialled at a time; of our own namespace twice as many."""
        room = self._config.limits.max_dialled_peers
        return room * 2 if namespace_of(peer_id) == namespace_of(self._me) else room

"""The peers we know of, and which of several links to one of them stay (no IO).

Which link stays when a second one comes up (docs/protocols.md, 2.7 and 2.8):

========================  ============================  =======================================
the new link              both are of our kind          both are legacy
========================  ============================  =======================================
same direction as one     the old one is probed by a PING; if it answers the new one goes, else
we have                   the new one takes its place
other direction, dialled  the new one stays, the old    both stay: read both, write to the one
by the smaller id         one gets BYE `duplicate`      that carried data last
other direction, dialled  as for the same direction     both stay
by the larger id
========================  ============================  =======================================

Of a modern and a legacy one the old one is probed: a program is not of two kinds. What a smaller id
decides it decides only for links that come up together; the switchboard sees to that.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum, auto

from p2pchat.api import PeerState
from p2pchat.chat.keepalive import RttStats
from p2pchat.chat.link import Link
from p2pchat.chat.outbound import Habits
from p2pchat.chat.session import Role
from p2pchat.identity import Address, PeerId, namespace_of

#: Addresses kept for one peer; the newest come first.
MAX_ADDRESSES = 4

#: Peers without a link that are remembered although no discovery ever showed them.
MAX_STRANGERS = 200


class Verdict(Enum):
    """What to do about a new link beside an old one."""

    KEEP_BOTH = auto()
    REPLACE_OLD = auto()
    PROBE_OLD = auto()


@dataclass(eq=False, slots=True)
class Peer:
    """All we know of one peer. Times are of the node's clock, in seconds.

    `up`: reported to be there; `stale`: dialled in vain as often as the configuration allows;
    `left`: it said BYE.
    """

    peer_id: PeerId
    addresses: list[Address] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    rtt: RttStats = field(default_factory=RttStats)
    last_seen: float = 0.0
    up: bool = False
    stale: bool = False
    left: bool = False
    modern: bool | None = None
    habits: Habits = field(default_factory=Habits)

    @property
    def connected(self) -> bool:
        return bool(self.links)

    def writing_link(self) -> Link | None:
        """Return the link to write to: the one that carried data last (2.8)."""
        talking = [link for link in self.links if link.talking]
        return max(talking, key=lambda link: link.heard_at, default=None)

    def learn_address(self, address: Address) -> bool:
        """Put an address first; tell whether it is new."""
        new = address not in self.addresses
        if not new:
            self.addresses.remove(address)
        self.addresses.insert(0, address)
        del self.addresses[MAX_ADDRESSES:]
        return new

    def state(self, dialling: bool) -> PeerState:
        if self.links:
            return "connected"
        if dialling:
            return "connecting"
        return "stale" if self.stale else "known"


class PeerTable:
    """The peers by id, at most `limit` of them: the one unheard of for longest makes room.

    Only peers with a link, which have bounds of their own, can make them more.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._peers: dict[PeerId, Peer] = {}
        # those that no discovery showed when last looked at, the one heard of last at the end
        self._unlisted: dict[PeerId, Peer] = {}

    def __iter__(self) -> Iterator[Peer]:
        return iter(list(self._peers.values()))

    def __len__(self) -> int:
        return len(self._peers)

    def get(self, peer_id: PeerId) -> Peer | None:
        return self._peers.get(peer_id)

    def meet(self, peer_id: PeerId, now: float) -> Peer:
        """Return the peer of this id, known or new, and note that it was heard of."""
        # moved to the end, so that the first ones are those unheard of for longest
        peer = self._peers.pop(peer_id, None)
        if peer is None:
            peer = Peer(peer_id)
            self._make_room()
        peer.last_seen = now
        self._peers[peer_id] = peer
        self._unlisted.pop(peer_id, None)
        if not peer.addresses:
            self._unlisted[peer_id] = peer
        return peer

    def forget_absent(self, before: float) -> None:
        """Forget peers without a link that nobody has heard of since that time, in seconds."""
        for peer in list(self._peers.values()):
            if not peer.links and peer.last_seen < before:
                self._forget(peer)

    def connected(self, namespace: str | None = None) -> list[Peer]:
        """Return the peers with a live link, of one namespace if that is given."""
        return [
            peer
            for peer in self._peers.values()
            if peer.links and (namespace is None or namespace_of(peer.peer_id) == namespace)
        ]

    def _make_room(self) -> None:
        """Forget whoever is too much if there is one peer more.

        A discovery shows thousands, so nothing here looks at all peers.
        """
        self._forget_stranger()
        if len(self._peers) < self._limit:
            return
        absent = (peer for peer in self._peers.values() if not peer.links)
        first = next(absent, None)
        if first is not None:
            self._forget(first)

    def _forget_stranger(self) -> None:
        """Forget the stranger unheard of for longest if there are too many."""
        while self._unlisted:
            peer_id, newest = self._unlisted.popitem()
            if not newest.addresses:
                self._unlisted[peer_id] = newest
                break
        if len(self._unlisted) < MAX_STRANGERS:
            return
        # an address that was learned stays, so who has one is no stranger any more
        for peer in [peer for peer in self._unlisted.values() if peer.addresses]:
            del self._unlisted[peer.peer_id]
        strangers = [peer for peer in self._unlisted.values() if not peer.links]
        if len(strangers) >= MAX_STRANGERS:
            self._forget(strangers[0])

    def _forget(self, peer: Peer) -> None:
        del self._peers[peer.peer_id]
        self._unlisted.pop(peer.peer_id, None)


def arbitrate(me: PeerId, old: Iterable[Link], new: Link) -> tuple[Verdict, Link | None]:
    """Judge a new link to a peer by the links to it that we have; see the table above.

    Returns the verdict and the old link that it is about, None if it is about none.
    """
    assert new.peer is not None
    others = list(old)
    same = next((link for link in others if link.role is new.role), None)
    if same is not None:
        return Verdict.PROBE_OLD, same
    if not others or not (new.modern or any(link.modern for link in others)):
        return Verdict.KEEP_BOTH, None
    if not (new.modern and all(link.modern for link in others)):
        # one program is not of two kinds: one of the two is somebody else
        return Verdict.PROBE_OLD, others[0]
    dialler = me if new.role is Role.DIALLER else new.peer
    if dialler == min(me, new.peer):
        return Verdict.REPLACE_OLD, others[0]
    return Verdict.PROBE_OLD, others[0]

"""What front ends are shown of peers and links."""

from collections.abc import Callable, Iterable

from p2pchat.api import LinkInfo, PeerInfo
from p2pchat.chat.link import Link
from p2pchat.chat.peers import Peer
from p2pchat.identity import PeerId


def peer_infos(
    peers: Iterable[Peer], is_dialling: Callable[[PeerId], bool], now: float
) -> list[PeerInfo]:
    """Describe every peer, connected ones first, then by id."""
    infos = [_peer_info(peer, is_dialling(peer.peer_id), now) for peer in peers]
    return sorted(infos, key=lambda info: (info.state != "connected", info.peer_id))


def link_infos(peers: Iterable[Peer], now: float) -> list[LinkInfo]:
    """Describe every link."""
    return [_link_info(peer, link, now) for peer in peers for link in peer.links]


def _peer_info(peer: Peer, dialling: bool, now: float) -> PeerInfo:
    link = peer.writing_link()
    return PeerInfo(
        peer_id=peer.peer_id,
        state=peer.state(dialling),
        addresses=[str(address) for address in peer.addresses],
        modern=peer.modern,
        last_seen=now - peer.last_seen,
        rtt=peer.rtt.info(),
        address=str(link.address) if link is not None else None,
    )


def _link_info(peer: Peer, link: Link, now: float) -> LinkInfo:
    since = link.established_at
    return LinkInfo(
        peer_id=peer.peer_id,
        direction=link.role.value,
        address=str(link.address),
        modern=link.modern,
        agent=link.agent,
        age=now - since if since is not None else 0.0,
        queued=link.queued,
    )

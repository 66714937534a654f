"""The live links to peers of the archive, by the address that is who a peer is (3.1)."""

from collections import Counter
from collections.abc import Iterable, Iterator, Set

from p2pchat.archive.addresses import is_plausible
from p2pchat.archive.link import Link
from p2pchat.identity import is_ip_literal, is_loopback


class Links:
    """Who is pushed to, who is listed, and who has to make room.

    `max_peers` bounds the accepted links. When there is no more room, the one goes that has been
    silent for longest, if it never spoke within `patience` seconds. Else the address with the most
    of them gives one up, of several such the one that just came: so whoever opens many takes nobody
    else's place, and whoever comes late takes it only from those.
    """

    def __init__(self, max_peers: int, patience: float) -> None:
        self._max_peers = max_peers
        self._patience = patience
        self._by_host: dict[str, dict[Link, None]] = {}
        self._accepted: Counter[str] = Counter()
        self._silent: dict[Link, float] = {}  # accepted ones and since when, the oldest first
        self._local: Counter[str] = Counter()
        # what sent chats that were verified; the one for which that is longest ago comes first
        self._arriving: dict[Link, None] = {}
        # by whether the asker is on loopback and how many addresses are our own
        self._listings: dict[tuple[bool, int], list[str]] = {}

    def __iter__(self) -> Iterator[Link]:
        for links in list(self._by_host.values()):
            yield from list(links)

    def __contains__(self, link: Link) -> bool:
        return link in self._by_host.get(link.host, ())

    @property
    def hosts(self) -> list[str]:
        """The addresses that we have a link to."""
        return list(self._by_host)

    @property
    def peers(self) -> list[str]:
        """The addresses of those that spoke, or that we dialled."""
        return [host for host, links in self._by_host.items() if _any_known(links)]

    @property
    def local_hosts(self) -> Set[str]:
        """Our own addresses, as far as links show them."""
        return self._local.keys()

    def of(self, host: str) -> list[Link]:
        """Return all links to an address."""
        return list(self._by_host.get(host, ()))

    def has_dialled(self, host: str) -> bool:
        """Tell whether we have dialled this address and are connected."""
        return any(link.dialled for link in self._by_host.get(host, ()))

    def targets(self) -> list[Link]:
        """Return the links to push over: to each address the one that we dialled, else all."""
        targets: list[Link] = []
        for links in self._by_host.values():
            targets += [link for link in links if link.dialled] or links
        return targets

    def is_target(self, link: Link) -> bool:
        """Tell whether pushes to this peer go over this link."""
        return link.dialled or not self.has_dialled(link.host)

    def add(self, link: Link, now: float) -> Link | None:
        """Note a new link; return the one that must go for it, if any, which may be itself."""
        self._by_host.setdefault(link.host, {})[link] = None
        self._local[link.local.host] += 1
        self._listings.clear()
        if link.dialled:
            return None
        self._accepted[link.host] += 1
        self._silent[link] = now
        if self._accepted.total() <= self._max_peers:
            return None
        return self._mute(now) or self._of_crowd(link)

    def heard(self, link: Link) -> None:
        """Note that a link is not silent: a message of it has begun."""
        self._silent.pop(link, None)

    def spoken(self, link: Link) -> None:
        """Note that a whole message of a link came: from now on it is listed."""
        self.heard(link)
        self._listings.clear()

    def _mute(self, now: float) -> Link | None:
        """Return the accepted link that has been silent for longest, if that is too long."""
        link, since = next(iter(self._silent.items()))
        return link if now >= since + self._patience else None

    def _of_crowd(self, link: Link) -> Link:
        """Return the newest link of the address with the most."""
        crowd = max(self._accepted, key=lambda host: (self._accepted[host], host == link.host))
        return next(other for other in reversed(self.of(crowd)) if not other.dialled)

    def remove(self, link: Link) -> None:
        """Forget a link."""
        links = self._by_host.get(link.host, {})
        if link not in links:
            return
        del links[link]
        if not links:
            del self._by_host[link.host]
        _uncount(self._local, link.local.host)
        if not link.dialled:
            _uncount(self._accepted, link.host)
        self._silent.pop(link, None)
        self._arriving.pop(link, None)
        self._listings.clear()

    def progressed(self, link: Link) -> None:
        """Note that chats of a link were verified."""
        if link in self:
            self._arriving.pop(link, None)
            self._arriving[link] = None

    def too_much(self, limit: int) -> Link | None:
        """Return the link that must go if more than `limit` bytes are held of what arrives.

        Strangers go first: who was not dialled and has sent nothing valid. Of those it is the one
        that made no progress for longest, so that a long archive is not lost to many stalled ones.
        """
        if sum(link.kept for link in self) <= limit:
            return None
        holding = [link for link in self._arriving if link.kept]
        return min(holding, key=lambda link: link.dialled or link.proven, default=None)

    def too_outdated(self, ours: bytearray, limit: int) -> Link | None:
        """Return the link that must go if others than our archive are held with more than `limit`
        bytes, as links are in the middle of them.

        Strangers go first, as above; of those the one that came first.
        """
        old = {id(source): len(source) for link in self for source in _others(link, ours)}
        if sum(old.values()) <= limit:
            return None
        holding = [link for link in self if _others(link, ours)]
        return min(holding, key=lambda link: link.dialled or link.proven)

    def listing_for(self, asker: Link, own: set[str]) -> list[str]:
        """Return whom to list to a peer: live links, never itself nor us (3.3)."""
        key = is_loopback(asker.host), len(own)  # which only grows
        listing = self._listings.get(key)
        if listing is None:
            listing = self._listings[key] = self._listing(own, on_loopback=key[0])
        return [host for host in listing if host != asker.host]

    def twin(self, link: Link) -> Link | None:
        """Return the link of ours that is the other end of this one: then we met ourselves."""
        ends = (link.remote, link.local)
        return next((other for other in self if (other.local, other.remote) == ends), None)

    def _listing(self, own: set[str], *, on_loopback: bool) -> list[str]:
        return [
            host
            for host in self.peers
            if host not in own
            and host not in self._local
            and _is_ipv4(host)
            and is_plausible(host, on_loopback=on_loopback)
        ]


def _any_known(links: Iterable[Link]) -> bool:
    return any(link.spoke or link.dialled for link in links)


def _others(link: Link, ours: bytearray) -> list[bytearray]:
    return [source for source in link.sources if source is not ours]


def _uncount(counter: Counter[str], host: str) -> None:
    counter[host] -= 1
    if not counter[host]:
        del counter[host]


def _is_ipv4(host: str) -> bool:
    return is_ip_literal(host) and ":" not in host

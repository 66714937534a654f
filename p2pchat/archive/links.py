"""The live links to peers of the archive, by the address that is who a peer is (3.1)."""

from collections.abc import Iterator

from p2pchat.archive.addresses import is_plausible
from p2pchat.archive.link import Link
from p2pchat.identity import is_ip_literal, is_loopback


class Links:
    """Who is pushed to, who is listed, and who has to make room.

    `max_peers` bounds the accepted links. When there is no more room, the address with the most of
    them gives one up, of several such the one that just came: so whoever opens many takes nobody
    else's place, and whoever comes late takes it only from those.
    """

    def __init__(self, max_peers: int) -> None:
        self._max_peers = max_peers
        self._by_host: dict[str, dict[Link, None]] = {}
        self._accepted: dict[str, int] = {}

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
    def local_hosts(self) -> set[str]:
        """Our own addresses, as far as links show them."""
        return {link.local.host for link in self}

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

    def add(self, link: Link) -> Link | None:
        """Note a new link; return the one that must go for it, if any, which may be itself."""
        self._by_host.setdefault(link.host, {})[link] = None
        if link.dialled:
            return None
        self._accepted[link.host] = self._accepted.get(link.host, 0) + 1
        if sum(self._accepted.values()) <= self._max_peers:
            return None
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
        if not link.dialled:
            self._accepted[link.host] -= 1
            if not self._accepted[link.host]:
                del self._accepted[link.host]

    def listing_for(self, asker: Link, own: set[str]) -> list[str]:
        """Return whom to list to a peer: live links, never itself nor us (3.3)."""
        on_loopback = is_loopback(asker.host)
        own = own | self.local_hosts
        return [
            host
            for host, links in self._by_host.items()
            if host != asker.host
            and host not in own
            and _is_ipv4(host)
            and is_plausible(host, on_loopback=on_loopback)
            and any(link.spoke or link.dialled for link in links)
        ]

    def twin(self, link: Link) -> Link | None:
        """Return the link of ours that is the other end of this one: then we met ourselves."""
        ends = (link.remote, link.local)
        return next((other for other in self if (other.local, other.remote) == ends), None)


def _is_ipv4(host: str) -> bool:
    return is_ip_literal(host) and ":" not in host

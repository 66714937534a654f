"""Accepting links, within bounds: how many in all, from one address, and still without a HELLO."""

from collections.abc import Callable

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ServerFactory
from twisted.logger import Logger

from p2pchat.chat.protocol import ChatProtocol
from p2pchat.identity import Address


class Admission:
    """Who may come in (no IO).

    `max_links` and `max_links_per_ip` bound all accepted connections; `max_handshakes_per_ip` those
    that have not said who they are. A silent one makes room for a new one of its address, the
    oldest first. So a crowd of silent connections keeps out nobody who speaks, not even from its
    own address.
    """

    def __init__(self, max_links: int, max_links_per_ip: int, max_handshakes_per_ip: int) -> None:
        self._max_links = max_links
        self._max_links_per_ip = max_links_per_ip
        self._max_handshakes_per_ip = max_handshakes_per_ip
        self._by_ip: dict[str, dict[ChatProtocol, None]] = {}
        self._silent: dict[str, dict[ChatProtocol, None]] = {}
        self._count = 0

    @property
    def silent(self) -> int:
        """Count the connections that have not said HELLO."""
        return sum(map(len, self._silent.values()))

    def is_dialling(self, ip: str) -> bool:
        """Tell whether somebody at this address has connected and not said who they are."""
        return ip in self._silent

    def admits(self, ip: str) -> bool:
        """Tell whether a connection from ip may come in."""
        return self._has_room(ip) or ip in self._silent

    def enter(self, link: ChatProtocol) -> ChatProtocol | None:
        """Note a new connection; return the one that must go for it, if any; it counts no more."""
        ip = link.address.host
        silent = self._silent.get(ip, {})
        evicted = None
        if silent and (len(silent) >= self._max_handshakes_per_ip or not self._has_room(ip)):
            evicted = next(iter(silent))
            self.left(evicted)
        self._by_ip.setdefault(ip, {})[link] = None
        self._silent.setdefault(ip, {})[link] = None
        self._count += 1
        return evicted

    def spoke(self, link: ChatProtocol) -> None:
        """Note that a connection said HELLO."""
        _discard(self._silent, link)

    def left(self, link: ChatProtocol) -> None:
        """Note that a connection is gone."""
        _discard(self._silent, link)
        if _discard(self._by_ip, link):
            self._count -= 1

    def _has_room(self, ip: str) -> bool:
        links_of_ip = len(self._by_ip.get(ip, ()))
        return links_of_ip < self._max_links_per_ip and self._count < self._max_links


def _discard(groups: dict[str, dict[ChatProtocol, None]], link: ChatProtocol) -> bool:
    """Take a link out of its address's group; tell whether it was in it."""
    group = groups.get(link.address.host)
    if group is None or link not in group:
        return False
    del group[link]
    if not group:
        del groups[link.address.host]
    return True


class ChatServerFactory(ServerFactory):
    """Makes a link of each connection that Admission lets in; the others are closed at once."""

    noisy = False
    log = Logger()

    def __init__(self, admission: Admission, build: Callable[[Address], ChatProtocol]) -> None:
        self._admission = admission
        self._build = build
        self._full = False

    def buildProtocol(self, addr: IAddress | None) -> ChatProtocol | None:
        address = Address(getattr(addr, "host", "?"), getattr(addr, "port", 0))
        if not self._admission.admits(address.host):
            self._say_full(address)
            return None
        self._full = False
        link = self._build(address)
        evicted = self._admission.enter(link)
        if evicted is not None:
            evicted.drop("too many connections from this address that say nothing")
        return link

    def _say_full(self, address: Address) -> None:
        """Log the first refusal of a run of them: a flood must not flood the log."""
        if not self._full:
            self.log.warn("[PeerServer] Too many links: {address} refused", address=address)
        self._full = True

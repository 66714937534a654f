"""What several rendezvous servers say, joined so that none can hide what another says (no IO).

A server that is down, slow or lying harms nothing that another one provides:

- A peer has the addresses that any of the servers gives it: first the newest one of each server,
  then the second ones, the one registered last first. So a server can give a peer wrong addresses
  more, but cannot push aside what others say.
- A server gives each peer MAX_ADDRESSES addresses at the most, those registered last, and all
  servers get the same room: none can fill the table of peers with inventions. Of a list that is
  longer than that each part has its turn, our own namespace before others.
- Of each server only the last address counts by which it says that it sees us.
"""

from collections.abc import Callable, Sequence
from operator import attrgetter
from random import Random
from typing import NamedTuple, Protocol

from p2pchat.events import Level
from p2pchat.identity import Address, PeerId, namespace_of
from p2pchat.rendezvous.listener import Found

#: Addresses of one peer that are taken from one server.
MAX_ADDRESSES = 2


class DirectoryListener(Protocol):
    """Hears of all servers together; called from the reactor, and must not block."""

    def discovered(self, peers: Sequence[tuple[PeerId, Address]]) -> None:
        """A server listed these peers; of each peer every address known, the best one first."""

    def public_ips(self, ips: Sequence[str]) -> None:
        """The servers see us at these addresses."""

    def notice(self, level: Level, text: str) -> None:
        """Something the user ought to know."""


class _Entry(NamedTuple):
    address: Address
    registered_at: float
    expires_at: float


class Directory:
    """Joins what the servers say of peers, at most `limit` of them in all; `me` is ourselves."""

    def __init__(
        self,
        seconds: Callable[[], float],
        rng: Random,
        me: PeerId,
        limit: int,
        listener: DirectoryListener,
    ) -> None:
        self._seconds = seconds
        self._rng = rng
        self._me = me
        self._limit = limit
        self._listener = listener
        self._sources: list[Source] = []

    def source(self) -> "Source":
        """Return who listens to one more server."""
        source = Source(self)
        self._sources.append(source)
        return source

    def discovered(self, source: "Source", found: Sequence[Found]) -> None:
        """Take the new list of one server in place of its old one."""
        now = self._seconds()
        source.entries = self._entries(found, now)
        joined = (
            (peer, entry.address) for peer in source.entries for entry in self._joined(peer, now)
        )
        self._listener.discovered(list(dict.fromkeys(joined)))

    def seen_from(self) -> None:
        """Tell under which addresses the servers see us."""
        ips = [source.ip for source in self._sources if source.ip is not None]
        self._listener.public_ips(list(dict.fromkeys(ips)))

    def notice(self, level: Level, text: str) -> None:
        """Pass on what the user ought to know."""
        self._listener.notice(level, text)

    def _entries(self, found: Sequence[Found], now: float) -> dict[PeerId, list[_Entry]]:
        """Sort one server's list by peer; beyond its share those of other groups than ours go.

        Who else does not fit in is drawn anew for each list, so that everybody has a turn.
        """
        ours = namespace_of(self._me)
        entries: dict[PeerId, list[_Entry]] = {}
        room = self._limit // len(self._sources)
        chances = {one.peer_id: self._rng.random() for one in found}
        rank = {peer: (namespace_of(peer) != ours, chance) for peer, chance in chances.items()}
        for peer in sorted(found, key=lambda one: rank[one.peer_id]):
            if peer.peer_id in entries or len(entries) < room:
                entry = _Entry(peer.address, now - peer.age, now + peer.expires_in)
                entries.setdefault(peer.peer_id, []).append(entry)
        for several in entries.values():
            several.sort(key=attrgetter("registered_at"), reverse=True)
            del several[MAX_ADDRESSES:]
        return entries

    def _joined(self, peer: PeerId, now: float) -> list[_Entry]:
        """Return what all servers say of a peer and is not over, each one's newest first."""
        entries = [
            (rank, -entry.registered_at, entry)
            for source in self._sources
            for rank, entry in enumerate(source.entries.get(peer, ()))
            if entry.expires_at >= now
        ]
        return [entry for _, _, entry in sorted(entries)]


class Source:
    """Listens to one server: `entries` is its last list, `ip` where it sees us."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self.entries: dict[PeerId, list[_Entry]] = {}
        self.ip: str | None = None

    def discovered(self, found: Sequence[Found]) -> None:
        self._directory.discovered(self, found)

    def public_ip(self, ip: str) -> None:
        self.ip = ip
        self._directory.seen_from()

    def notice(self, level: Level, text: str) -> None:
        self._directory.notice(level, text)

"""Who is registered: the interface that a server asks, and a registry in memory."""

from collections.abc import Callable, Iterator, Mapping
from heapq import heapify, heappop, heappush
from itertools import chain
from math import ceil, inf
from typing import Protocol, TypeAlias

from p2pchat.errors import P2PChatError
from p2pchat.rendezvous.lines import Lines
from p2pchat.rendezvous.listing import Listing, Rows
from p2pchat.rendezvous.messages import Register
from p2pchat.rendezvous.roll import Key, Roll, RollCall, Term, shared_key


class RegistryFullError(P2PChatError):
    """There is no room for another registration, in all or from this IP."""


class RegistryUnavailableError(P2PChatError):
    """Where the registrations are kept cannot be reached now; trying again later may help."""


class Registry(Protocol):
    """Registrations by (IP, namespace, name), each gone when its ttl is over.

    The methods are coroutines, because a registry that other servers share is asked over a network;
    each may raise RegistryUnavailableError, within a bounded time. `at_once`: once it is open, they
    wait for nothing.
    """

    at_once: bool

    async def open(self) -> None:
        """Begin, with what was registered before if it is kept; the first thing to call."""

    async def close(self) -> None:
        """Keep what is to be kept, and end; never fails."""

    async def register(self, ip: str, registration: Register) -> None:
        """Add a registration, or replace its port, ttl and time; RegistryFullError if no room."""

    async def knows(self, ip: str) -> bool:
        """Tell whether anything is registered from this IP."""

    async def find(self, namespace: str | None) -> Listing:
        """List what is registered in a namespace, or in all; the order means nothing."""

    async def unregister(self, ip: str, namespace: str, name: str | None, port: int | None) -> int:
        """Remove what was registered from ip in namespace, if name and port match where given.

        Returns how many were removed.
        """

    async def census(self) -> Mapping[str, int]:
        """Return how many are registered in each namespace that has any."""


#: Hears that a registration was made or replaced, or with None that it is gone.
Changed: TypeAlias = Callable[[Key, Term | None], None]


def _unheard(key: Key, term: Term | None) -> None:
    """Nobody wants to know."""


# What the heap may hold beyond twice the registrations before it is built anew.
_HEAP_SLACK = 1024

# Bytes of answers that are kept for who asks next: those of 120,000 peers.
_MAX_LINES = 16 * 1024 * 1024


class MemoryRegistry:
    """A registry that is gone with the process.

    `seconds` tells the time. At most `max_entries` are kept, and `max_per_ip` of one IP, which may
    be that of a whole building. Lookups cost what they return; expiry costs what expires. `changed`
    hears of every change at once, and must not raise.
    """

    at_once = True

    def __init__(
        self,
        seconds: Callable[[], float],
        *,
        max_entries: int = 10_000,
        max_per_ip: int = 1_000,
        changed: Changed = _unheard,
    ) -> None:
        self._seconds = seconds
        self._max_entries = max_entries
        self._max_per_ip = max_per_ip
        self._changed = changed
        self._rolls: dict[str, Roll] = {}
        self._by_ip: dict[str, set[Key]] = {}
        self._lines = Lines(_MAX_LINES)
        self._size = 0
        # When the last one was registered.
        self._latest = -inf
        # For each registration an item that is due when it expires or before; it is put off then.
        self._expiries: list[tuple[float, Key]] = []

    async def open(self) -> None:
        """Nothing was kept."""

    async def close(self) -> None:
        """Nothing is kept."""

    async def register(self, ip: str, registration: Register) -> None:
        now = self._drop_expired()
        key = Key(ip, registration.namespace, registration.name)
        term = Term(registration.port, registration.ttl, now + registration.ttl)
        self._put(key, term)
        self._changed(key, term)

    def restore(self, key: Key, term: Term) -> None:
        """Put in what was registered in an earlier life, unseen by `changed`; RegistryFullError."""
        self._put(key, term)

    def snapshot(self) -> dict[Key, Term]:
        """Return all that is registered."""
        self._drop_expired()
        return dict(self._everything())

    async def knows(self, ip: str) -> bool:
        self._drop_expired()
        return ip in self._by_ip

    async def find(self, namespace: str | None) -> Listing:
        # A clock that is set back must not make anything last longer than it was registered for.
        second = ceil(max(self._drop_expired(), self._latest))
        self._lines.begin(second)
        if namespace is None:
            return RollCall(list(self._rolls.values()), second, self._lines, None)
        roll = self._rolls.get(namespace)
        return Rows(()) if roll is None else RollCall([roll], second, self._lines, namespace)

    async def unregister(self, ip: str, namespace: str, name: str | None, port: int | None) -> int:
        self._drop_expired()
        keys = self._by_ip.get(ip, ()) if name is None else (Key(ip, namespace, name),)
        gone = [key for key in keys if self._matches(key, namespace, port)]
        for key in gone:
            self._remove(key)
        return len(gone)

    async def census(self) -> Mapping[str, int]:
        self._drop_expired()
        return {namespace: len(roll.terms) for namespace, roll in self._rolls.items()}

    def _everything(self) -> Iterator[tuple[Key, Term]]:
        return chain.from_iterable(roll.terms.items() for roll in self._rolls.values())

    def _term(self, key: Key) -> Term | None:
        roll = self._rolls.get(key.namespace)
        return None if roll is None else roll.terms.get(key)

    def _matches(self, key: Key, namespace: str, port: int | None) -> bool:
        term = self._term(key)
        return term is not None and key.namespace == namespace and port in (None, term.port)

    def _put(self, key: Key, term: Term) -> None:
        old = self._term(key)
        if old is None:
            key = shared_key(*key)
            self._add(key, term)
        else:
            self._rolls[key.namespace].replace(key, old, term)
        self._lines.drop(key.namespace)
        self._latest = max(self._latest, term.expires_at - term.ttl)
        if old is None or term.expires_at < old.expires_at:
            self._expect(key, term)

    def _add(self, key: Key, term: Term) -> None:
        of_ip = self._by_ip.get(key.ip, ())
        if self._size >= self._max_entries or len(of_ip) >= self._max_per_ip:
            raise RegistryFullError("there is no room for another registration")
        self._by_ip.setdefault(key.ip, set()).add(key)
        self._rolls.setdefault(key.namespace, Roll()).add(key, term)
        self._size += 1

    def _expect(self, key: Key, term: Term) -> None:
        heappush(self._expiries, (term.expires_at, key))
        # One who comes and goes again and again must not make the heap grow without end.
        if len(self._expiries) > 2 * self._size + _HEAP_SLACK:
            self._expiries = [(term.expires_at, key) for key, term in self._everything()]
            heapify(self._expiries)

    def _drop_expired(self) -> float:
        now = self._seconds()
        while self._expiries and self._expiries[0][0] <= now:
            _, key = heappop(self._expiries)
            term = self._term(key)
            if term is None:
                continue
            if term.expires_at <= now:
                self._remove(key)
            else:
                self._expect(key, term)
        return now

    def _remove(self, key: Key) -> None:
        self._size -= 1
        roll, of_ip = self._rolls[key.namespace], self._by_ip[key.ip]
        roll.remove(key)
        self._lines.drop(key.namespace)
        of_ip.remove(key)
        # neither namespaces nor IPs without registrations take room
        if not roll.terms:
            del self._rolls[key.namespace]
        if not of_ip:
            del self._by_ip[key.ip]
        self._changed(key, None)

"""Who is registered: the interface that a server asks, and a registry in memory."""

from collections.abc import Callable, Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import NamedTuple, Protocol, TypeAlias

from p2pchat.errors import P2PChatError
from p2pchat.rendezvous.messages import Register
from p2pchat.rendezvous.replies import Listed


class RegistryFullError(P2PChatError):
    """There is no room for another registration, in all or from this IP."""


class RegistryUnavailableError(P2PChatError):
    """Where the registrations are kept cannot be reached now; trying again later may help."""


class Registry(Protocol):
    """Registrations by (IP, namespace, name), each gone when its ttl is over.

    The methods are coroutines, because a registry that other servers share is asked over a network;
    each may raise RegistryUnavailableError, within a bounded time.
    """

    async def open(self) -> None:
        """Begin, with what was registered before if it is kept; the first thing to call."""

    async def close(self) -> None:
        """Keep what is to be kept, and end; never fails."""

    async def register(self, ip: str, registration: Register) -> None:
        """Add a registration, or replace its port, ttl and time; RegistryFullError if no room."""

    async def knows(self, ip: str) -> bool:
        """Tell whether anything is registered from this IP."""

    async def find(self, namespace: str | None) -> Sequence[Listed]:
        """List what is registered in a namespace, or in all, with the seconds each has left."""

    async def unregister(self, ip: str, namespace: str, name: str | None, port: int | None) -> int:
        """Remove what was registered from ip in namespace, if name and port match where given.

        Returns how many were removed.
        """

    async def census(self) -> Mapping[str, int]:
        """Return how many are registered in each namespace that has any."""


class Key(NamedTuple):
    """What tells registrations apart."""

    ip: str
    namespace: str
    name: str


class Term(NamedTuple):
    """What registering again replaces; `expires_at` by the clock of whoever keeps it."""

    port: int
    ttl: int
    expires_at: float


#: Hears that a registration was made or replaced, or with None that it is gone.
Changed: TypeAlias = Callable[[Key, Term | None], None]


def _unheard(key: Key, term: Term | None) -> None:
    """Nobody wants to know."""


# What the heap may hold beyond twice the registrations before it is built anew.
_HEAP_SLACK = 1024


class MemoryRegistry:
    """A registry that is gone with the process.

    `seconds` tells the time. At most `max_entries` are kept, and `max_per_ip` of one IP, which may
    be that of a whole building. Lookups cost what they return; expiry costs what expires. `changed`
    hears of every change at once, and must not raise.
    """

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
        self._terms: dict[Key, Term] = {}
        self._by_ip = _Index()
        self._by_namespace = _Index()
        # One item for each registration made; those replaced since are passed over.
        self._expiries: list[tuple[float, Key]] = []

    async def open(self) -> None:
        """Nothing was kept."""

    async def close(self) -> None:
        """Nothing is kept."""

    async def register(self, ip: str, registration: Register) -> None:
        now = self._drop_expired()
        key = Key(ip, registration.namespace, registration.name)
        self._check_room(key)
        term = Term(registration.port, registration.ttl, now + registration.ttl)
        self._put(key, term)
        self._changed(key, term)

    def restore(self, key: Key, term: Term) -> None:
        """Put in what was registered in an earlier life, unseen by `changed`; RegistryFullError."""
        self._check_room(key)
        self._put(key, term)

    def snapshot(self) -> dict[Key, Term]:
        """Return all that is registered."""
        self._drop_expired()
        return dict(self._terms)

    async def knows(self, ip: str) -> bool:
        self._drop_expired()
        return bool(self._by_ip.get(ip))

    async def find(self, namespace: str | None) -> Sequence[Listed]:
        now = self._drop_expired()
        keys = self._terms if namespace is None else self._by_namespace.get(namespace)
        return [_listed(key, self._terms[key], now) for key in keys]

    async def unregister(self, ip: str, namespace: str, name: str | None, port: int | None) -> int:
        self._drop_expired()
        keys = self._by_ip.get(ip) if name is None else (Key(ip, namespace, name),)
        gone = [key for key in keys if self._matches(key, namespace, port)]
        for key in gone:
            self._remove(key)
        return len(gone)

    async def census(self) -> Mapping[str, int]:
        self._drop_expired()
        return self._by_namespace.sizes()

    def _matches(self, key: Key, namespace: str, port: int | None) -> bool:
        term = self._terms.get(key)
        return term is not None and key.namespace == namespace and port in (None, term.port)

    def _check_room(self, key: Key) -> None:
        if key in self._terms:
            return
        of_ip = len(self._by_ip.get(key.ip))
        if len(self._terms) >= self._max_entries or of_ip >= self._max_per_ip:
            raise RegistryFullError("there is no room for another registration")

    def _put(self, key: Key, term: Term) -> None:
        if key not in self._terms:
            self._by_ip.add(key.ip, key)
            self._by_namespace.add(key.namespace, key)
        self._terms[key] = term
        self._expect(key, term)

    def _expect(self, key: Key, term: Term) -> None:
        heappush(self._expiries, (term.expires_at, key))
        # One who registers again and again must not make the heap grow without end.
        if len(self._expiries) > 2 * len(self._terms) + _HEAP_SLACK:
            self._expiries = [(term.expires_at, key) for key, term in self._terms.items()]
            heapify(self._expiries)

    def _drop_expired(self) -> float:
        now = self._seconds()
        while self._expiries and self._expiries[0][0] <= now:
            _, key = heappop(self._expiries)
            term = self._terms.get(key)
            if term is not None and term.expires_at <= now:
                self._remove(key)
        return now

    def _remove(self, key: Key) -> None:
        del self._terms[key]
        self._by_ip.discard(key.ip, key)
        self._by_namespace.discard(key.namespace, key)
        self._changed(key, None)


class _Index:
    """Keys by one of their parts, in the order they came; parts without keys take no room."""

    def __init__(self) -> None:
        self._keys: dict[str, dict[Key, None]] = {}

    def get(self, part: str) -> dict[Key, None]:
        return self._keys.get(part, {})

    def sizes(self) -> dict[str, int]:
        return {part: len(keys) for part, keys in self._keys.items()}

    def add(self, part: str, key: Key) -> None:
        self._keys.setdefault(part, {})[key] = None

    def discard(self, part: str, key: Key) -> None:
        keys = self._keys[part]
        del keys[key]
        if not keys:
            del self._keys[part]


def _listed(key: Key, term: Term, now: float) -> Listed:
    # A clock that is set back must not make anything last longer than it was registered for.
    left = min(int(term.expires_at - now), term.ttl)
    return Listed(key.ip, term.port, key.name, key.namespace, term.ttl, left)

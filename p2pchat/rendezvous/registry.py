"""Who is registered: the interface that a server asks, and a registry in memory."""

from collections.abc import Callable, Sequence
from heapq import heapify, heappop, heappush
from typing import NamedTuple, Protocol

from p2pchat.errors import P2PChatError
from p2pchat.rendezvous.messages import Register
from p2pchat.rendezvous.replies import Listed


class RegistryFullError(P2PChatError):
    """There is no room for another registration, in all or from this IP."""


class Registry(Protocol):
    """Registrations by (IP, namespace, name), each gone when its ttl is over.

    The methods are coroutines, because a registry that other servers share is asked over a network.
    """

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


class _Key(NamedTuple):
    ip: str
    namespace: str
    name: str


class _Term(NamedTuple):
    port: int
    ttl: int
    expires_at: float


# What the heap may hold beyond twice the registrations before it is built anew.
_HEAP_SLACK = 1024


class MemoryRegistry:
    """A registry that is gone with the process.

    `seconds` tells the time. At most `max_entries` are kept, and `max_per_ip` of one IP, which may
    be that of a whole building. Lookups cost what they return; expiry costs what expires.
    """

    def __init__(
        self,
        seconds: Callable[[], float],
        *,
        max_entries: int = 10_000,
        max_per_ip: int = 1_000,
    ) -> None:
        self._seconds = seconds
        self._max_entries = max_entries
        self._max_per_ip = max_per_ip
        self._terms: dict[_Key, _Term] = {}
        self._by_ip = _Index()
        self._by_namespace = _Index()
        # One item for each registration made; those replaced since are passed over.
        self._expiries: list[tuple[float, _Key]] = []

    async def register(self, ip: str, registration: Register) -> None:
        now = self._drop_expired()
        key = _Key(ip, registration.namespace, registration.name)
        if key not in self._terms:
            self._check_room(ip)
            self._by_ip.add(ip, key)
            self._by_namespace.add(key.namespace, key)
        term = _Term(registration.port, registration.ttl, now + registration.ttl)
        self._terms[key] = term
        self._expect(key, term)

    async def knows(self, ip: str) -> bool:
        self._drop_expired()
        return bool(self._by_ip.get(ip))

    async def find(self, namespace: str | None) -> Sequence[Listed]:
        now = self._drop_expired()
        keys = self._terms if namespace is None else self._by_namespace.get(namespace)
        return [_listed(key, self._terms[key], now) for key in keys]

    async def unregister(self, ip: str, namespace: str, name: str | None, port: int | None) -> int:
        self._drop_expired()
        keys = self._by_ip.get(ip) if name is None else (_Key(ip, namespace, name),)
        gone = [key for key in keys if self._matches(key, namespace, port)]
        for key in gone:
            self._remove(key)
        return len(gone)

    def _matches(self, key: _Key, namespace: str, port: int | None) -> bool:
        term = self._terms.get(key)
        return term is not None and key.namespace == namespace and port in (None, term.port)

    def _check_room(self, ip: str) -> None:
        if len(self._terms) >= self._max_entries or len(self._by_ip.get(ip)) >= self._max_per_ip:
            raise RegistryFullError("there is no room for another registration")

    def _expect(self, key: _Key, term: _Term) -> None:
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

    def _remove(self, key: _Key) -> None:
        del self._terms[key]
        self._by_ip.discard(key.ip, key)
        self._by_namespace.discard(key.namespace, key)


class _Index:
    """Keys by one of their parts, in the order they came; parts without keys take no room."""

    def __init__(self) -> None:
        self._keys: dict[str, dict[_Key, None]] = {}

    def get(self, part: str) -> dict[_Key, None]:
        return self._keys.get(part, {})

    def add(self, part: str, key: _Key) -> None:
        self._keys.setdefault(part, {})[key] = None

    def discard(self, part: str, key: _Key) -> None:
        keys = self._keys[part]
        del keys[key]
        if not keys:
            del self._keys[part]


def _listed(key: _Key, term: _Term, now: float) -> Listed:
    # A clock that is set back must not make anything last longer than it was registered for.
    left = min(int(term.expires_at - now), term.ttl)
    return Listed(key.ip, term.port, key.name, key.namespace, term.ttl, left)

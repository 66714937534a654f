"""The registrations of one namespace, kept so that listing them is quick.

Nearly all of a listing stays the same from one DISCOVER to the next: an entry has its text from
when it is registered, and only the seconds it has left are put in when it is listed.
"""

from collections.abc import Iterable, Sequence
from math import floor
from sys import intern
from typing import NamedTuple

from p2pchat.rendezvous import replies
from p2pchat.rendezvous.listing import is_loopback
from p2pchat.rendezvous.replies import Listed


class Key(NamedTuple):
    """What tells registrations apart."""

    ip: str
    namespace: str
    name: str


def shared_key(ip: str, namespace: str, name: str) -> Key:
    """Make a key to be kept: those with the same IP or namespace have one string of it.

    Of 100,000 registrations that saves a tenth of the memory.
    """
    return Key(intern(ip), intern(namespace), name)


class Term(NamedTuple):
    """What registering again replaces; `expires_at` by the clock of whoever keeps it."""

    port: int
    ttl: int
    expires_at: float


class Roll:
    """Registrations in the order they came; registering again does not change that.

    `terms` is for reading only.
    """

    def __init__(self) -> None:
        self.terms: dict[Key, Term] = {}
        # the same keys in the same order
        self._templates: dict[Key, bytes] = {}
        self._loopbacks = 0

    @property
    def has_loopback(self) -> bool:
        """Whether anybody registered from this machine."""
        return self._loopbacks > 0

    def put(self, key: Key, term: Term) -> None:
        """Add a registration, or replace its term."""
        old = self.terms.get(key)
        self.terms[key] = term
        if old is None:
            self._loopbacks += is_loopback(key.ip)
        elif old[:2] == term[:2]:
            return  # refreshed, as most are: its text is as it was
        self._templates[key] = replies.template(
            key.ip, term.port, key.name, key.namespace, term.ttl
        )

    def remove(self, key: Key) -> None:
        """Remove a registration, which must be there."""
        del self.terms[key]
        del self._templates[key]
        self._loopbacks -= is_loopback(key.ip)

    def left(self, now: float) -> Iterable[int]:
        """Return the seconds that each has left, in the order of `terms`.

        `now` must not be before any of them was registered.
        """
        # `floor` and no `int`: that takes three times as long, which is felt with 10,000 peers
        return map(floor, [expires_at - now for _, _, expires_at in self.terms.values()])

    def entries(self, now: float) -> bytes:
        """Write them as a listing has them, with the seconds that each has left."""
        return replies.filled(self._templates.values(), self.left(now))


class RollCall:
    """A Listing of all that is on some rolls, none of them empty, one after the other.

    `now` must not be before any of it was registered.
    """

    def __init__(self, rolls: Sequence[Roll], now: float) -> None:
        self._rolls = rolls
        self._now = now

    @property
    def has_loopback(self) -> bool:
        return any(roll.has_loopback for roll in self._rolls)

    @property
    def peers(self) -> Sequence[Listed]:
        return [
            Listed(key.ip, term.port, key.name, key.namespace, term.ttl, left)
            for roll in self._rolls
            for (key, term), left in zip(roll.terms.items(), roll.left(self._now), strict=True)
        ]

    def line(self) -> bytes:
        return replies.listing_of(roll.entries(self._now) for roll in self._rolls)

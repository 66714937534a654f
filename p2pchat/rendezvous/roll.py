"""The registrations of one namespace, kept so that listing them is quick.

Nearly all of a listing stays the same from one DISCOVER to the next: its text is kept, and only the
seconds that each has left are put in.
"""

from array import array
from collections.abc import Sequence
from itertools import repeat, starmap
from math import floor
from operator import itemgetter, sub
from sys import intern
from typing import NamedTuple

from p2pchat.rendezvous import replies
from p2pchat.rendezvous.lines import Lines
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


_expires_at = itemgetter(Term._fields.index("expires_at"))


class Roll:
    """Registrations in the order they came; registering again does not change that.

    `terms` is for reading only.
    """

    def __init__(self) -> None:
        self.terms: dict[Key, Term] = {}
        # In the same order, or None if they have to be made anew when they are asked for: the
        # entries in one template, and the seconds of the clock in which they expire. They grow as
        # peers come: to write thousands at once would make the first who asks wait.
        # Bytes are filled in faster, and an array of them is what can grow.
        self._template: bytes | bytearray | None = b""
        self._ends: array[int] | None = array("q")  # of a list each number would lie elsewhere
        self._first_end = 0  # the least of them, if there are any
        self._loopbacks = 0

    @property
    def has_loopback(self) -> bool:
        """Whether anybody registered from this machine."""
        return self._loopbacks > 0

    def add(self, key: Key, term: Term) -> None:
        """Add a registration, which must not be there."""
        self.terms[key] = term
        self._loopbacks += is_loopback(key.ip)
        if self._ends is not None:
            end = floor(term.expires_at)
            self._first_end = min(self._first_end, end) if self._ends else end
            self._ends.append(end)
        if self._template is not None:
            entry = (b", " if self._template else b"") + _template(key, term)
            if isinstance(self._template, bytes):
                self._template = bytearray(self._template)
            self._template += entry

    def replace(self, key: Key, old: Term, term: Term) -> None:
        """Replace the old term of a registration."""
        self.terms[key] = term
        self._ends = None
        if old.port != term.port or old.ttl != term.ttl:
            self._template = None  # when refreshed, as most are, its text is as it was

    def remove(self, key: Key) -> None:
        """Remove a registration, which must be there."""
        del self.terms[key]
        self._template = self._ends = None
        self._loopbacks -= is_loopback(key.ip)

    def left(self, second: int) -> tuple[int, ...]:
        """Return the seconds that each has left, in the order of `terms`.

        They are counted from the `second` of the clock at which the present one ends: they are
        the same as long as that lasts, and never more than there are. None was registered later.
        """
        if self._ends is None:
            # `floor` and no `int`: that takes three times as long, which is felt with 10,000 peers
            self._ends = array("q", map(floor, map(_expires_at, self.terms.values())))
            self._first_end = min(self._ends, default=0)
        left = tuple(map(sub, self._ends, repeat(second)))
        return left if self._first_end >= second else tuple(max(0, one) for one in left)

    def entries(self, second: int) -> bytes:
        """Write them as a listing has them, with the seconds that each has left."""
        if self._template is None:
            self._template = b", ".join(starmap(_template, self.terms.items()))
        elif not isinstance(self._template, bytes):
            self._template = bytes(self._template)
        return replies.filled(self._template, self.left(second))


def _template(key: Key, term: Term) -> bytes:
    return replies.template(key.ip, term.port, key.name, key.namespace, term.ttl)


class RollCall:
    """A Listing of all that is on some rolls, none of them empty, one after the other.

    It holds until a `second` of the clock begins; none was registered after that. Its line is the
    one that `lines` has of `namespace`, if it was written since the last second began.
    """

    def __init__(
        self, rolls: Sequence[Roll], second: int, lines: Lines, namespace: str | None
    ) -> None:
        self._rolls = rolls
        self._second = second
        self._lines = lines
        self._namespace = namespace

    @property
    def has_loopback(self) -> bool:
        return any(roll.has_loopback for roll in self._rolls)

    @property
    def peers(self) -> Sequence[Listed]:
        return [
            Listed(key.ip, term.port, key.name, key.namespace, term.ttl, left)
            for roll in self._rolls
            for (key, term), left in zip(roll.terms.items(), roll.left(self._second), strict=True)
        ]

    def line(self) -> bytes:
        line = self._lines.get(self._namespace)
        if line is None:
            line = replies.listing_of(roll.entries(self._second) for roll in self._rolls)
            self._lines.put(self._namespace, line)
        return line

"""Addresses from peer lists: gossip, not truth (docs/protocols.md, 3.3).

Each new, plausible address is dialled once. One that cannot be reached is dropped quietly, and
dialled again only if it is listed after a pause that doubles each time. Whoever lists a thousand
addresses makes nobody else's wait: lists take turns.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable

#: Addresses that wait to be dialled, of all lists together.
MAX_WAITING = 1000

#: Addresses remembered as not reached.
MAX_FAILED = 10_000

#: The first pause and the longest one after a failure, in seconds.
FIRST_PAUSE = 60.0
LONGEST_PAUSE = 3600.0


def is_plausible(address: str, *, on_loopback: bool) -> bool:
    """Tell whether a peer can have this IPv4 address.

    Not this network, not multicast nor what is above, and loopback only if we are on it ourselves.
    """
    first = int(address.partition(".")[0])
    return 0 < first < 224 and (first != 127 or on_loopback)


class AddressBook:
    """Which addresses wait to be dialled, which are our own, and which were not reached."""

    def __init__(self) -> None:
        self.own: set[str] = set()
        self._waiting: OrderedDict[str, deque[str]] = OrderedDict()  # by who listed them
        self._known: set[str] = set()
        self._failed: OrderedDict[str, tuple[float, float]] = OrderedDict()  # until when, pause

    def __len__(self) -> int:
        return len(self._known)

    def listed(self, by: str, addresses: Iterable[str], now: float, *, on_loopback: bool) -> None:
        """Note the addresses of a list that are worth a try."""
        for address in addresses:
            if len(self._known) >= MAX_WAITING:
                return
            if (
                address in self._known
                or address in self.own
                or self._failed.get(address, (0.0, 0.0))[0] > now
                or not is_plausible(address, on_loopback=on_loopback)
            ):
                continue
            self._known.add(address)
            self._waiting.setdefault(by, deque()).append(address)

    def next(self) -> str | None:
        """Return the next address to dial, each list's in turn; it waits no longer."""
        if not self._waiting:
            return None
        by, addresses = self._waiting.popitem(last=False)
        address = addresses.popleft()
        if addresses:
            self._waiting[by] = addresses
        self._known.discard(address)
        return address

    def failed(self, address: str, now: float) -> None:
        """Note that nobody was reached there."""
        _, pause = self._failed.pop(address, (0.0, FIRST_PAUSE / 2))
        pause = min(2 * pause, LONGEST_PAUSE)
        self._failed[address] = (now + pause, pause)
        if len(self._failed) > MAX_FAILED:
            self._failed.popitem(last=False)

    def reached(self, address: str) -> None:
        """Note that somebody is there."""
        self._failed.pop(address, None)

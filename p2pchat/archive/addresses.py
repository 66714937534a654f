"""Addresses from peer lists: gossip, not truth (docs/protocols.md, 3.3).

Each new, plausible address is dialled once. One that cannot be reached is dropped quietly, and
dialled again only if it is listed after a pause that doubles each time. Whoever lists a thousand
addresses makes nobody else's wait: lists take turns, and few addresses of each are taken a minute.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterable

#: Addresses that wait to be dialled, of all lists together; the longest list makes room.
MAX_WAITING = 1000

#: Addresses taken out of the lists of one peer in a minute.
MAX_TAKEN_A_MINUTE = 100

#: Addresses remembered as our own: loopback alone has millions.
MAX_OWN = 1000

#: Addresses remembered as not reached; the one whose pause was over first is forgotten.
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
        # by who listed them; one may stand in several lists, each of which has its turn
        self._waiting: OrderedDict[str, dict[str, None]] = OrderedDict()
        self._count = 0
        self._failed: dict[str, tuple[float, float]] = {}  # until when, pause
        self._taken: Counter[str] = Counter()  # by who listed them, within this minute
        self._minute = 0.0  # when it began

    def __len__(self) -> int:
        return self._count

    def listed(self, by: str, addresses: Iterable[str], now: float, *, on_loopback: bool) -> None:
        """Note the addresses of a list that are worth a try."""
        if now >= self._minute + 60:
            self._minute = now
            self._taken.clear()
        waiting = self._waiting.setdefault(by, {})
        for address in addresses:
            if (
                address in waiting
                or address in self.own
                or self._failed.get(address, (0.0, 0.0))[0] > now
                or not is_plausible(address, on_loopback=on_loopback)
            ):
                continue
            if not self._takes(by, len(waiting)):
                break
            waiting[address] = None
            self._count += 1
            self._taken[by] += 1
        if not waiting:
            del self._waiting[by]

    def next(self) -> str | None:
        """Return the next address to dial, each list's in turn; it waits no longer."""
        if not self._waiting:
            return None
        by, addresses = self._waiting.popitem(last=False)
        address = next(iter(addresses))
        del addresses[address]
        self._count -= 1
        if addresses:
            self._waiting[by] = addresses
        return address

    def ourselves(self, address: str) -> None:
        """Note that an address is our own."""
        if len(self.own) < MAX_OWN:
            self.own.add(address)

    def failed(self, address: str, now: float) -> None:
        """Note that nobody was reached there."""
        _, pause = self._failed.pop(address, (0.0, FIRST_PAUSE / 2))
        pause = min(2 * pause, LONGEST_PAUSE)
        self._failed[address] = (now + pause, pause)
        if len(self._failed) > MAX_FAILED:
            del self._failed[min(self._failed, key=self._failed.__getitem__)]
        for by in [by for by, addresses in self._waiting.items() if address in addresses]:
            self._drop(by, address)

    def reached(self, address: str) -> None:
        """Note that somebody is there."""
        self._failed.pop(address, None)

    def _takes(self, by: str, size: int) -> bool:
        """Tell whether one more of this list is taken, of which `size` are waiting."""
        if self._taken[by] >= MAX_TAKEN_A_MINUTE:
            return False
        return self._count < MAX_WAITING or self._make_room(size)

    def _make_room(self, size: int) -> bool:
        """Let the longest list give up its last address, if it has more than `size`; tell if so."""
        longest = max(self._waiting, key=lambda by: len(self._waiting[by]))
        if len(self._waiting[longest]) <= size:
            return False
        self._drop(longest, next(reversed(self._waiting[longest])))
        return True

    def _drop(self, by: str, address: str) -> None:
        addresses = self._waiting[by]
        del addresses[address]
        self._count -= 1
        if not addresses:
            del self._waiting[by]

"""Dialling out of peer lists, with a bound on how fast (docs/protocols.md, 3.3).

Whoever sends lists chooses whom we dial, so what it can have us do to others is little: few at a
time, few a second, and few of one list a minute.
"""

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from p2pchat.archive.addresses import AddressBook
from p2pchat.identity import is_loopback

#: Addresses of peer lists that are dialled at the same time.
MAX_DIALLING = 20

#: Addresses of peer lists that are dialled within one second.
MAX_A_SECOND = 10


class Gossip:
    """Has the addresses that peers listed, and dials them.

    `has_room` tells whether one more may be dialled; `dial` dials an address, and tells whether it
    did.
    """

    def __init__(
        self, clock: IReactorTime, has_room: Callable[[], bool], dial: Callable[[str], bool]
    ) -> None:
        self._clock = clock
        self._has_room = has_room
        self._dial = dial
        self._book = AddressBook()
        self._dialled = 0  # within this second
        self._second: IDelayedCall | None = None

    @property
    def own(self) -> set[str]:
        """Addresses that turned out to be our own."""
        return self._book.own

    def listed(self, by: str, addresses: list[str]) -> None:
        """A peer listed these addresses, which are of nobody that we know."""
        now = self._clock.seconds()
        self._book.listed(by, addresses, now, on_loopback=is_loopback(by))
        self.go_on()

    def ourselves(self, host: str) -> None:
        """Note that an address is our own."""
        self._book.ourselves(host)

    def reached(self, host: str) -> None:
        """Note that a peer is there."""
        self._book.reached(host)

    def failed(self, host: str) -> None:
        """Note that an address is dialled no more, and dial another."""
        self._book.failed(host, self._clock.seconds())
        self.go_on()

    def go_on(self) -> None:
        """Dial as many addresses as may be dialled now."""
        while (
            self._dialled < MAX_A_SECOND
            and self._has_room()
            and (host := self._book.next()) is not None
        ):
            if self._dial(host):
                self._count()

    def stop(self) -> None:
        """Let no timer run on."""
        if self._second is not None:
            self._second.cancel()
            self._second = None

    def _count(self) -> None:
        self._dialled += 1
        if self._second is None:
            self._second = self._clock.callLater(1.0, self._next_second)

    def _next_second(self) -> None:
        self._second, self._dialled = None, 0
        self.go_on()

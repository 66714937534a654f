"""Verifying what arrived, a slice of each link in turn, so that the reactor never waits long."""

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from p2pchat.archive.link import Link

#: How much is verified in one turn of the reactor, in bytes of chats; 20 times that is hashed.
SLICE = 16384


class VerifyingRounds:
    """Links with chats to verify, each for one slice in turn."""

    def __init__(self, clock: IReactorTime, verified: Callable[[Link], None]) -> None:
        self._clock = clock
        self._verified = verified
        self._links: dict[Link, None] = {}
        self._next: IDelayedCall | None = None

    def add(self, link: Link) -> None:
        """Verify what waits on this link."""
        self._links[link] = None
        self._go_on()

    def discard(self, link: Link) -> None:
        """Forget a link that is gone."""
        self._links.pop(link, None)

    def stop(self) -> None:
        """Verify nothing more."""
        self._links.clear()
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _go_on(self) -> None:
        if self._links and self._next is None:
            self._next = self._clock.callLater(0, self._turn)

    def _turn(self) -> None:
        self._next = None
        link = next(iter(self._links), None)
        if link is None:
            return
        del self._links[link]
        try:
            if link.verify(SLICE):
                self._links[link] = None
            self._verified(link)
        except Exception:
            link.drop("its archive could not be taken")
            raise
        finally:
            self._go_on()

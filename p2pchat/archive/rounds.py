"""Work on what arrived, a slice of each link in turn, so that the reactor never waits long."""

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from p2pchat.archive.link import Link

#: How much is verified in one turn of the reactor, in bytes of chats; 20 times that is hashed.
SLICE = 16384


class VerifyingRounds:
    """Links with chats to verify, each for one slice in turn.

    Only one of them at a time puts its archive together, as that may take a copy of ours; whoever
    else is as far waits for it.
    """

    def __init__(self, clock: IReactorTime, verified: Callable[[Link], None]) -> None:
        self._clock = clock
        self._verified = verified
        self._links: dict[Link, None] = {}
        self._assembler: Link | None = None
        self._next: IDelayedCall | None = None

    def add(self, link: Link) -> None:
        """Verify what waits on this link."""
        self._links[link] = None
        self._go_on()

    def discard(self, link: Link) -> None:
        """Forget a link that is gone."""
        self._links.pop(link, None)
        if self._assembler is link:
            self._assembler = None

    def stop(self) -> None:
        """Verify nothing more."""
        self._links.clear()
        self._assembler = None
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _go_on(self) -> None:
        if self._links and self._next is None:
            self._next = self._clock.callLater(0, self._turn)

    def _turn(self) -> None:
        self._next = None
        link = next(filter(self._may_go_on, self._links), None)
        if link is None:
            return
        self._links.pop(link)
        try:
            if link.verify(SLICE):
                self._links[link] = None
            self._pass_on(link)
            self._verified(link)
        except Exception:  # whatever it was, the link that brought it goes; it is raised again
            self.discard(link)
            link.drop("its archive could not be taken")
            raise
        finally:
            self._go_on()

    def _may_go_on(self, link: Link) -> bool:
        return self._assembler in (None, link) or not link.assembling

    def _pass_on(self, link: Link) -> None:
        """Note whether this link goes on putting its archive together, or another one may."""
        if self._assembler in (None, link):
            self._assembler = link if link in self._links and link.assembling else None

"""Noticing that somebody else uses our name: peers then say that they are connected to us already.

Nobody proves who he is (docs/protocols.md, 2.7), so the second of two nodes of one name is turned
away everywhere. Without a word its user would only see that nobody is there.
"""

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from p2pchat.chat.link import Closed, Ending
from p2pchat.identity import PeerId
from p2pchat.text import visible

#: How long after a refusal there must be no link, in seconds: when both dial at once one is refused
#: too, but the other stays.
PATIENCE = 3.0

_REFUSALS = frozenset({Ending.REFUSED, Ending.DUPLICATE})


class NamesakeWatch:
    """Warns once, if a peer refuses us and we have no link to it a little later."""

    def __init__(
        self,
        clock: IReactorTime,
        me: PeerId,
        is_connected: Callable[[PeerId], bool],
        warn: Callable[[str], None],
    ) -> None:
        self._clock = clock
        self._me = me
        self._is_connected = is_connected
        self._warn = warn
        self._warned = False
        self._look: IDelayedCall | None = None

    def dialled(self, peer: PeerId, closed: Closed) -> None:
        """Note how a link ended that we had dialled to a peer."""
        if closed.ending in _REFUSALS and self._look is None and not self._warned:
            self._look = self._clock.callLater(PATIENCE, self._check, peer)

    def stop(self) -> None:
        """Look no more."""
        if self._look is not None:
            self._look.cancel()
            self._look = None

    def _check(self, peer: PeerId) -> None:
        self._look = None
        if self._is_connected(peer):
            return
        self._warned = True
        self._warn(
            f"{visible(peer)} says it is connected to {visible(self._me)} already: maybe somebody "
            "else uses this name; if it stays so, choose another --name"
        )

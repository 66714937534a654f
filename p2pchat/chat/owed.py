"""What a link owes us since we could not store it: it comes again, and nothing before it (no IO).

A message that was not stored is not acknowledged, so our own kind sends it again a while later.
What it says meanwhile would be stored before it. So all of that is left unacknowledged, too, until
what came first is there; it comes again as well. Another link gets everything in order from the
start.
"""

from collections.abc import Iterable

#: How long a message is waited for since it came last, in seconds: longer than the longest pause of
#: its sender, who has given it up then.
PATIENCE = 400.0

#: How many messages are waited for at the most, those that came first.
MAX_OWED = 4096


class Owed:
    """The messages that one link owes, by their msg_id, in the order in which they came."""

    def __init__(self) -> None:
        self._owed: dict[str, None] = {}  # all that are not stored
        #: Those of them that are still to come in their turn, in order, and when each came last.
        self._missing: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._owed)

    def takes(self, msg_id: str, now: float) -> bool:
        """Tell whether a message may be stored now: nothing that came before it is missing.

        If it may not, it is owed too.
        """
        self._forget_first(now)
        if not self._owed:
            return True
        if msg_id in self._owed:
            return self._comes_again(msg_id, now)
        self._add(msg_id)
        if not self._missing:
            return True  # it is stored behind those that came again
        if msg_id in self._owed:
            self._missing[msg_id] = now
        return False

    def stored(self, msg_ids: Iterable[str]) -> None:
        """Note that messages are there."""
        for msg_id in msg_ids:
            self._owed.pop(msg_id, None)
            self._missing.pop(msg_id, None)

    def failed(self, msg_ids: Iterable[str], now: float) -> None:
        """Note that messages could not be stored."""
        for msg_id in msg_ids:
            self._add(msg_id)
            if msg_id in self._owed:
                self._missing[msg_id] = now
        self._missing = {one: self._missing[one] for one in self._owed if one in self._missing}

    def _comes_again(self, msg_id: str, now: float) -> bool:
        if msg_id not in self._missing:
            return True  # the one before is being stored
        if msg_id != next(iter(self._missing)):
            self._missing[msg_id] = now
            return False
        del self._missing[msg_id]
        return True

    def _add(self, msg_id: str) -> None:
        if len(self._owed) < MAX_OWED:
            self._owed.setdefault(msg_id)

    def _forget_first(self, now: float) -> None:
        """Wait no more for the first ones, if they did not come for so long."""
        while self._missing and now >= next(iter(self._missing.values())) + PATIENCE:
            first = next(iter(self._missing))
            del self._missing[first], self._owed[first]

"""What a link owes us since we could not store it: it comes again, and nothing before it (no IO).

A message that was not stored is not acknowledged, so our own kind sends it again a while later.
What it says meanwhile would be stored before it. So all of that is left unacknowledged, too, until
what came first is there; it comes again as well. Another link gets everything in order from the
start.
"""

from collections.abc import Iterable

#: How long a message is waited for, in seconds: longer than the longest pause of its sender.
PATIENCE = 400.0

#: How many messages are waited for at the most, those that came first.
MAX_OWED = 4096


class Owed:
    """The messages that one link owes, by their msg_id, in the order in which they came."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}  # of all that are not stored
        self._missing: dict[str, None] = {}  # those of them that did not come again, in order
        self._next = 0
        self._until = 0.0

    def __bool__(self) -> bool:
        return bool(self._numbers)

    def takes(self, msg_id: str, now: float) -> bool:
        """Tell whether a message may be stored now: nothing that came before it is missing.

        If it may not, it is owed too.
        """
        if self._numbers and now >= self._until:
            self._forget()  # its sender has given it up
        if not self._numbers:
            return True
        if msg_id in self._numbers:
            return self._comes_again(msg_id)
        self._add(msg_id)
        if not self._missing:
            return True  # it is stored behind those that came again
        if msg_id in self._numbers:
            self._missing[msg_id] = None
        return False

    def stored(self, msg_ids: Iterable[str], now: float) -> None:
        """Note that messages are there; others than those owed tell nothing of these."""
        for msg_id in msg_ids:
            if self._numbers.pop(msg_id, None) is not None:
                self._missing.pop(msg_id, None)
                self._until = now + PATIENCE

    def failed(self, msg_ids: Iterable[str], now: float) -> None:
        """Note that messages could not be stored."""
        for msg_id in msg_ids:
            self._add(msg_id)
            if msg_id in self._numbers:
                self._missing[msg_id] = None
        self._missing = dict.fromkeys(sorted(self._missing, key=self._numbers.__getitem__))
        self._until = now + PATIENCE

    def _comes_again(self, msg_id: str) -> bool:
        if msg_id not in self._missing:
            return True  # the one before is being stored
        if msg_id != next(iter(self._missing)):
            return False
        del self._missing[msg_id]
        return True

    def _add(self, msg_id: str) -> None:
        if msg_id not in self._numbers and len(self._numbers) < MAX_OWED:
            self._numbers[msg_id] = self._next
            self._next += 1

    def _forget(self) -> None:
        self._numbers.clear()
        self._missing.clear()

"""How messages of ours ended, until the history has it.

What is not stored of it would be sent again in the next life of the node, and some programs show
that twice.
"""

from collections import OrderedDict
from collections.abc import Callable

from twisted.logger import Logger
from twisted.python.failure import Failure

from p2pchat.errors import QueueFullError
from p2pchat.history import FinalState, History, StoreError

#: How many ends that could not be stored are remembered; beyond that the oldest is forgotten.
MAX_UNSETTLED = 10_000


class Unsettled:
    """Stores how messages ended; what the disk refuses is kept for retry(), and `refused` told."""

    log = Logger()

    def __init__(self, history: History, refused: Callable[[], None]) -> None:
        self._history = history
        self._report_refused = refused
        self._refused: OrderedDict[str, tuple[FinalState, str]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._refused)

    def settle(self, msg_id: str, state: FinalState, reason: str = "") -> None:
        """Store that a message has ended, instead of what is refused of it."""
        self._refused.pop(msg_id, None)
        stored = self._history.settled(msg_id, state, reason)
        stored.addErrback(self._not_stored, msg_id, state, reason)
        stored.addErrback(lambda failure: self.log.failure("an end was lost", failure))

    def retry(self) -> None:
        """Try again what was refused."""
        refused, self._refused = self._refused, OrderedDict()
        for msg_id, (state, reason) in refused.items():
            self.settle(msg_id, state, reason)

    def _not_stored(self, failure: Failure, msg_id: str, state: FinalState, reason: str) -> None:
        failure.trap(StoreError, QueueFullError)
        self.log.debug("[Store] {msg_id}: {error}", msg_id=msg_id, error=failure.value)
        if self._refused.setdefault(msg_id, (state, reason))[0] == "failed":
            self._refused[msg_id] = (state, reason)
        if len(self._refused) > MAX_UNSETTLED:
            self._refused.popitem(last=False)
        self._report_refused()

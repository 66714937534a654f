"""Attempts at programs that show duplicates, counted before they are made.

Were they counted when they are made, a crash would forget the last one, and a node that crashes
again and again would send without end. Counted ahead, a crash can only take one of them away.
"""

from collections.abc import Callable, Iterable
from functools import partial

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from p2pchat.chat.outbox import Letter
from p2pchat.errors import QueueFullError
from p2pchat.history import History, StoreError
from p2pchat.identity import PeerId


class Ahead:
    """Has attempts counted, and tells `counted` for whom; `refused`, if the disk does not do it.

    A count that was not used holds for the next attempt, whatever link that is made on.
    """

    log = Logger()

    def __init__(
        self, history: History, counted: Callable[[PeerId], None], refused: Callable[[], None]
    ) -> None:
        self._history = history
        self._report_counted = counted
        self._report_refused = refused
        self._counting: set[str] = set()

    def count(self, letters: Iterable[Letter]) -> None:
        """Count the next attempt at each of these, unless that is under way."""
        fresh = [letter for letter in letters if letter.msg_id not in self._counting]
        self._counting.update(letter.msg_id for letter in fresh)
        for letter in fresh:
            counting: Deferred[None] = self._history.attempting(letter.msg_id).addBoth(
                partial(self._done, letter)
            )
            counting.addErrback(lambda failure: self.log.failure("nothing is counted", failure))

    def _done(self, letter: Letter, found: bool | Failure) -> None:
        self._counting.discard(letter.msg_id)
        if isinstance(found, Failure):
            found.trap(StoreError, QueueFullError)
            self.log.debug("[Store] not counted: {error}", error=found.value)
        elif found:
            letter.counted += 1
            self._report_counted(letter.peer)
            return
        # with the disk full, or while a damaged file is replaced
        self._report_refused()

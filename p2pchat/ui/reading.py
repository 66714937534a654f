"""When a message that was shown counts as read: when its reader types the next line."""

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from p2pchat.api import NodeApi
from p2pchat.errors import QueueFullError
from p2pchat.events import Event, MessageReceived
from p2pchat.history import MAX_UNREAD, StoreError
from p2pchat.ui.commands import parse


class Reading:
    """Notes in the history what was read at this console.

    The history knows only up to where all is read. So nothing counts as read while there may be
    older messages that this console has not shown: those that came before it was started, and those
    that it dropped, until `/unread` lists them.
    """

    _log = Logger()

    def __init__(self, api: NodeApi) -> None:
        self._api = api
        # since one was dropped
        self._shown = 0
        self._dropped = 0
        self._last = 0
        self._read = 0
        self._all_shown = False

    def event_shown(self, event: Event, *, kept: bool = True) -> None:
        """Take note of an event on the screen, or of one that was not kept until it could be."""
        if not isinstance(event, MessageReceived) or not event.stored_id:
            return
        if kept:
            self._shown += 1
            self._last = max(self._last, event.stored_id)
        else:
            self._shown = 0
            self._dropped += 1
            self._all_shown = False

    def line_entered(self, text: str) -> None:
        """Take note that somebody is there, who has seen what was shown before."""
        if self._last > self._read and parse(text)[0].lower() != "/unread":
            marking = Deferred.fromCoroutine(self._mark(self._last))
            marking.addErrback(lambda failure: self._log.failure("nothing is marked", failure))

    async def _mark(self, last: int) -> None:
        try:
            if not self._all_shown:
                dropped = self._dropped
                total = (await self._api.history.unread(0)).total
                shown = total <= self._shown and total < MAX_UNREAD  # as many may be more
                self._all_shown = shown and dropped == self._dropped
            if self._all_shown:
                await self._api.history.read(last)
                self._read = max(self._read, last)
        except (StoreError, QueueFullError) as error:
            self._log.info("What was read is not noted: {error}", error=error)

"""When a message that was shown counts as read: when its reader types the next line."""

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from p2pchat.api import NodeApi
from p2pchat.errors import QueueFullError
from p2pchat.events import Event, MessageReceived
from p2pchat.history import StoreError
from p2pchat.ui.commands import parse


class Reading:
    """Notes in the history what was read at this console.

    The history knows only up to where all is read. So nothing counts as read while there may be
    older messages that this console has not shown: those that came before it was started, until
    `/unread` lists them.
    """

    _log = Logger()

    def __init__(self, api: NodeApi) -> None:
        self._api = api
        self._shown = 0
        self._last = 0
        self._read = 0
        self._all_shown = False

    def event_shown(self, event: Event) -> None:
        """Take note of an event on the screen."""
        if isinstance(event, MessageReceived) and event.stored_id:
            self._shown += 1
            self._last = max(self._last, event.stored_id)

    def line_entered(self, text: str) -> None:
        """Take note that somebody is there, who has seen what was shown before."""
        if self._last > self._read and parse(text)[0].lower() != "/unread":
            marking = Deferred.fromCoroutine(self._mark(self._last))
            marking.addErrback(lambda failure: self._log.failure("nothing is marked", failure))

    async def _mark(self, last: int) -> None:
        try:
            if not self._all_shown:
                self._all_shown = (await self._api.history.unread(0)).total <= self._shown
            if self._all_shown:
                await self._api.history.read(last)
                self._read = max(self._read, last)
        except (StoreError, QueueFullError) as error:
            self._log.info("What was read is not noted: {error}", error=error)

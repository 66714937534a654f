"""What is under way goes into the store again if that has lost it: a damaged file was replaced."""

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from p2pchat.chat.outbox import Letter, Outbox
from p2pchat.errors import QueueFullError
from p2pchat.events import Level
from p2pchat.history import PAGE, History, OutboxEntry, StoreError


class Requeuing:
    """Puts back what the history lacks of the outbox, whenever its file was replaced.

    What the disk refuses is left for retry(), and `refused` told.
    """

    log = Logger()

    def __init__(
        self,
        history: History,
        outbox: Outbox,
        refused: Callable[[], None],
        notice: Callable[[Level, str], None],
    ) -> None:
        self._history = history
        self._outbox = outbox
        self._report_refused = refused
        self._notice = notice
        self._is_due = False
        self._running = False
        history.watch(self._replaced)

    def retry(self) -> None:
        """Do what is still to be done."""
        if self._is_due and not self._running:
            self._running = True
            running = Deferred.fromCoroutine(self._run())
            running.addErrback(lambda failure: self.log.failure("nothing is put back", failure))

    def _replaced(self) -> None:
        self._is_due = True
        self.retry()

    async def _run(self) -> None:
        try:
            while self._is_due:
                self._is_due = False
                await self._put_back()
        except (StoreError, QueueFullError) as error:
            self.log.warn("[Store] not put back: {error}", error=error)
            self._is_due = True
            self._report_refused()
        finally:
            self._running = False

    async def _put_back(self) -> None:
        ids = self._outbox.stored_order()
        lost = 0
        for at in range(0, len(ids), PAGE):
            # what ended meanwhile is not under way any more
            letters = self._outbox.letters(ids[at : at + PAGE])
            lost += await self._history.requeue([_entry(letter) for letter in letters])
        if lost:
            noun = "message" if lost == 1 else "messages"
            self._notice("info", f"{lost} {noun} still to be delivered went into the new outbox")


def _entry(letter: Letter) -> OutboxEntry:
    return OutboxEntry(
        stored_id=letter.stored_id,
        msg_id=letter.msg_id,
        to=letter.peer,
        text=letter.message.payload,
        queued_at=letter.queued_at,
        attempts=letter.counted,
    )

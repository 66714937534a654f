"""Whether the history is open: what needs it before that waits, in order and within bounds (no IO).

A node talks from the moment it listens, and its history may take seconds to open. What is said to
it meanwhile is neither lost nor refused.
"""

from collections import OrderedDict
from dataclasses import dataclass

from twisted.internet.defer import Deferred, fail, succeed

from p2pchat.errors import QueueFullError
from p2pchat.history import StoreError

#: How many messages may wait for the history to open, and how many characters of text.
MAX_WAITING = 20_000
MAX_WAITING_TEXT = 16 * 1024 * 1024


@dataclass(eq=False, slots=True)
class _Waiter:
    count: int
    text: int
    impatient: bool
    fires: "Deferred[None]"


class Opening:
    """A door that opens once, or never.

    Who is impatient waits only as long as nothing is known to be wrong.
    """

    def __init__(self) -> None:
        self.is_open = False
        self._given_up = False
        self._trouble = ""
        #: In order; who goes may stand anywhere, and there may be thousands.
        self._waiting: OrderedDict[_Waiter, None] = OrderedDict()
        self._count = 0
        self._text = 0

    def wait(self, count: int = 1, text: int = 0, *, impatient: bool = False) -> "Deferred[None]":
        """Fire as soon as the history is open, for so many messages with so much text.

        QueueFullError if too much waits, StoreError if it does not open any more, or, to who is
        impatient, if it could not be opened at the last attempt. Who waits may cancel it.
        """
        if self.is_open:
            return succeed(None)
        if self._given_up:
            return fail(_never())
        if impatient and self._trouble:
            return fail(StoreError(self._trouble))
        if self._count + count > MAX_WAITING or self._text + text > MAX_WAITING_TEXT:
            return fail(QueueFullError(f"{self._count} messages wait for the history to open"))
        waiter = _Waiter(count, text, impatient, Deferred(lambda _: self._forget(waiter)))
        self._waiting[waiter] = None
        self._count += count
        self._text += text
        return waiter.fires

    def failed(self, trouble: str) -> None:
        """Turn the impatient away, until it is open: it could not be opened, but may be later."""
        self._trouble = trouble
        for waiter in [one for one in self._waiting if one.impatient]:
            if waiter in self._waiting:  # whoever was told before may have had it cancelled
                self._forget(waiter)
                waiter.fires.errback(StoreError(trouble))

    def open(self) -> None:
        """Let in all that waits, in order, and then whoever comes."""
        if self._given_up:
            return
        while self._waiting:
            self._next().callback(None)
        self.is_open = True

    def give_up(self) -> None:
        """Turn all away that wait, and whoever comes, unless it is open."""
        self._given_up = not self.is_open
        while self._waiting:
            self._next().errback(_never())

    def _next(self) -> "Deferred[None]":
        waiter = next(iter(self._waiting))
        self._forget(waiter)
        return waiter.fires

    def _forget(self, waiter: _Waiter) -> None:
        del self._waiting[waiter]
        self._count -= waiter.count
        self._text -= waiter.text


def _never() -> StoreError:
    return StoreError("the history was not opened")

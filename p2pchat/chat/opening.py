"""Whether the history is open: what needs it before that waits, in order and within bounds (no IO).

A node talks from the moment it listens, and its history may take seconds to open. What is said to
it meanwhile is neither lost nor refused.
"""

from collections import deque
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
    fires: "Deferred[None]"


class Opening:
    """A door that opens once, or never."""

    def __init__(self) -> None:
        self.is_open = False
        self._given_up = False
        self._waiting: deque[_Waiter] = deque()
        self._count = 0
        self._text = 0

    def wait(self, count: int = 1, text: int = 0) -> "Deferred[None]":
        """Fire as soon as the history is open, for so many messages with so much text.

        QueueFullError if too much waits, StoreError if it does not open any more. Who waits may
        cancel it.
        """
        if self.is_open:
            return succeed(None)
        if self._given_up:
            return fail(_never())
        if self._count + count > MAX_WAITING or self._text + text > MAX_WAITING_TEXT:
            return fail(QueueFullError(f"{self._count} messages wait for the history to open"))
        waiter = _Waiter(count, text, Deferred(lambda _: self._forget(waiter)))
        self._waiting.append(waiter)
        self._count += count
        self._text += text
        return waiter.fires

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
        waiter = self._waiting[0]
        self._forget(waiter)
        return waiter.fires

    def _forget(self, waiter: _Waiter) -> None:
        self._waiting.remove(waiter)
        self._count -= waiter.count
        self._text -= waiter.text


def _never() -> StoreError:
    return StoreError("the history was not opened")

"""Asking several servers at once, without waiting long for the slowest."""

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime

#: How long the others are waited for when the first question is over, in seconds.
PATIENCE = 1.0


def when_asked(clock: IReactorTime, questions: "Sequence[Deferred[None]]") -> "Deferred[None]":
    """Fire when all questions are over, or PATIENCE after the first one; they are not cancelled.

    A question that fails is over too; its error is the asker's.
    """
    return _Answers(clock, questions).done if questions else succeed(None)


class _Answers:
    def __init__(self, clock: IReactorTime, questions: "Sequence[Deferred[None]]") -> None:
        self.done: Deferred[None] = Deferred(lambda _: self._stop())
        self._clock = clock
        self._left = len(questions)
        self._timer: IDelayedCall | None = None
        for question in questions:
            question.addBoth(self._over)

    def _over(self, result: Any) -> Any:
        self._left -= 1
        if self._left == 0:
            self._finish()
        elif self._timer is None and not self.done.called:
            self._timer = self._clock.callLater(PATIENCE, self._finish)
        return result

    def _finish(self) -> None:
        self._stop()
        if not self.done.called:
            self.done.callback(None)

    def _stop(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

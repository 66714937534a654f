"""Questions that many ask at the same time, asked once for all of them."""

from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

T = TypeVar("T")

_Waiting = list[Deferred[T]]


class Together(Generic[T]):
    """Asks each question at most once at a time.

    Who comes while an answer is under way shares the next one with all others who do, for the one
    under way may be older than what he has just been told.
    """

    def __init__(self, ask: Callable[[str | None], Coroutine[Any, Any, T]]) -> None:
        self._ask = ask
        # Who waits for the next answer to each question of which one is under way.
        self._waiting: dict[str | None, _Waiting[T]] = {}

    def ask(self, question: str | None) -> "Deferred[T]":
        """Fire with an answer that is not older than this call, or with the error of asking."""
        answer: Deferred[T] = Deferred()
        if question in self._waiting:
            self._waiting[question].append(answer)
        else:
            self._begin(question, [answer])
        return answer

    def _begin(self, question: str | None, askers: _Waiting[T]) -> None:
        self._waiting[question] = []
        asking = Deferred.fromCoroutine(self._ask(question))
        asking.addBoth(self._answered, question, askers)

    def _answered(self, answer: T | Failure, question: str | None, askers: _Waiting[T]) -> None:
        # some may have left meanwhile
        waiting = [asker for asker in self._waiting.pop(question) if not asker.called]
        if waiting:
            self._begin(question, waiting)
        for asker in askers:
            asker.callback(answer)  # nothing happens if he has left

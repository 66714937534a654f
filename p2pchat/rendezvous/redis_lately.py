"""What was answered lately, for while there is no new answer."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Answer(NamedTuple, Generic[T]):
    """What was answered and how many seconds ago."""

    value: T
    age: float


class _Kept(NamedTuple, Generic[T]):
    value: T
    cost: int
    time: float


class Lately(Generic[T]):
    """The last answer to each question, for `span` seconds.

    What is kept costs at most `max_cost` together; the oldest answers go first.
    """

    def __init__(self, seconds: Callable[[], float], *, span: float, max_cost: int) -> None:
        self._seconds = seconds
        self._span = span
        self._max_cost = max_cost
        self._cost = 0
        # The answer given last is at the end.
        self._answers: OrderedDict[str | None, _Kept[T]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._answers)

    def put(self, question: str | None, value: T, cost: int = 1) -> None:
        """Keep an answer; one that costs too much is not kept, but the one before it goes."""
        self.drop(question)
        if cost <= self._max_cost:
            self._answers[question] = _Kept(value, cost, self._seconds())
            self._cost += cost
        self._make_room()

    def get(self, question: str | None) -> Answer[T] | None:
        """Return the last answer, if it is not too old."""
        self._make_room()
        kept = self._answers.get(question)
        return None if kept is None else Answer(kept.value, self._age(kept))

    def drop(self, question: str | None) -> None:
        """Forget an answer: it is wrong now."""
        kept = self._answers.pop(question, None)
        if kept is not None:
            self._cost -= kept.cost

    def _make_room(self) -> None:
        while self._answers:
            question, kept = next(iter(self._answers.items()))
            if self._cost <= self._max_cost and self._age(kept) <= self._span:
                return
            self.drop(question)

    def _age(self, kept: _Kept[T]) -> float:
        return max(0.0, self._seconds() - kept.time)

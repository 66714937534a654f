"""What a Deferred has to say now: a history in memory answers at once."""

from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

T = TypeVar("T")


def at_once(deferred: "Deferred[T]") -> T:
    """Return what it fired with, or raise what it failed with; it must have done either."""
    outcome: list[T | Failure] = []
    deferred.addBoth(outcome.append)
    assert outcome, "it waits for something"
    (result,) = outcome
    if isinstance(result, Failure):
        result.raiseException()
    return result

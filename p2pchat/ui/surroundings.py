"""What commands need of the world besides the node: the time, and threads for what blocks."""

from collections.abc import Callable
from datetime import datetime, tzinfo
from typing import NamedTuple, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorThreads
from twisted.internet.threads import deferToThreadPool

T = TypeVar("T")


class InThread(Protocol):
    """Does work in a thread."""

    def __call__(self, work: Callable[[], T]) -> "Deferred[T]":
        """Fire with what the work returns or raises; what was begun is not cancelled."""


class Surroundings(NamedTuple):
    """`now` tells the time in UTC; the user reads times in `zone`, None: this machine's."""

    now: Callable[[], datetime]
    in_thread: InThread
    zone: tzinfo | None = None


def threads_of(reactor: IReactorThreads) -> InThread:
    """Use a reactor's pool of threads."""

    def in_thread(work: Callable[[], T]) -> "Deferred[T]":
        return deferToThreadPool(reactor, reactor.getThreadPool(), work)

    return in_thread

"""The disk of a simulated machine: what was committed survives a crash, and nothing else does."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure

from p2pchat.errors import P2PChatError
from p2pchat.history import Bounds, Entry, Opened, StoreError
from p2pchat.identity import PeerId
from p2pchat.store.memory import MemoryHistory
from p2pchat.store.notebook import Notebook
from tests.simulation.archives import SimulatedDisk
from tests.simulation.reactor import HostReactor

T = TypeVar("T")


class Disk:
    """What a machine keeps over crashes: the committed history, the archive. `full` is both.

    `fillings` counts how often it became full.
    """

    def __init__(self, me: PeerId, bounds: Bounds, wall_clock: Callable[[], datetime]) -> None:
        self.notebook = Notebook(me, bounds, wall_clock)
        self.chats = SimulatedDisk()
        self.fillings = 0

    @property
    def full(self) -> bool:
        return self.chats.full

    @full.setter
    def full(self, full: bool) -> None:
        self.fillings += full and not self.chats.full
        self.chats.full = full

    def entries(self) -> list[Entry]:
        """Return all messages that are committed, in the order of storing."""
        return self.notebook.last_stored()[::-1]

    def received(self, source: str, msg_id: str) -> Entry | None:
        """Return what is committed of one message from somebody, unless it was relayed."""
        shelf = self.notebook._shelf
        number = shelf.find(("in", False, source, msg_id))
        return None if number is None else shelf[number]

    def is_waiting(self, msg_id: str) -> bool:
        """Tell whether a message is in the outbox."""
        number = self.notebook._find_own(msg_id)
        return number is not None and number in self.notebook._attempts

    def waiting(self) -> list[str]:
        """Return the ids of what is in the outbox."""
        return [entry.msg_id for entry in self.notebook.outbox()]


class DiskHistory(MemoryHistory):
    """A process's history on a disk: what is asked during one commit is done by the next one.

    It is committed at one moment and answered at a later one. What is asked and not committed when
    the process crashes is lost; so is the answer to what is. A full disk refuses everything.
    """

    def __init__(
        self, reactor: HostReactor, me: PeerId, disk: Disk, wall_clock: Callable[[], datetime]
    ) -> None:
        super().__init__(reactor, me, Bounds(), wall_clock)
        self._notebook = disk.notebook
        self._reactor = reactor
        self._disk = disk
        self._asked: list[tuple[Callable[[], Any], Deferred[Any]]] = []
        self._committing = False
        #: How many questions have no answer yet.
        self.unanswered = 0
        self.closed = False

    def open(self) -> "Deferred[Opened]":
        self._is_open = True
        return self._do(self._opened).addErrback(self._not_open)

    def close(self) -> "Deferred[None]":
        """End behind everything that was asked before."""
        ended = self._do(lambda: None)
        self._is_open = False

        def end(_: object) -> None:
            self.closed = True

        return ended.addBoth(end)

    def _do(self, work: Callable[[], T]) -> "Deferred[T]":
        if not self._is_open:
            return fail(StoreError("the history is not open"))
        answer: Deferred[T] = Deferred()
        self._asked.append((work, answer))
        self.unanswered += 1
        self._commit_soon()
        return answer

    def _not_open(self, failure: Failure) -> Failure:
        self._is_open = False
        return failure

    def _commit_soon(self) -> None:
        if self._asked and not self._committing:
            self._committing = True
            asked, self._asked = self._asked, []
            self._later(self._commit, asked)

    def _commit(self, asked: list[tuple[Callable[[], Any], "Deferred[Any]"]]) -> None:
        done = [(answer, self._attempt(work)) for work, answer in asked]
        self._later(self._answer, done)

    def _attempt(self, work: Callable[[], Any]) -> Any:
        try:
            if self._disk.full:
                raise StoreError("No space left on device")
            return work()
        except P2PChatError:
            return Failure()

    def _answer(self, done: list[tuple["Deferred[Any]", Any]]) -> None:
        self._committing = False
        self._commit_soon()
        for answer, result in done:
            self.unanswered -= 1
            answer.callback(result)

    def _later(self, function: Callable[..., object], argument: object) -> None:
        duration = self._reactor.network.duration_in_thread()
        self._reactor.run_at(self._reactor.seconds() + duration, function, argument)

"""Requests to write, taken at any time and carried out together, in a thread.

While one group is on its way to the disk the next one gathers. When nothing waits, the store is
kept up: indexed and pruned, in slices.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from p2pchat.errors import QueueFullError
from p2pchat.history import StoreError
from p2pchat.store.journal import Journal
from p2pchat.store.transactions import Outcome, Request, Transactions

T = TypeVar("T")

#: How many messages, and characters of them, may wait for the disk.
MAX_WAITING = 50_000
MAX_WAITING_TEXT = 32 * 1024 * 1024

#: So many messages that are not indexed are indexed as soon as nothing waits, and fewer when
#: nothing was asked for so many seconds.
LAG = 2_000
PEACE = 0.25

#: With so many, each group of requests waits for the indexes too, for so many seconds and a slice
#: at the most; with twice as many twice as long, as somewhere it must end.
MAX_LAG = 20_000
HOLD = 0.25

#: For how long answers are given at once, in seconds.
ANSWER_TIME = 0.002

#: Seconds until upkeep that failed is tried again, and until it is looked for what is too old.
RETRY_TIME = 5.0
ROUND_TIME = 3600.0


#: A request that waits, and where its answer goes.
_Waiting = tuple[Request, "Deferred[Any]"]


class Writer:
    """Carries out requests in the threads of `pool`, one group after another.

    `done` hears of each group and each slice of upkeep: whether something was committed that was
    asked for, and the reason if the disk failed.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        pool: Any,
        transactions: Transactions,
        done: Callable[[bool, Exception | None], None],
    ) -> None:
        self._reactor = reactor
        self._clock: IReactorTime = reactor
        self._pool = pool
        self._transactions = transactions
        self._done = done
        self._waiting: list[_Waiting] = []
        self._messages = 0
        self._text = 0
        self._index_waiters: list[tuple[int, Deferred[None]]] = []
        self._running = False
        self._upkeep_due = True
        self._upkeep_failed = False
        self._upkeep_was_last = False
        self._held_until = 0.0
        self._timer: IDelayedCall | None = None
        self._open = True
        self._stopping: Deferred[None] | None = None

    def submit(
        self, request: Callable[[Journal], T], messages: int = 1, text: int = 0
    ) -> "Deferred[T]":
        """Carry out a request; fires when it is committed, or with the reason why it is not.

        It weighs so many messages and characters of text: QueueFullError if too much waits.
        """
        if not self._open:
            return fail(StoreError("the history is closed"))
        if self._waiting and (
            self._messages + messages > MAX_WAITING or self._text + text > MAX_WAITING_TEXT
        ):
            return fail(QueueFullError(f"{self._messages} messages wait for the disk already"))
        answer: Deferred[T] = Deferred()
        self._waiting.append((request, answer))
        self._messages += messages
        self._text += text
        self._go_on()
        return answer

    def when_indexed(self) -> "Deferred[None]":
        """Fire when all that is committed by now is in the indexes; StoreError.

        It may be cancelled.
        """
        if not self._open or not self._transactions.backlog:
            return succeed(None)
        waiter: Deferred[None] = Deferred(self._forget_waiter)
        self._index_waiters.append((self._transactions.last, waiter))
        self._go_on()
        return waiter

    def keep_up(self) -> None:
        """Look now for what is to be indexed, pruned or replaced."""
        self._stop_timer()
        self._upkeep_failed = False
        self._upkeep_due = True
        self._go_on()

    def stop(self) -> "Deferred[None]":
        """Take no more requests; fires when all are carried out and no thread is busy.

        Nobody waits for the indexes any more: that could take long.
        """
        self._open = False
        waiters, self._index_waiters = self._index_waiters, []
        for _, waiter in waiters:
            waiter.errback(StoreError("the history is closed"))
        stopping = self._stopping = Deferred()
        self._go_on()
        return stopping

    def _go_on(self) -> None:
        if self._running:
            return
        if self._waiting:
            begin = self._begin_upkeep if self._is_upkeep_first() else self._begin_group
            begin()
        elif self._index_waiters or (self._open and self._is_upkeep_due()):
            self._begin_upkeep()
        elif self._stopping is not None:
            self._end()
        elif self._open:
            self._wait()

    def _is_upkeep_first(self) -> bool:
        if self._index_waiters:
            return not self._upkeep_was_last
        if self._upkeep_failed or self._transactions.backlog < MAX_LAG:
            return False
        return self._clock.seconds() < self._held_until

    def _is_upkeep_due(self) -> bool:
        if self._upkeep_failed:
            return False
        return self._upkeep_due or self._transactions.backlog >= LAG

    def _begin_group(self) -> None:
        group, self._waiting = self._waiting, []
        self._messages = self._text = 0
        self._upkeep_was_last = False
        requests = [request for request, _ in group]
        self._in_thread(
            lambda: self._transactions.carry_out(requests),
            lambda outcomes: Deferred.fromCoroutine(self._carried_out(group, outcomes)),
        )

    async def _carried_out(self, group: list[_Waiting], outcomes: list[Outcome]) -> None:
        """Give the answers, in portions: what they lead to may take the reactor a while."""
        until = self._clock.seconds() + ANSWER_TIME
        for (_, answer), outcome in zip(group, outcomes, strict=True):
            if self._clock.seconds() > until:
                await deferLater(self._clock, 0)
                until = self._clock.seconds() + ANSWER_TIME
            _give(answer, outcome)
        self._hold()
        errors = [outcome.error for outcome in outcomes if isinstance(outcome.error, StoreError)]
        self._done(not errors, errors[0] if errors else None)

    def _hold(self) -> None:
        """Let the next group wait, the longer the more is to be indexed."""
        held = HOLD * self._transactions.backlog / MAX_LAG
        self._held_until = self._clock.seconds() + held

    def _begin_upkeep(self) -> None:
        self._stop_timer()
        self._upkeep_due = False
        self._upkeep_was_last = True
        self._in_thread(self._transactions.keep_up, self._kept_up)

    def _kept_up(self, outcome: Outcome) -> None:
        self._upkeep_failed = outcome.error is not None
        self._upkeep_due = outcome.value is True
        waiters, self._index_waiters = self._index_waiters, []
        for wanted, waiter in waiters:
            # a new file may have begun to count anew
            is_behind = self._transactions.indexed < min(wanted, self._transactions.last)
            if is_behind and outcome.error is None:
                self._index_waiters.append((wanted, waiter))
            else:
                _give(waiter, outcome._replace(value=None))
        self._done(False, outcome.error)

    def _forget_waiter(self, cancelled: "Deferred[None]") -> None:
        waiters = self._index_waiters
        self._index_waiters = [waiting for waiting in waiters if waiting[1] is not cancelled]

    def _wait(self) -> None:
        """Plan the next upkeep; each request puts it off, but not what has to be tried again."""
        if self._upkeep_failed and self._timer is not None:
            return
        self._stop_timer()
        delay = PEACE if self._transactions.backlog else ROUND_TIME
        delay = RETRY_TIME if self._upkeep_failed else delay
        self._timer = self._clock.callLater(delay, self.keep_up)

    def _stop_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def _end(self) -> None:
        self._stop_timer()
        stopping, self._stopping = self._stopping, None
        assert stopping is not None
        stopping.callback(None)

    def _in_thread(self, work: Callable[[], T], then: Callable[[T], object]) -> None:
        self._running = True
        running = deferToThreadPool(self._reactor, self._pool, work)
        running.addCallback(then)
        running.addErrback(lambda failure: self.log.failure("in the store", failure))
        running.addCallback(self._ran)

    def _ran(self, _: object) -> None:
        self._running = False
        self._go_on()


def _give(answer: "Deferred[Any]", outcome: Outcome) -> None:
    if outcome.error is None:
        answer.callback(outcome.value)
    else:
        answer.errback(outcome.error)

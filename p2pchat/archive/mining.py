"""Which chat of ours is mined when: in order, on the newest archive, after a lost race later.

Races are settled as on the first Ethernets. Whoever loses one waits for a time by chance, and draws
anew whenever the archive grows meanwhile: so it is drawn from the moment at which nobody else seems
to mine. Whose time is over first mines all that waits, one chat behind the other; those who draw
nearly the same time lose again, and then choose from twice as long a time.
"""

from collections.abc import Callable
from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from p2pchat.archive.miner import Miner
from p2pchat.archive.replica import Change, Job, Replica, Turn

#: How long to wait after a lost race, in seconds: whoever draws the shortest time is first, and the
#: others take what it mined before they begin (docs/protocols.md, 3.10).
PAUSE = (0.02, 0.25)

#: How often the longest pause doubles while races are lost in a row.
DOUBLINGS = 2

#: How long to wait for somebody else to settle a tie, in seconds: for a pause, mining, and the way
#: of the archive to us and back.
PATIENCE = (3.0, 6.0)


class Mining:
    """Keeps the miner at what has to be mined next; `grown` hears of each chat that was."""

    def __init__(
        self,
        reactor: Any,
        rng: Random,
        replica: Replica,
        threads: int,
        grown: Callable[[Change], None],
    ) -> None:
        self._clock: IReactorTime = reactor
        self._rng = rng
        self._replica = replica
        self._grown = grown
        self._miner = Miner(reactor, threads)
        self._job: Job | None = None
        self._start: IDelayedCall | None = None
        self._open = False

    @property
    def active(self) -> bool:
        """Whether a code is being looked for."""
        return self._miner.mining

    @property
    def rate(self) -> float:
        """Tries a second, 0 before any."""
        return self._miner.rate

    @property
    def tries(self) -> int:
        """How many codes were tried for the chat that is being mined."""
        return self._miner.tries

    def start(self) -> None:
        """Begin to mine what waits."""
        self._open = True
        self.update()

    def stop(self) -> "Deferred[None]":
        """Mine no more; fires when no thread does."""
        self._open = False
        self._give_up()
        return self._miner.stop()

    def update(self) -> None:
        """Look again what is to be mined: the archive or our chats have changed."""
        job = self._replica.job() if self._open else None
        if self._is_under_way(job):
            return
        self._give_up()
        if job is not None:
            self._job = job
            self._begin_at(job.turn)

    def _is_under_way(self, job: Job | None) -> bool:
        ours = self._job
        if job is None or ours is None:
            return job is ours
        going_on = self._miner.mining or self._start is not None  # and has not failed
        return going_on and job.chat is ours.chat and job.base is ours.base

    def _begin_at(self, turn: Turn) -> None:
        if turn is Turn.NOW:
            self._begin()
            return
        pause = self._pause() if turn is Turn.SOON else self._rng.uniform(*PATIENCE)
        self._start = self._clock.callLater(pause, self._begin)

    def _pause(self) -> float:
        shortest, longest = PAUSE
        doublings = min(max(0, self._replica.losses - 1), DOUBLINGS)
        return self._rng.uniform(shortest, longest * 2**doublings)

    def _begin(self) -> None:
        self._start = None
        job = self._job
        assert job is not None
        self._replica.begun()
        self._miner.search(job.base.prefix_for(job.chat.text), job.chat.start, self._found)

    def _found(self, code: bytes) -> None:
        job, self._job = self._job, None
        assert job is not None
        change = self._replica.mined(job, code)
        if change is not None:
            self._grown(change)
        self.update()

    def _give_up(self) -> None:
        self._job = None
        self._miner.cancel()
        if self._start is not None:
            self._start.cancel()
            self._start = None

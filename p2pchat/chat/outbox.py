"""What became of the messages we sent to one peer each: the letters under way (no IO).

=========  ================================  ===================================================
stage      ends by                           then
=========  ================================  ===================================================
WAITING    its peer's link has room          QUEUED
QUEUED     it is written                     SENT
SENT       its ACK                           delivered
           no ACK within `ack_timeout`       WAITING: our own kind gets it again, then twice that
                                             later, and so on; others only on another link
any        the link it went to goes          WAITING, for the next link
           `max_age`, or too many attempts   failed
           at another program
=========  ================================  ===================================================

The same msg_id is used each time. Our own kind shows it once; other programs show it each time they
get it, so they get it `legacy_retries` times more at the most (docs/protocols.md, 2.5).

A message that failed may still be acknowledged later; that is told too.

Letters to one peer go in the order in which they were stored. One that got no ACK on a link that
lives does not hold up those behind it: its peer had it, and could not keep it or does not say so,
and nobody knows for how long.
"""

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from heapq import heappop, heappush
from itertools import islice
from operator import attrgetter

from p2pchat.chat.messages import Send
from p2pchat.identity import PeerId

#: How many failed messages are remembered in case their ACK comes late.
MAX_LATE = 1000

_STORED = attrgetter("stored_id")

#: The longest time between two attempts on one link, in seconds, unless ack_timeout is longer.
LONGEST_PAUSE = 300.0


class Stage(Enum):
    WAITING = auto()
    QUEUED = auto()
    SENT = auto()


@dataclass(eq=False, slots=True)
class Letter:
    """One message under way.

    `link` is the one that it was handed to last, if it is there still. `attempts` counts how often
    it was written, also before this node was started; the history has `counted` so many, or one
    more that is still to be made. `deadline` is when SENT has lasted too long, `not_before` when
    WAITING may end, in seconds of the clock, 0 at once; None: by another link only.
    """

    stored_id: int
    peer: PeerId
    message: Send
    queued_at: datetime
    attempts: int = 0
    counted: int = 0
    stage: Stage = Stage.WAITING
    link: object = None
    legacy: bool = False
    deadline: float = 0.0
    not_before: float | None = 0.0

    @property
    def msg_id(self) -> str:
        return self.message.msg_id


class Outbox:
    """All letters. `ack_timeout` in seconds; `max_age` since a message was accepted.

    What happens to one letter costs the same however many there are, but for too_old().
    """

    def __init__(self, ack_timeout: float, max_age: timedelta, legacy_retries: int) -> None:
        self.ack_timeout = ack_timeout
        self.max_age = max_age
        self.legacy_retries = legacy_retries
        self._letters: dict[str, Letter] = {}
        #: All that are WAITING, and those of them that may go now, in the order of storing.
        self._waiting: dict[PeerId, dict[str, Letter]] = {}
        self._ready: dict[PeerId, list[Letter]] = {}
        #: Those that wait for a time, and that time; also some that don't any more.
        self._pauses: list[tuple[float, int, Letter]] = []
        #: In the order of writing, which is that of their deadlines.
        self._sent: OrderedDict[str, Letter] = OrderedDict()
        #: By the link that they went to last; link_lost() ends that.
        self._on_link: dict[object, dict[str, Letter]] = {}
        self._exhausted: dict[str, Letter] = {}
        self._late: OrderedDict[str, PeerId] = OrderedDict()

    def __len__(self) -> int:
        return len(self._letters)

    def __contains__(self, msg_id: str) -> bool:
        return msg_id in self._letters

    @property
    def on_a_link(self) -> int:
        """How many stand in a link's queue, or wait for their ACK."""
        return len(self._letters) - sum(map(len, self._waiting.values()))

    @property
    def waiting_for(self) -> list[PeerId]:
        """Return the peers for whom something waits."""
        return list(self._waiting)

    def stored_order(self) -> list[str]:
        """Return the ids of all, in the order in which they were stored."""
        letters = sorted(self._letters.values(), key=_STORED)
        return [letter.msg_id for letter in letters]

    def letters(self, msg_ids: Iterable[str]) -> list[Letter]:
        """Return those of these letters that are under way."""
        return [self._letters[msg_id] for msg_id in msg_ids if msg_id in self._letters]

    def add(self, letter: Letter) -> None:
        """Take a letter that is stored."""
        self._letters[letter.msg_id] = letter
        self._wait(letter, 0.0)

    def next_ready(self, peer: PeerId, *, legacy: bool) -> Letter | None:
        """Return what may go first to a link to this peer now: what was stored first.

        `legacy`: the link is to another program than ours.
        """
        ready = self._ready.get(peer)
        while ready:
            letter = ready[0]
            letter.legacy = legacy
            if not self._is_exhausted(letter):
                return letter
            self._drop_ready(letter)
            self._exhausted[letter.msg_id] = letter
        return None

    def uncounted(self, peer: PeerId, count: int) -> list[Letter]:
        """Return which of the first that may go have no attempt that is counted ahead."""
        first = self._ready.get(peer, [])[:count]
        return [letter for letter in first if letter.counted <= letter.attempts]

    def queued(self, letter: Letter, link: object) -> None:
        """Note that it went into a link's queue."""
        self._stop_waiting(letter)
        letter.stage = Stage.QUEUED
        self._put_on(letter, link)

    def queued_on(self, link: object) -> list[Letter]:
        """Return what stands in a link's queue, in the order in which it went there."""
        letters = self._on_link.get(link, {}).values()
        return [letter for letter in letters if letter.stage is Stage.QUEUED]

    def is_queued(self, msg_id: str) -> bool:
        """Tell whether it stands in a link's queue."""
        letter = self._letters.get(msg_id)
        return letter is not None and letter.stage is Stage.QUEUED

    def taken_back(self, letter: Letter) -> None:
        """Note that it was taken out of a link's queue."""
        self._put_on(letter, None)
        self._wait(letter, 0.0)

    def written(self, msg_id: str, now: float) -> Letter | None:
        """Note that it was written; return it, if it is under way."""
        letter = self._letters.get(msg_id)
        if letter is not None:
            self._stop_waiting(letter)
            letter.stage = Stage.SENT
            letter.attempts += 1
            letter.deadline = now + self.ack_timeout
            self._sent[msg_id] = letter
            self._sent.move_to_end(msg_id)
        return letter

    def acknowledged(self, peer: PeerId, msg_id: str) -> bool:
        """Note an ACK; tell whether it answers a message to this peer that had none yet."""
        letter = self._letters.get(msg_id)
        if letter is not None and letter.peer == peer:
            self._remove(letter)
            return True
        if self._late.get(msg_id) == peer:
            del self._late[msg_id]
            return True
        return False

    def withdraw(self, msg_id: str) -> bool:
        """Take out a letter that its sender does not want any more; False if it is not there."""
        letter = self._letters.get(msg_id)
        if letter is None:
            return False
        self._give_up(letter)
        return True

    def link_lost(self, link: object) -> None:
        """Let everything that went to this link wait for another one."""
        for letter in self._on_link.pop(link, {}).values():
            letter.link = None
            if letter.msg_id not in self._exhausted:
                self._wait(letter, 0.0)

    def overdue(self, now: float) -> list[PeerId]:
        """Let what waited too long for its ACK wait for the next attempt.

        Returns the peers for whom something may be tried now.
        """
        while self._sent and (letter := next(iter(self._sent.values()))).deadline <= now:
            self._wait(letter, None if letter.legacy else letter.deadline + self._pause(letter))
        while (pause := self._first_pause()) is not None and pause <= now:
            self._make_ready(heappop(self._pauses)[2])
        return list(self._ready)

    def exhausted(self) -> list[tuple[Letter, str]]:
        """Take out and return what another program got often enough, with the reason."""
        given_up, self._exhausted = list(self._exhausted.values()), {}
        for letter in given_up:
            self._give_up(letter)
        return [(one, f"sent {one.attempts} times, and never confirmed") for one in given_up]

    def too_old(self, wall_now: datetime) -> list[tuple[Letter, str]]:
        """Take out and return what waited longer than it may, with the reason; looks at all."""
        reason = f"no confirmation within {self.max_age.total_seconds() / 86400:g} days"
        letters = self._letters.values()
        given_up = [letter for letter in letters if wall_now - letter.queued_at > self.max_age]
        for letter in given_up:
            self._give_up(letter)
        return [(letter, reason) for letter in given_up]

    def next_look(self) -> float | None:
        """Return when overdue() may have something to do, in seconds of the clock; None: never."""
        times = [letter.deadline for letter in islice(self._sent.values(), 1)]
        pause = self._first_pause()
        return min(times if pause is None else [*times, pause], default=None)

    def _is_exhausted(self, letter: Letter) -> bool:
        return letter.legacy and letter.attempts > self.legacy_retries

    def _pause(self, letter: Letter) -> float:
        """Return what is left, behind its deadline, of the time between two attempts."""
        between = min(self.ack_timeout * 2 ** min(letter.attempts - 1, 20), LONGEST_PAUSE)
        return float(max(0.0, between - self.ack_timeout))

    def _wait(self, letter: Letter, not_before: float | None) -> None:
        """Let it wait until a time, 0 for none, or, with None, for another link."""
        self._sent.pop(letter.msg_id, None)
        letter.stage = Stage.WAITING
        self._waiting.setdefault(letter.peer, {})[letter.msg_id] = letter
        letter.not_before = not_before
        if self._is_exhausted(letter):
            self._exhausted[letter.msg_id] = letter
        elif not_before == 0.0:
            self._make_ready(letter)
        elif not_before is not None:
            heappush(self._pauses, (not_before, letter.stored_id, letter))

    def _first_pause(self) -> float | None:
        """Return when the first pause ends, having dropped those that ended otherwise."""
        while self._pauses:
            until, _, letter = self._pauses[0]
            if letter.not_before == until:
                return until
            heappop(self._pauses)
        return None

    def _make_ready(self, letter: Letter) -> None:
        letter.not_before = 0.0
        ready = self._ready.setdefault(letter.peer, [])
        at = bisect_left(ready, letter.stored_id, key=_STORED)
        if at == len(ready) or ready[at] is not letter:
            ready.insert(at, letter)

    def _drop_ready(self, letter: Letter) -> None:
        ready = self._ready.get(letter.peer, [])
        at = bisect_left(ready, letter.stored_id, key=_STORED)
        if at < len(ready) and ready[at] is letter:
            del ready[at]
            if not ready:
                del self._ready[letter.peer]

    def _stop_waiting(self, letter: Letter) -> None:
        letters = self._waiting.get(letter.peer)
        if letters is None or letters.pop(letter.msg_id, None) is None:
            return
        if not letters:
            del self._waiting[letter.peer]
        self._drop_ready(letter)
        self._exhausted.pop(letter.msg_id, None)
        letter.not_before = None

    def _put_on(self, letter: Letter, link: object) -> None:
        """Note to which link it went last; None: to none that is there."""
        if letter.link is not None:
            del self._on_link[letter.link][letter.msg_id]
        letter.link = link
        if link is not None:
            self._on_link.setdefault(link, {})[letter.msg_id] = letter

    def _give_up(self, letter: Letter) -> None:
        self._remove(letter)
        self._late[letter.msg_id] = letter.peer
        if len(self._late) > MAX_LATE:
            self._late.popitem(last=False)

    def _remove(self, letter: Letter) -> None:
        del self._letters[letter.msg_id]
        self._sent.pop(letter.msg_id, None)
        self._stop_waiting(letter)
        self._put_on(letter, None)

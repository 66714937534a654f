"""Messages in memory: by number, by identity and by time."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Collection, Iterator
from datetime import UTC, datetime

from msgspec.structs import replace

from p2pchat.history import Entry, EntryState

#: Before any time.
BEGINNING = datetime.min.replace(tzinfo=UTC)

#: Direction, whether it is relayed, from whom, and its msg_id: what makes it the same message.
Identity = tuple[str, bool, str, str]


class Shelf:
    """All messages; the next one gets the number behind `last`, which is never used again.

    `text` is how many characters they have together.
    """

    def __init__(self) -> None:
        self.last = 0
        self.text = 0
        self._entries: dict[int, Entry] = {}
        self._numbers: dict[Identity, int] = {}
        #: Time and number of each, sorted.
        self._calendar: list[tuple[datetime, int]] = []

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, number: int) -> Entry:
        return self._entries[number]

    def add(self, entry: Entry) -> int | None:
        """Take an entry that has the next number, and return that; None if it is there already."""
        identity = _identity(entry)
        if identity in self._numbers:
            return None
        number = self.last = self._numbers[identity] = entry.stored_id
        self._entries[number] = entry
        self.text += len(entry.text)
        insort(self._calendar, (entry.time, number))
        return number

    def find(self, identity: Identity) -> int | None:
        """Return the number of a message that is there."""
        return self._numbers.get(identity)

    def set_state(self, number: int, state: EntryState, reason: str) -> None:
        """Note what became of a message of ours."""
        self._entries[number] = replace(self._entries[number], state=state, reason=reason)

    def drop(self, cut_off: datetime, excess: int, max_text: int, spared: Collection[int]) -> None:
        """Drop what is from before that time, and at least `excess` of the oldest, but for some.

        There may be `max_text` characters.
        """
        kept: list[tuple[datetime, int]] = []
        looked_at = 0
        for time, number in self._calendar:
            is_enough = looked_at - len(kept) >= excess and self.text <= max_text
            if time >= cut_off and is_enough:
                break
            looked_at += 1
            if number in spared:
                kept.append((time, number))
            else:
                self._drop(number)
        self._calendar[:looked_at] = kept

    def newest(self, before: datetime | None) -> Iterator[Entry]:
        """Yield what is from before that time, the newest first."""
        end = len(self._calendar)
        if before is not None:
            end = bisect_left(self._calendar, (before, 0))
        return (self._entries[self._calendar[at][1]] for at in reversed(range(end)))

    def last_stored(self) -> list[Entry]:
        """All there is, the last one first."""
        return [self._entries[number] for number in reversed(self._entries)]

    def behind(self, after: tuple[datetime, int], count: int) -> list[Entry]:
        """The next messages behind this time and number."""
        start = bisect_right(self._calendar, after)
        return [self._entries[number] for _, number in self._calendar[start : start + count]]

    def _drop(self, number: int) -> None:
        entry = self._entries.pop(number)
        self.text -= len(entry.text)
        del self._numbers[_identity(entry)]


def _identity(entry: Entry) -> Identity:
    return (entry.direction, entry.relayed, entry.source, entry.msg_id)

"""How much patience is left with a peer whose archives are worth nothing.

An archive that claims to be longer than ours and is not valid costs us some hashing. Who sends
three of them in a row has its archives skipped for a while, longer each time; the link stays, and
all else is answered as ever. Several programs may share the address: of those that come meanwhile a
few archives are heard, so few that opening links again and again is of no use.
"""

from collections import OrderedDict
from dataclasses import dataclass

#: Worthless archives in a row that are forgiven.
PATIENCE = 3

#: The first pause and the longest one, in seconds.
FIRST_PAUSE = 60.0
LONGEST_PAUSE = 3600.0

#: Archives of newcomers that are heard in one minute of a pause.
NEWCOMERS_A_MINUTE = 5

#: Offenders remembered; the one that behaved for longest is forgotten.
MAX_OFFENDERS = 10_000


@dataclass(slots=True)
class _Record:
    offences: int = 0
    in_a_row: int = 0
    pause: float = FIRST_PAUSE / 2
    until: float = 0.0
    newcomers: int = 0  # heard within the minute that began at `minute`
    minute: float = 0.0


class Goodwill:
    """Offences by address."""

    def __init__(self) -> None:
        self._records: OrderedDict[str, _Record] = OrderedDict()

    def offended(self, address: str, now: float) -> float:
        """Note a worthless archive; return the seconds of the pause if one begins with it, else 0.

        What was under way when the pause began makes it no longer.
        """
        record = self._records.setdefault(address, _Record())
        self._records.move_to_end(address)
        if len(self._records) > MAX_OFFENDERS:
            self._records.popitem(last=False)
        record.offences += 1
        if now < record.until:
            return 0.0
        record.in_a_row += 1
        if record.in_a_row < PATIENCE:
            return 0.0
        record.in_a_row = 0
        record.pause = min(2 * record.pause, LONGEST_PAUSE)
        record.until = now + record.pause
        return record.pause

    def behaved(self, address: str) -> None:
        """Note a valid archive that was longer than ours: the next offence is as the first one."""
        record = self._records.get(address)
        if record is not None:
            record.in_a_row, record.pause = 0, FIRST_PAUSE / 2

    def hears_newcomer(self, address: str, now: float) -> bool:
        """Tell whether one more archive is heard of who shares a paused address, and count it."""
        record = self._records.get(address)
        if record is None:
            return True
        if now >= record.minute + 60:
            record.minute, record.newcomers = now, 0
        record.newcomers += 1
        return record.newcomers <= NEWCOMERS_A_MINUTE

    def offences(self, address: str) -> int:
        record = self._records.get(address)
        return record.offences if record is not None else 0

    def paused(self, address: str, now: float) -> float:
        """Return for how many seconds more this address's archives are skipped."""
        record = self._records.get(address)
        return max(0.0, record.until - now) if record is not None else 0.0

"""How much patience is left with a peer whose archives are worth nothing.

An archive that claims to be longer than ours and is not valid costs us some hashing. Who sends
three of them in a row has its archives skipped for a while, longer each time; the link stays, and
all else is answered as ever.
"""

from collections import OrderedDict
from dataclasses import dataclass

#: Worthless archives in a row that are forgiven.
PATIENCE = 3

#: The first pause and the longest one, in seconds.
FIRST_PAUSE = 60.0
LONGEST_PAUSE = 3600.0

#: Offenders remembered; the one that behaved for longest is forgotten.
MAX_OFFENDERS = 10_000


@dataclass(slots=True)
class _Record:
    offences: int = 0
    in_a_row: int = 0
    pause: float = FIRST_PAUSE / 2
    until: float = 0.0


class Goodwill:
    """Offences by address."""

    def __init__(self) -> None:
        self._records: OrderedDict[str, _Record] = OrderedDict()

    def offended(self, address: str, now: float) -> float:
        """Note a worthless archive; return for how many seconds its archives are skipped now."""
        record = self._records.setdefault(address, _Record())
        self._records.move_to_end(address)
        if len(self._records) > MAX_OFFENDERS:
            self._records.popitem(last=False)
        record.offences += 1
        record.in_a_row += 1
        if record.in_a_row >= PATIENCE:
            record.in_a_row = 0
            record.pause = min(2 * record.pause, LONGEST_PAUSE)
            record.until = now + record.pause
        return max(0.0, record.until - now)

    def behaved(self, address: str) -> None:
        """Note an archive that was worth its bytes: the next offence is the first in a row."""
        record = self._records.get(address)
        if record is not None:
            record.in_a_row = 0

    def offences(self, address: str) -> int:
        record = self._records.get(address)
        return record.offences if record is not None else 0

    def paused(self, address: str, now: float) -> float:
        """Return for how many seconds more this address's archives are skipped."""
        record = self._records.get(address)
        return max(0.0, record.until - now) if record is not None else 0.0

"""Points of time as a user writes them."""

import re
from datetime import UTC, datetime, tzinfo

_TIME_OF_DAY = re.compile(r"\d{1,2}:\d\d(:\d\d)?", re.ASCII)


def read_time(text: str, now: datetime, zone: tzinfo | None) -> datetime:
    """Read a point of time and return it in UTC; ValueError if text is none.

    `14:30` is today's, `2026-11-22` that day's beginning, `2026-11-22 14:30` a time in zone (None:
    this machine's); ISO 8601 with its own zone will do too.
    """
    if _TIME_OF_DAY.fullmatch(text):
        text = f"{now.astimezone(zone):%Y-%m-%d} {text:0>{8 if text.count(':') == 2 else 5}}"
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is None and zone is not None:
            time = time.replace(tzinfo=zone)
        return time.astimezone(UTC)
    except (OverflowError, OSError) as error:  # a year that this machine knows no zones of
        raise ValueError(f"{text} is out of range") from error

"""Points of time as a user writes and reads them."""

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


def local(time: datetime, zone: tzinfo | None) -> datetime:
    """Return the same time in zone (None: this machine's); unchanged if that has no such time.

    That is so within a day of the years 1 and 9999, and on some machines long before.
    """
    try:
        return time.astimezone(zone)
    except (OverflowError, ValueError, OSError):
        return time


def date_of(time: datetime, zone: tzinfo | None) -> str:
    """Write the day of a time, in zone."""
    return local(time, zone).date().isoformat()

"""How long nobody typed, and where what came meanwhile begins on the screen."""

from datetime import datetime, timedelta

#: Who typed a line within this time has not been away.
ATTENTION = timedelta(minutes=1)


class Absence:
    """The time since the last line; it begins at `now`."""

    def __init__(self, now: datetime) -> None:
        self._since = now
        self._marked = False

    def end(self, now: datetime) -> None:
        """Take note that somebody typed a line."""
        self._since = now
        self._marked = False

    def begins_unread(self, now: datetime) -> bool:
        """Take note of a message; tell whether it is the first of a longer absence."""
        if self._marked or now - self._since < ATTENTION:
            return False
        self._marked = True
        return True

"""What fails and works again, told once each time."""

from collections.abc import Callable

from twisted.logger import Logger

from p2pchat.events import Level


class Trouble:
    """Something outside that fails at times.

    The operator hears when it begins to fail and when it works again, not of every failure between;
    the log has those at DEBUG. `begins` is followed by the reason.
    """

    log = Logger()

    def __init__(self, notify: Callable[[Level, str], None], begins: str, ends: str) -> None:
        self._notify = notify
        self._begins = begins
        self._ends = ends
        self.is_on = False

    def failed(self, why: str) -> None:
        """It failed."""
        text = f"{self._begins}: {why}"
        if self.is_on:
            self.log.debug("[Rendezvous] {text}", text=text)
        else:
            self.is_on = True
            self._notify("warning", text)

    def worked(self) -> None:
        """It did what it should."""
        if self.is_on:
            self.is_on = False
            self._notify("info", self._ends)

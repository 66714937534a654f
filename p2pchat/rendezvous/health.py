"""How a rendezvous server is doing, and telling so once."""

from twisted.logger import Logger, LogLevel

from p2pchat.identity import Address
from p2pchat.rendezvous.errors import RendezvousError
from p2pchat.rendezvous.listener import RendezvousListener


class Health:
    """The state of one server in words.

    The user hears when it fails and when it is back, not of every failure between; the log has all.
    """

    log = Logger()

    def __init__(self, server: Address, listener: RendezvousListener) -> None:
        self._server = server
        self._listener = listener
        self.failing = False
        self.state = "not asked yet"

    def failed(self, error: RendezvousError) -> None:
        """It did not do what we asked."""
        self.state = str(error)
        level = LogLevel.debug if self.failing else LogLevel.warn
        self.log.emit(
            level, "[Discovery] {server} is {state}", server=str(self._server), state=self.state
        )
        if not self.failing:
            self.failing = True
            text = f"Rendezvous server {self._server} is {self.state}; it will be tried again"
            self._listener.notice("warning", text)

    def answered(self) -> None:
        """It did what we asked."""
        self.state = "up"
        if self.failing:
            self.failing = False
            self._listener.notice("info", f"Rendezvous server {self._server} is back")

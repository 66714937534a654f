"""From bytes to messages: one JSON object a line, and patience with lines that are none."""

from abc import ABC, abstractmethod

from twisted.logger import Logger
from twisted.protocols.basic import LineOnlyReceiver

from p2pchat.chat.codec import MAX_LINE
from p2pchat.chat.messages import AnyMessage
from p2pchat.chat.session import Session, State
from p2pchat.errors import RemoteProtocolError
from p2pchat.identity import Address
from p2pchat.text import visible

#: Bad lines that a link survives: deployed programs err, and one line is not worth a link.
MAX_BAD_LINES = 10

#: Blank lines mean nothing, but so many of them are an attack.
MAX_BLANK_LINES = 100


class MessageReceiver(LineOnlyReceiver, ABC):
    """Has a session read what comes from `address`; whoever derives from this takes it from there.

    Lines may have MAX_LINE bytes, their end included.
    """

    delimiter = b"\n"
    MAX_LENGTH = MAX_LINE - 1
    log = Logger()

    def __init__(self, session: Session, address: Address) -> None:
        self.address = address
        self._session = session
        self._bad_lines = 0
        self._blank_lines = 0

    @abstractmethod
    def message_received(self, message: AnyMessage) -> None:
        """Take a message that may be said now."""

    @abstractmethod
    def broken(self, reason: str) -> None:
        """The other side has broken the protocol for good."""

    def lineReceived(self, line: bytes) -> None:
        if len(line) < 4 and not line.strip():
            self._note_blank_line()
            return
        try:
            message = self._session.receive(line)
        except RemoteProtocolError as error:
            self._complain(error)
            return
        if message is not None:
            self.message_received(message)

    def lineLengthExceeded(self, line: bytes) -> None:
        self.broken(f"a line of more than {MAX_LINE} bytes")

    def drop_rest(self) -> None:
        """Keep no part of a line that nobody will hear."""
        if self._session.state is State.LEFT:
            self._buffer = b""

    def _note_blank_line(self) -> None:
        self._blank_lines += 1
        if self._blank_lines > MAX_BLANK_LINES:
            self.broken("blank lines")

    def _complain(self, error: RemoteProtocolError) -> None:
        self._bad_lines += 1
        who = visible(self._session.peer or str(self.address))
        self.log.warn("[Session] {who}: {error}", who=who, error=error)
        talking = self._session.state in (State.TALKING, State.LEAVING)
        if not talking or self._bad_lines > MAX_BAD_LINES:
            self.broken(str(error))

"""What we said and did not arrive yet, as it stands above the prompt of a terminal."""

from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo

from p2pchat.ui.outgoing import Key, Message, Outgoing
from p2pchat.ui.said import delivery_line
from p2pchat.ui.styled import Line, stamped
from p2pchat.ui.tables import plural

_MAX_OUTGOING = 200
_MAX_WAITING = 10_000
_MAX_ABOVE = 3

#: How long a chat waits above the prompt for a peer to confirm it, if it stands in our archive.
_CONFIRMATION_TIME = timedelta(seconds=30)


class UnderWay:
    """Messages with their delivery marks, and chats; what ends, `print_line` gets.

    A message of ours stays above the prompt until it is delivered or failed, a chat of the archive
    until a peer confirmed it, or for 30 s and until it stands in ours; then it is printed once,
    with the time it was written. A message to a peer that is not there is printed at once, and when
    it ends again, with the time of that.
    """

    def __init__(self, print_line: Callable[[Line], object], zone: tzinfo | None) -> None:
        self._print_line = print_line
        self._zone = zone
        self._outgoing = Outgoing(_MAX_OUTGOING)
        self._waiting = Outgoing(_MAX_WAITING)

    def follow(self, key: Key, message: Message) -> None:
        """Keep a message above the prompt from now on."""
        given_up = self._outgoing.add(key, message)
        if given_up:
            self._print(given_up)

    def set_aside(self, peer_id: str) -> None:
        """Print the messages to a peer that is not there, instead of keeping them in sight."""
        for key, message in self._outgoing.take_addressed(peer_id).items():
            self._print(message)
            self._waiting.add(key, message)

    def recall(self, key: Key, message: Message) -> None:
        """Note a message that was printed in an earlier run."""
        self._waiting.add(key, message)

    def move_on(self, time: datetime, key: Key, state: str, note: str) -> bool:
        """Note a state; False if the message is not known."""
        message = self._outgoing.move_on(key, state, note)
        if message is None:
            waited = self._waiting.move_on(key, state, note)
            message = waited and waited._replace(time=time)
        if message is not None and message.ended:
            self._print(message)
        return message is not None

    def tidy(self, now: datetime) -> None:
        """Print the chats that need not wait for a confirmation any longer."""
        for chat in self._outgoing.take_archived(now - _CONFIRMATION_TIME):
            self._print(chat)

    def print_all(self) -> None:
        """Print what stands above the prompt, because that goes."""
        for message in self._outgoing:
            self._print(message)

    def above(self) -> tuple[Line, ...]:
        """Make the lines that stand above the prompt."""
        messages = list(self._outgoing)
        lines = [self._line_of(message) for message in messages[-_MAX_ABOVE:]]
        more = len(messages) - len(lines)
        note: list[Line] = [[("class:waiting", f"{plural(more, 'message')} before")]]
        return (*(note if more else []), *lines)

    def _print(self, message: Message) -> None:
        self._print_line(self._line_of(message))

    def _line_of(self, message: Message) -> Line:
        line = delivery_line(message.text, message.state, message.note)
        return stamped(line, message.time, self._zone)

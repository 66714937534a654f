"""What tests of the commands about the history have in common."""

from datetime import timedelta

from p2pchat.identity import PeerId
from tests.ui.fakes import NOON, received
from tests.ui.test_commands import CommandsCase

HOSTILE = "a\x1b[2J\u202eb"


class HistoryCase(CommandsCase):
    """A base with a history, and verbs to fill it."""

    def keep(self, msg_id: str, text: str = "hello", minutes: float = 0, **changes) -> None:
        """Receive a message so many minutes after noon."""
        time = NOON + timedelta(minutes=minutes)
        self.node.history.keep(received(msg_id, text, time=time, **changes))

    def queue(self, msg_id: str, text: str = "hi", to: str = "bob@CIC", minutes: float = 0) -> None:
        """Put a message into the outbox so many minutes after noon."""
        time = NOON + timedelta(minutes=minutes)
        self.successResultOf(self.node.history.queue(PeerId(to), msg_id, text, time))

    def lines(self, text: str) -> list[str]:
        reply = self.run_line(text)
        self.assertEqual(reply.error, "")
        return reply.lines

    def ids(self, text: str) -> list[str]:
        """The messages that a line shows, by their msg_id."""
        return [entry.msg_id for entry in self.run_line(text).data]

"""The commands: a line of text in, a reply out, the same for every console.

A line that begins with a slash is a command. Everything else is a message to whom `/msg` wrote
last; `//` at the beginning stands for one slash of such a message. A message is taken exactly as
typed.
"""

import msgspec

from p2pchat.api import NodeApi
from p2pchat.errors import QueueFullError, RequestError
from p2pchat.history import StoreError
from p2pchat.identity import PeerId
from p2pchat.text import visible
from p2pchat.ui.actions import Actions
from p2pchat.ui.catalogue import COMMANDS, find_command
from p2pchat.ui.entry import Command
from p2pchat.ui.styled import Line
from p2pchat.ui.surroundings import Surroundings
from p2pchat.ui.words import BLANKS, UsageError


class Reply(msgspec.Struct, frozen=True):
    """The reply to one line: `lines` for people, `data` for programs, `error` if it failed.

    A `page` is the lines with styles; they tell their own times.
    """

    command: str
    lines: list[str]
    data: object = None
    error: str = ""
    page: list[Line] | None = None


#: A message without a command: `/msg` to the last partner.
_PLAIN = COMMANDS["/msg"]._replace(run=Actions.say)


def parse(text: str) -> tuple[str, str]:
    """Split a line into a command's name and what follows it; the name of a message is "".

    Blanks before a slash do not make a command a message, lest what was meant for one peer goes to
    another.
    """
    body = text.lstrip(BLANKS)
    if body.startswith("//"):
        return "", text[: len(text) - len(body)] + body[1:]
    if not body.startswith("/"):
        return "", text
    end = next((at for at, char in enumerate(body) if char in BLANKS), len(body))
    return body[:end], body[end + 1 :]


def failure(command: str, error: str) -> Reply:
    """Make the reply that says in one line what is wrong."""
    error = visible(error)
    return Reply(command, [error], None, error)


class Commands:
    """Carries out lines of text on one node."""

    def __init__(self, api: NodeApi, surroundings: Surroundings) -> None:
        self._actions = Actions(api, surroundings)

    @property
    def partner(self) -> PeerId | None:
        """Whom plain text goes to."""
        return self._actions.partner

    @property
    def sending(self) -> bool:
        """Whether a message is being stored, so that nobody knows its msg_id yet."""
        return self._actions.sending > 0

    async def run(self, text: str) -> Reply | None:
        """Carry out one line; None if it is blank. Mistakes and refusals are replies too."""
        if not text.strip():
            return None
        name, rest = parse(text)
        try:
            command = find_command(name) if name else _PLAIN
        except RequestError as error:
            return failure(name, str(error))
        return await self._carry_out(command, rest)

    async def _carry_out(self, command: Command, rest: str) -> Reply:
        name = command.name
        try:
            answer = await command.run(self._actions, rest)
        except UsageError as error:
            return failure(name, f"{name}: {error}; usage: {command.usage}")
        except (RequestError, StoreError, QueueFullError) as error:
            return failure(name, f"{name}: {error}")
        lines = [visible(line) for line in answer.lines]
        return Reply(name, lines, answer.data, page=answer.page)

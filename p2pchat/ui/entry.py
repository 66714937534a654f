"""An entry of the catalogue of commands."""

from collections.abc import Awaitable, Callable
from typing import Literal, NamedTuple

from p2pchat.ui.actions import Actions, Answer

#: What a command's first argument names, for completion.
Argument = Literal["nothing", "peer", "target", "conversation", "outbox", "level", "command"]


class Command(NamedTuple):
    """One command: how it is written, what it does and how it is carried out."""

    name: str
    usage: str
    summary: str
    details: tuple[str, ...]
    argument: Argument
    run: Callable[[Actions, str], Awaitable[Answer]]

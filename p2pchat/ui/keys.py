"""How the prompt feels: its colours, its keys and its completion."""

import asyncio
import os
import re
from collections.abc import AsyncGenerator, Callable, Iterable
from signal import SIGTSTP, pthread_kill
from threading import get_ident

from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.styles import Style

from p2pchat.ui.completion import Candidate

Candidates = list[Candidate]

#: Colours are those of the terminal's own theme; `dim` stays readable in each of them.
STYLE = Style.from_dict(
    {
        "time": "dim",
        "typed": "dim",
        "notice": "dim",
        "info": "dim",
        "up": "ansigreen",
        "down": "dim",
        "peer": "ansicyan bold",
        "target": "ansiblue",
        "partner": "ansicyan",
        "relayed": "ansiyellow",
        "waiting": "dim",
        "queued": "dim",
        "rule": "dim",
        "match": "bold underline",
        "sent": "ansigreen",
        "delivered": "ansigreen bold",
        "failed": "ansired bold",
        "archive": "ansimagenta bold",
        "mining": "dim",
        "archived": "ansigreen",
        "confirmed": "ansigreen bold",
        "displaced": "ansiyellow",
        "warning": "ansiyellow",
        "error": "ansired",
    }
)

_BREAKS = re.compile(r"\r\n|[\r\n\t]")

KEYS = KeyBindings()


@KEYS.add(Keys.BracketedPaste)
def paste(event: KeyPressEvent) -> None:
    """Insert what is pasted as one line, so that it is one message; nothing is sent by itself."""
    event.current_buffer.insert_text(one_line(event.data))


@KEYS.add("c-z")
def suspend(event: KeyPressEvent) -> None:
    """Stop the process until the shell continues it."""
    run_in_terminal(_stop_process)


def _stop_process() -> None:
    os.kill(0, SIGTSTP)  # the whole job, as the terminal itself would do
    # A signal to a process may reach another thread a little later. This one must not go on before
    # that, or it would draw the prompt over the shell's.
    pthread_kill(get_ident(), SIGTSTP)


def one_line(text: str) -> str:
    """Put blanks for the line ends and tabs of text; those at its end are dropped."""
    return _BREAKS.sub(" ", text.rstrip("\r\n"))


class AskingCompleter(Completer):
    """Gets completions by asking for them with a callback."""

    def __init__(self, ask: Callable[[str, Callable[[Candidates], None]], None]) -> None:
        self._ask = ask

    def get_completions(self, document: Document, event: CompleteEvent) -> Iterable[Completion]:
        """Give none: they have to be waited for."""
        return ()

    async def get_completions_async(
        self, document: Document, event: CompleteEvent
    ) -> AsyncGenerator[Completion, None]:
        answer: asyncio.Future[Candidates] = asyncio.get_running_loop().create_future()

        def settle(found: Candidates) -> None:
            if not answer.done():
                answer.set_result(found)

        self._ask(document.text_before_cursor, settle)
        for found in await answer:
            yield Completion(found.text, -found.length, display_meta=found.note)

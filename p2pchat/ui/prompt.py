"""The prompt on a terminal, in a thread of its own with an asyncio loop of its own.

Why a thread under every reactor, even the asyncio one: a terminal that takes no output (a stopped
window, a slow line) blocks the write, and then only this thread waits. The reactor's thread calls
the methods of `Prompt`; the prompt's thread calls its `PromptListener`.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import NamedTuple, Protocol

from prompt_toolkit import PromptSession
from prompt_toolkit.application import create_app_session
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.formatted_text import FormattedText, StyleAndTextTuples
from prompt_toolkit.history import History
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.renderer import print_formatted_text

from p2pchat.ui.backlog import Backlog
from p2pchat.ui.keys import KEYS, STYLE, AskingCompleter, Candidates
from p2pchat.ui.styled import Line, plain
from p2pchat.ui.terminal import Terminal

#: Most that waits for a terminal that takes no output, in bytes.
BACKLOG_LIMIT = 16 * 1024 * 1024

_CHUNK = 64 * 1024
_PAUSE = 0.02  # seconds between two prints, so that a flood redraws the prompt 50 times a second


class Scene(NamedTuple):
    """What surrounds the line being typed: lines above it, whom it goes to, the toolbar."""

    above: tuple[Line, ...] = ()
    partner: str = ""
    toolbar: str = ""


class PromptListener(Protocol):
    """Whom the prompt tells; called in the prompt's thread."""

    def line_entered(self, text: str) -> None:
        """Take a line, which may be empty."""

    def candidates_wanted(self, before_cursor: str, answer: Callable[[Candidates], None]) -> None:
        """Give the completions of what stands before the cursor to answer, from any thread."""

    def describe_loss(self, count: int) -> Line:
        """Make the line that tells how many were dropped because the terminal took none."""

    def prompt_left(self, error: BaseException | None) -> None:
        """Take note that the user left the prompt, or that an error ended it."""

    def prompt_closed(self, error: BaseException | None) -> None:
        """Take note that the thread ends, and whether an error ended it."""


class Prompt:
    """One prompt that stays at the bottom while lines are printed above it."""

    def __init__(self, terminal: Terminal, history: History, colour: bool) -> None:
        self._terminal = terminal
        self._history = history
        self._depth = None if colour else ColorDepth.DEPTH_1_BIT
        self._scene = Scene()
        self._backlog: Backlog[Line] = Backlog(BACKLOG_LIMIT)
        self._closing = False
        self._loop = asyncio.new_event_loop()
        self._changed = asyncio.Event()
        self._listener: PromptListener

    def start(self, listener: PromptListener) -> None:
        """Show the prompt; listener gets what is typed."""
        self._listener = listener
        Thread(target=self._main, name="prompt", daemon=True).start()

    def print(self, line: Line) -> bool:
        """Print a line above the prompt soon; tell whether that will be."""
        kept = self._backlog.put(line, len(plain(line)) + 1)
        self._post(self._changed.set)
        return kept

    def show(self, scene: Scene) -> None:
        """Draw this around the line being typed from now on."""
        self._scene = scene
        self._post(self._changed.set)

    def close(self) -> None:
        """Print what waits, take the prompt away and end the thread."""
        self._closing = True
        self._post(self._changed.set)

    def restore(self) -> None:
        """Set the terminal as it was, even if the thread hangs in it."""
        self._terminal.restore()

    def _post(self, call: Callable[[], object]) -> None:
        with suppress(RuntimeError):  # the loop is closed: the thread has ended
            self._loop.call_soon_threadsafe(call)

    def _main(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            error = runner.run(self._outcome())
        self._listener.prompt_closed(error)

    async def _outcome(self) -> BaseException | None:
        [error] = await asyncio.gather(self._run(), return_exceptions=True)
        return error

    async def _run(self) -> None:
        with create_app_session(self._terminal.input, self._terminal.output):
            session = self._make_session()
            asking = asyncio.create_task(self._ask(session))
            asking.add_done_callback(self._asked)
            closing = False
            while not closing:
                await self._changed.wait()
                self._changed.clear()
                closing = self._closing  # before printing: all that came before is printed
                await self._print_above(session, asking)
            asking.cancel()
            await asyncio.wait([asking])

    def _make_session(self) -> PromptSession[str]:
        session: PromptSession[str] = PromptSession(
            self._message,
            bottom_toolbar=lambda: f" {self._scene.toolbar}",
            completer=AskingCompleter(self._wanted),
            complete_while_typing=False,
            history=self._history,
            key_bindings=KEYS,
            style=STYLE,
            color_depth=self._depth,
            erase_when_done=True,
            interrupt_exception=EOFError,
        )
        # The application does not end with each line, so the prompt never flickers nor lets the
        # terminal echo keys in between.
        session.default_buffer.accept_handler = self._accept
        return session

    async def _ask(self, session: PromptSession[str]) -> None:
        with suppress(EOFError):  # Ctrl-C, Ctrl-D, or the terminal is closed
            await session.prompt_async(set_exception_handler=False)

    def _asked(self, asking: asyncio.Task[None]) -> None:
        if not asking.cancelled():
            self._listener.prompt_left(asking.exception())

    def _accept(self, buffer: Buffer) -> bool:
        self._listener.line_entered(buffer.text)
        return False  # do not keep the text

    def _wanted(self, before_cursor: str, answer: Callable[[Candidates], None]) -> None:
        self._listener.candidates_wanted(
            before_cursor, lambda found: self._post(lambda: answer(found))
        )

    def _message(self) -> StyleAndTextTuples:
        scene = self._scene
        above = [fragment for line in scene.above for fragment in (*line, ("", "\n"))]
        return [*above, ("class:partner", scene.partner), ("class:prompt", "> ")]

    async def _print_above(self, session: PromptSession[str], asking: asyncio.Task[None]) -> None:
        """Print all that waits.

        Like prompt_toolkit's run_in_terminal, but the terminal stays in raw mode: otherwise it
        would echo what the user types meanwhile into the lines printed.
        """
        app = session.app
        while lines := self._take():
            await app.renderer.wait_for_cpr_responses()
            if app.is_done:  # the user leaves: the prompt is about to take itself away
                await asyncio.wait([asking])
            drawn = app.is_running
            if drawn:
                app.renderer.erase()
            self._print(lines)
            if drawn:
                app.renderer.request_absolute_cursor_position()
                app.invalidate()
            await asyncio.sleep(_PAUSE)
        app.invalidate()

    def _take(self) -> list[Line]:
        lines, lost = self._backlog.take(_CHUNK)
        return [*lines, self._listener.describe_loss(lost)] if lost else lines

    def _print(self, lines: list[Line]) -> None:
        text = FormattedText([fragment for line in lines for fragment in (*line, ("", "\n"))])
        print_formatted_text(self._terminal.output, text, STYLE, color_depth=self._depth)

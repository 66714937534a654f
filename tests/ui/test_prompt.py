"""The prompt on a terminal of memory, where what happens at the same moment can be arranged."""

import io
from collections.abc import Callable
from threading import Event
from typing import Any

from prompt_toolkit.data_structures import Size
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output.vt100 import Vt100_Output
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.ui.prompt import Prompt
from tests.integration.screen import Screen
from tests.ui.fakes import PATIENCE

CTRL_D = "\x04"


class _Terminal:
    def __init__(self, keys: PipeInput) -> None:
        self.input = keys
        self.written = io.StringIO()
        self.output = Vt100_Output(
            self.written, lambda: Size(rows=24, columns=80), term="xterm", enable_cpr=False
        )

    def restore(self) -> None:
        """It has no settings."""

    @property
    def lines(self) -> list[str]:
        screen = Screen(24, 80, lambda _: None)
        screen.write(self.written.getvalue())
        return screen.lines


class _User:
    """A listener; `entered` is called with each line, in the prompt's thread."""

    def __init__(self, prompt: Prompt, entered: Callable[[str], None]) -> None:
        self.closed = Event()
        self.error: BaseException | None = None
        self.line_entered = entered
        self._prompt = prompt

    def candidates_wanted(self, before_cursor: str, answer: Any) -> None:
        answer([])

    def describe_loss(self, count: int) -> Any:
        return [("", f"{count} lost")]

    def prompt_left(self, error: BaseException | None) -> None:
        self._prompt.close()

    def prompt_closed(self, error: BaseException | None) -> None:
        self.error = error
        self.closed.set()


class LeavingTests(SynchronousTestCase):
    def test_a_line_that_comes_as_the_user_leaves(self) -> None:
        """Between the key that leaves and the prompt's end, it is not printed behind the prompt."""
        with create_pipe_input() as keys:
            terminal = _Terminal(keys)
            prompt = Prompt(terminal, InMemoryHistory(), colour=False)

            def entered(text: str) -> None:
                prompt.print([("", f"* {text}")])
                keys.send_text(CTRL_D)  # read just before the line is printed

            user = _User(prompt, entered)
            prompt.start(user)
            keys.send_text("hello\r")
            self.assertTrue(user.closed.wait(PATIENCE))
        self.assertIsNone(user.error)
        self.assertEqual(terminal.lines, ["* hello", ""])

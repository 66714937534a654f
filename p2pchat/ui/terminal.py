"""The terminal of this process: its real streams, and its settings to go back to.

The streams are those that the process began with (`sys.__stdin__`, `sys.__stdout__`): twistd turns
what is written to `sys.stdout` into log events.
"""

import termios
from contextlib import suppress
from typing import TextIO

from prompt_toolkit.input import Input, create_input
from prompt_toolkit.output import Output, create_output


class Terminal:
    """A terminal that is read from stdin and written to stdout, by one thread."""

    def __init__(self, stdin: TextIO, stdout: TextIO) -> None:
        self._fd = stdin.fileno()
        self._settings = termios.tcgetattr(self._fd)
        self.input: Input = create_input(stdin)
        self.output: Output = create_output(stdout)

    def restore(self) -> None:
        """Set the terminal as it was, for the case that a thread hangs in it; never blocks."""
        with suppress(termios.error):  # the terminal is gone
            termios.tcsetattr(self._fd, termios.TCSANOW, self._settings)

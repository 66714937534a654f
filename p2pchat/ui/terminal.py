"""The terminal of this process: its real streams, and its settings to go back to.

`sys.stdin` and `sys.stdout` are not used: twistd turns what is written to them into log events.
"""

import os
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
        self.output: Output = create_output(_own_file(stdout))

    def restore(self) -> None:
        """Set the terminal as it was, for the case that a thread hangs in it; never blocks."""
        with suppress(termios.error):  # the terminal is gone
            termios.tcsetattr(self._fd, termios.TCSANOW, self._settings)


def _own_file(stdout: TextIO) -> TextIO:
    """Open stdout's descriptor anew: at its end Python waits for the buffer of its own file."""
    return os.fdopen(stdout.fileno(), "w", encoding=stdout.encoding, closefd=False)

"""A node in a pseudo terminal, and the hands and eyes of its user."""

import codecs
import os
import pty
import select
import subprocess
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.integration.programs import end, environment, twistd
from tests.integration.screen import Screen
from tests.integration.waiting import PATIENCE

_HEIGHT, _WIDTH = 24, 100


class TerminalSession:
    """A program that runs in a terminal."""

    def __init__(self, home: Path, *arguments: str) -> None:
        self._master, self._terminal = pty.openpty()
        termios.tcsetwinsize(self._terminal, (_HEIGHT, _WIDTH))
        self._before = termios.tcgetattr(self._terminal)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.screen = Screen(_HEIGHT, _WIDTH, self.type)
        self.process = subprocess.Popen(
            twistd(*arguments),
            stdin=self._terminal,
            stdout=self._terminal,
            stderr=self._terminal,
            cwd=home,
            env=environment(home, TERM="xterm"),
            start_new_session=True,
        )

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def wait_for_line(self, *words: str) -> None:
        """Wait until one line of the screen has all these words, the scrolled away included."""
        self._wait_until(
            lambda: any(all(word in line for word in words) for line in self.screen.lines),
            f"a line with {words}",
        )

    def wait_for_prompt(self, text: str) -> None:
        """Wait until the cursor is behind text, and nothing but that is in its line."""
        self._wait_until(lambda: self.screen.cursor_line == text, f"the prompt {text!r}")

    def wait_for_exit(self) -> int:
        """Wait until the program has ended and all it wrote is shown; return its exit status."""
        self._wait_until(lambda: self.process.poll() is not None, "the end")
        while self._read(0):
            pass
        return self.process.wait()

    @property
    def changed(self) -> bool:
        """Whether the terminal's settings are other than before."""
        now: list[Any] = termios.tcgetattr(self._terminal)
        return now != self._before

    def close(self) -> None:
        end(self.process)
        os.close(self._master)
        os.close(self._terminal)

    def _wait_until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                shown = "\n".join(self.screen.lines)
                raise AssertionError(f"not within {PATIENCE:g} s: {what}; the screen:\n{shown}")
            self._read(0.05)

    def _read(self, timeout: float) -> bool:
        """Show what is there, or comes before the timeout; tell whether anything did."""
        if not select.select([self._master], [], [], timeout)[0]:
            return False
        self.screen.write(self._decoder.decode(os.read(self._master, 65536)))
        return True

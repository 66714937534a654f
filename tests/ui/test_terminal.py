"""The prompt in a real pseudo terminal, under each reactor: what a user does and sees."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.screen import Screen
from tests.ui.fakes import PATIENCE, make_folder
from tests.ui.tty_driver import ANSWERS

ROOT = Path(__file__).parents[2]
REACTORS = ("asyncio", "epoll", "select")
UP = b"\x1b[A"

_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[=>]")
_NEWLINE = re.compile(r"\r+\n")
_COLOUR = re.compile(r"\x1b\[(?:[0-9;]*;)?(?:3[0-8]|9[0-7])[0-9;]*m")


class TerminalSession:
    """The driver in a pseudo terminal, and the hands and eyes of its user."""

    def __init__(self, reactor: str, data_dir: Path, **environ: str) -> None:
        self.data_dir = data_dir
        self.screen, self.terminal = pty.openpty()
        self.settings = termios.tcgetattr(self.terminal)
        self.seen = self.errors = b""
        termios.tcsetwinsize(self.terminal, (24, 100))
        inherited = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
        self.program = subprocess.Popen(
            [sys.executable, "-m", "tests.ui.tty_driver", reactor, str(data_dir)],
            stdin=self.terminal,
            stdout=self.terminal,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            env={**inherited, "TERM": "xterm", **environ},
            start_new_session=True,
        )

    def type(self, keys: str | bytes) -> None:
        os.write(self.screen, keys if isinstance(keys, bytes) else keys.encode())

    @property
    def text(self) -> str:
        """All that was written, without escape sequences."""
        return _NEWLINE.sub("\n", _ESCAPE.sub("", self.seen.decode("utf-8", "replace")))

    def wait_for(self, text: str) -> None:
        """Read until text was written."""
        while text not in self.text:
            if self.screen not in self._readable():
                raise AssertionError(f"{text!r} did not appear in {self.text[-500:]!r}")
            self._read()

    def wait_for_exit(self) -> None:
        """Read until the program closes its standard error by ending; nothing may come there."""
        while ready := self._readable(self.program.stderr.fileno()):
            if self.screen in ready:
                self._read()
            else:
                break
        self.errors = self.program.stderr.read()
        self.program.wait(PATIENCE)

    def _readable(self, *others: int) -> list[int]:
        return select.select([self.screen, *others], [], [], PATIENCE)[0]

    def _read(self) -> None:
        data = os.read(self.screen, 65536)
        if b"\x1b[6n" in data:  # a terminal tells where its cursor is
            self.type("\x1b[1;1R")
        self.seen += data

    def exit(self) -> str:
        """How the program ended: "clean", "hangs" or, if it was not as it should be, ""."""
        note = self.data_dir / "exit"
        return note.read_text() if self.program.returncode == 0 and note.exists() else ""

    def hang_up(self) -> None:
        """Take the terminal away."""
        os.close(self.screen)
        os.close(self.terminal)
        self.screen = self.terminal = -1

    def close(self) -> None:
        """End the program, if it did not, and the terminal."""
        if self.program.poll() is None:
            self.program.kill()
            self.program.wait()
        self.program.stderr.close()
        if self.screen >= 0:
            self.hang_up()


class TerminalCase(SynchronousTestCase):
    """A base that opens sessions in a data folder of the test."""

    def setUp(self) -> None:
        self.data_dir = make_folder(self)

    def open(self, reactor: str = "asyncio", **environ: str) -> TerminalSession:
        """Start a session and wait until the prompt is there."""
        session = TerminalSession(reactor, self.data_dir, **environ)
        self.addCleanup(session.close)
        session.wait_for("alice@CIC listens on 0.0.0.0:4000")
        session.wait_for(" alice@CIC | 1 connected | 0 unread")
        return session

    def assert_left_cleanly(self, session: TerminalSession) -> None:
        session.wait_for_exit()
        self.assertEqual(session.errors, b"")
        self.assertEqual(session.exit(), "clean")
        self.assertEqual(termios.tcgetattr(session.terminal), session.settings)
        (self.data_dir / "exit").unlink()


class EveryReactorTests(TerminalCase):
    def test_complete_a_name_send_and_leave(self) -> None:
        for reactor in REACTORS:
            session = self.open(reactor)
            session.type("/msg bo\t")
            session.wait_for("/msg bob")
            session.type("hi   é 😀\r")
            session.wait_for("✓✓ → bob@CIC: hi   é 😀\n")
            session.wait_for("bob@CIC>")
            session.type("\x03")
            self.assert_left_cleanly(session)

    def test_lines_arrive_while_the_user_types(self) -> None:
        for reactor in REACTORS:
            session = self.open(reactor)
            session.type("/msg bob burst\r")
            session.wait_for("burst 20\n")
            for key in "half a":
                session.type(key)
            session.wait_for("burst 299\n")
            session.type(" line\r")
            session.wait_for("✓✓ → bob@CIC: half a line\n")
            self.assertEqual(
                re.findall(r"\d\d:\d\d:\d\d bob@CIC: burst (\d+)\n", session.text),
                [str(number) for number in range(ANSWERS["burst"])],
            )
            session.type("\x04")
            self.assert_left_cleanly(session)

    def test_a_signal_restores_the_terminal(self) -> None:
        for reactor in REACTORS:
            session = self.open(reactor)
            session.type("/msg bob late\r")
            session.wait_for("→ bob@CIC: late")
            session.type("half a line")
            session.wait_for("half a line")
            self.assertNotEqual(termios.tcgetattr(session.terminal), session.settings)
            session.program.send_signal(signal.SIGTERM)
            self.assert_left_cleanly(session)
            self.assertIn("✓ → bob@CIC: late\n", session.text)
            screen = Screen(24, 80, lambda _: None)
            screen.write(session.seen.decode())
            self.assertNotIn("half a line", "\n".join(screen.lines))


class PromptTests(TerminalCase):
    def test_what_is_pasted_is_one_message_and_waits_for_enter(self) -> None:
        session = self.open()
        session.type("/msg bob \x1b[200~one\r\ntwo\n\x1b[201~")
        session.wait_for("one two")
        session.type(" three\r")
        session.wait_for("✓✓ → bob@CIC: one two three\n")
        self.assertEqual(session.text.count("✓✓"), 1)

    def test_history_over_sessions(self) -> None:
        session = self.open()
        session.type("/msg bob first\r")
        session.wait_for("✓✓ → bob@CIC: first")
        session.type("second\r")
        session.wait_for("✓✓ → bob@CIC: second")
        session.type(UP + UP + b"\r")
        session.wait_for("✓✓ → bob@CIC: first\n")
        session.type("\x03")
        self.assert_left_cleanly(session)
        session = self.open()
        session.type(UP)
        session.wait_for("/msg bob first")
        session.type("!\r")
        session.wait_for("✓✓ → bob@CIC: first!\n")

    def test_colour_unless_it_is_not_wanted(self) -> None:
        for environ, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
            session = self.open(**environ)
            session.type("/mgs bob\r")
            session.wait_for("did you mean /msg PEER TEXT?")
            session.type("/msg bob hi\r")
            session.wait_for("✓✓ → bob@CIC: hi\n")
            self.assertEqual(bool(_COLOUR.search(session.seen.decode())), coloured)

    def test_failures_are_shown_with_their_reason(self) -> None:
        session = self.open()
        session.type('/msg "anna b" lost\r')
        session.wait_for('✗ → "anna b@CIC": lost (not delivered: no answer within 5 s)\n')

    def test_quit(self) -> None:
        session = self.open()
        session.type("/quit\r")
        self.assert_left_cleanly(session)
        self.assertIn("> /quit\n", session.text)
        self.assertIn("leaving\n", session.text)

    def test_a_terminal_that_is_gone(self) -> None:
        session = self.open()
        session.hang_up()
        session.program.wait(PATIENCE)
        self.assertEqual(session.exit(), "clean")

    def test_a_terminal_that_takes_no_output_does_not_stop_the_node(self) -> None:
        session = self.open("asyncio")
        session.type("/msg bob flood\r")
        session.wait_for("bob@CIC: flood 0\n")
        session.program.send_signal(signal.SIGTERM)
        session.program.wait(PATIENCE)
        self.assertEqual(session.exit(), "hangs")
        self.assertEqual(termios.tcgetattr(session.terminal), session.settings)

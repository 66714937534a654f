"""Which console a node gets."""

import os
import pty
import socket
import sys
from contextlib import ExitStack

from twisted.application.service import IService, Service
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import StartError
from p2pchat.ui.console import choose_console, inspect, make_console
from p2pchat.ui.json_lines import JsonFormat
from p2pchat.ui.plain import PlainFormat
from p2pchat.ui.stream import StreamConsole
from p2pchat.ui.tty import TtyConsole
from tests.ui.fakes import FakeNode, ThreadedClock, make_folder, noon


class ChoiceTests(SynchronousTestCase):
    def test_auto(self) -> None:
        cases = {
            ("terminal", "terminal", "xterm"): "tty",
            ("terminal", "terminal", "dumb"): "plain",
            ("terminal", "terminal", ""): "plain",
            ("terminal", "other", "xterm"): "plain",
            ("other", "terminal", "xterm"): "plain",
            ("other", "other", ""): "plain",
            ("other", "closed", ""): "plain",
            ("null", "terminal", "xterm"): "none",
            ("closed", "terminal", "xterm"): "none",
            ("null", "other", ""): "none",
        }
        for (stdin, stdout, term), expected in cases.items():
            self.assertEqual(choose_console("auto", stdin, stdout, term), expected)

    def test_what_is_asked_for_is_what_one_gets(self) -> None:
        for kind in ("plain", "json", "none"):
            for stdin in ("terminal", "other", "null", "closed"):
                self.assertEqual(choose_console(kind, stdin, "closed", ""), kind)
        self.assertEqual(choose_console("tty", "terminal", "terminal", "xterm"), "tty")

    def test_a_prompt_needs_a_terminal(self) -> None:
        for stdin, stdout, term in (
            ("other", "terminal", "xterm"),
            ("terminal", "other", "xterm"),
            ("terminal", "terminal", "dumb"),
        ):
            error = self.assertRaises(StartError, choose_console, "tty", stdin, stdout, term)
            self.assertIn("--console tty needs a terminal", str(error))


class StreamsCase(SynchronousTestCase):
    """A base that closes what it opened."""

    def setUp(self) -> None:
        self.stack = ExitStack()
        self.addCleanup(self.stack.close)

    def open(self, fd: int, mode: str = "r"):
        return self.stack.enter_context(os.fdopen(fd, mode))

    def open_pipe(self):
        reading, writing = os.pipe()
        return self.open(reading), self.open(writing, "w")

    def open_null(self, mode: str = "r"):
        return self.stack.enter_context(open(os.devnull, mode))

    def open_terminal(self):
        controller, terminal = pty.openpty()
        self.open(controller, "rb")
        return self.open(terminal)


class InspectTests(StreamsCase):
    def test_inspect(self) -> None:
        reading, writing = self.open_pipe()
        one, other = socket.socketpair()
        self.stack.enter_context(one)
        self.stack.enter_context(other)
        gone = self.open_null()
        gone.close()
        with open(__file__) as file:
            cases = [
                (None, "closed"),
                (gone, "closed"),
                (reading, "other"),
                (writing, "other"),
                (file, "other"),
                (self.stack.enter_context(one.makefile()), "other"),
                (self.open_null(), "null"),
                (self.open_terminal(), "terminal"),
            ]
            for opened, expected in cases:
                self.assertEqual(inspect(opened), expected, opened)

    def test_a_descriptor_that_was_closed_below_python(self) -> None:
        reading, _ = self.open_pipe()
        copy = os.fdopen(os.dup(reading.fileno()), closefd=False)
        os.close(copy.fileno())
        self.assertEqual(inspect(copy), "closed")


class MakeTests(StreamsCase):
    def make(self, kind: str, stdin, stdout, environ=None, **options) -> IService:
        context = ThreadedClock(), FakeNode(), make_folder(self), environ or {}, noon
        return make_console(kind, *context, stdin, stdout, **options)

    def test_each_kind(self) -> None:
        reading, writing = self.open_pipe()
        self.assertEqual(type(self.make("none", None, None)), Service)
        for kind, form in (("plain", PlainFormat), ("json", JsonFormat)):
            console = self.make(kind, reading, writing)
            self.assertIsInstance(console, StreamConsole)
            self.assertIsInstance(console._form, form)
            self.assertEqual(console._reading is not None, kind == "plain")
            self.assertEqual(console._input._fd, reading.fileno())
            self.assertEqual(console._output._fd, writing.fileno())

    def test_classic_commands_are_for_a_plain_console(self) -> None:
        reading, writing = self.open_pipe()
        self.assertFalse(self.make("plain", reading, writing)._classic)
        self.assertTrue(self.make("plain", reading, writing, classic=True)._classic)
        self.assertEqual(type(self.make("none", None, None, classic=True)), Service)
        for kind in ("tty", "json"):
            error = self.assertRaises(StartError, self.make, kind, reading, writing, classic=True)
            self.assertIn("--classic-commands needs --console plain", str(error))

    def test_no_commands_come_from_nowhere(self) -> None:
        _, writing = self.open_pipe()
        for stdin in (None, self.open_null()):
            self.assertIsNone(self.make("json", stdin, writing)._input)

    def test_a_closed_output_is_not_written_to(self) -> None:
        fd = self.make("json", None, None)._output._fd
        self.addCleanup(os.close, fd)
        self.assertGreater(fd, 2)
        with os.fdopen(fd, "w", closefd=False) as file:
            self.assertEqual(inspect(file), "null")

    def test_a_terminal_gets_a_prompt(self) -> None:
        terminal = self.open_terminal()
        for environ, colour in (({}, True), ({"NO_COLOR": ""}, True), ({"NO_COLOR": "1"}, False)):
            console = self.make("tty", terminal, terminal, environ)
            self.assertIsInstance(console, TtyConsole)
            self.assertEqual(console._prompt._depth is None, colour)
            console._prompt._loop.close()

    def test_a_prompt_without_streams_is_refused(self) -> None:
        self.assertRaises(StartError, self.make, "tty", None, None)

    def test_streams_do_without_prompt_toolkit(self) -> None:
        code = "import sys, p2pchat.ui.console; print('prompt_toolkit' in sys.modules)"
        with os.popen(f'"{sys.executable}" -c "{code}"') as output:
            self.assertEqual(output.read(), "False\n")

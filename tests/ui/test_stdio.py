"""Lines by threads through real pipes; every wait ends when the other thread has done its part."""

import contextlib
import os
from threading import Thread

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.ui.lines import LINE_LIMIT
from p2pchat.ui.stdio import LineInput, LineOutput
from tests.ui.fakes import PATIENCE, ThreadedClock, make_folder


class PipeCase(SynchronousTestCase):
    """A base with a pipe and a reactor."""

    def setUp(self) -> None:
        self.reactor = ThreadedClock()
        self.read_fd, self.write_fd = os.pipe()
        self.addCleanup(self.close, self.read_fd)
        self.addCleanup(self.close, self.write_fd)

    def close(self, fd: int) -> None:
        with contextlib.suppress(OSError):
            os.close(fd)


class Listener:
    """Notes lines; carries out each at once, or when `permit` is called."""

    def __init__(self) -> None:
        self.lines: list[str | None] = []
        self.ended = False
        self.waiting: Deferred[None] | None = None
        self.patient = False

    async def line_received(self, line: str | None) -> None:
        self.lines.append(line)
        if line == "fail":
            raise ZeroDivisionError
        if self.patient:
            self.waiting = Deferred()
            await self.waiting

    def input_ended(self) -> None:
        self.ended = True


class InputTests(PipeCase):
    def setUp(self) -> None:
        super().setUp()
        self.listener = Listener()
        self.input = LineInput(self.read_fd, self.reactor, self.listener)

    def finish(self) -> None:
        """End the input and wait for the thread."""
        os.close(self.write_fd)
        self.reactor.run_until(lambda: self.listener.ended)
        self.input.thread.join(PATIENCE)
        self.assertFalse(self.input.thread.is_alive())

    def test_lines_then_the_end(self) -> None:
        self.input.start()
        os.write(self.write_fd, b"one\ntwo  \xff\n\nlast")
        self.finish()
        self.assertEqual(self.listener.lines, ["one", "two  \ufffd", "", "last"])

    def test_a_line_too_long_is_reported_and_the_next_one_is_fine(self) -> None:
        self.input.start()
        data = b"x" * (3 * LINE_LIMIT) + b"\nnext\n"
        writer = Thread(target=os.write, args=(self.write_fd, data))
        writer.start()
        self.reactor.run_until(lambda: len(self.listener.lines) == 2)
        writer.join(PATIENCE)
        self.finish()
        self.assertEqual(self.listener.lines, [None, "next"])

    def test_a_line_waits_for_the_one_before(self) -> None:
        self.listener.patient = True
        self.input.start()
        os.write(self.write_fd, b"one\ntwo\n")
        self.reactor.run_until(lambda: self.listener.lines)
        self.assertEqual(self.listener.lines, ["one"])
        self.listener.waiting.callback(None)
        self.assertEqual(self.listener.lines, ["one", "two"])
        self.listener.waiting.callback(None)
        self.finish()

    def test_no_more_is_read_while_lines_wait(self) -> None:
        self.listener.patient = True
        file = make_folder(self) / "lines"
        file.write_bytes(b"0123456\n" * 100_000)
        fd = os.open(file, os.O_RDONLY)
        self.addCleanup(os.close, fd)
        source = LineInput(fd, self.reactor, self.listener)
        source.start()
        self.reactor.run_until(lambda: self.listener.lines)
        source.thread.join(0.2)  # it would end by now if it did not wait
        self.assertTrue(source.thread.is_alive())
        self.assertLessEqual(os.lseek(fd, 0, os.SEEK_CUR), 64 * 1024)
        source.stop()
        source.thread.join(PATIENCE)
        self.assertFalse(source.thread.is_alive())
        self.listener.waiting.callback(None)
        self.assertEqual(len(self.listener.lines), 1)

    def test_a_failure_does_not_stop_the_input(self) -> None:
        self.input.start()
        os.write(self.write_fd, b"fail\n")
        self.reactor.run_until(lambda: self.flushLoggedErrors(ZeroDivisionError))
        os.write(self.write_fd, b"next\n")
        self.finish()
        self.assertEqual(self.listener.lines, ["fail", "next"])

    def test_a_regular_file(self) -> None:
        file = make_folder(self) / "lines"
        file.write_text("".join(f"{number}\n" for number in range(1000)))
        with file.open("rb") as opened:
            source = LineInput(opened.fileno(), self.reactor, self.listener)
            source.start()
            self.reactor.run_until(lambda: self.listener.ended)
            source.thread.join(PATIENCE)
        self.assertEqual(self.listener.lines, [str(number) for number in range(1000)])

    def test_a_descriptor_that_does_not_block(self) -> None:
        os.set_blocking(self.read_fd, False)
        self.input.start()
        self.input.thread.join(0.2)  # it would end by now if it took this for the end
        os.write(self.write_fd, b"one\n")
        self.finish()
        self.assertEqual(self.listener.lines, ["one"])

    def test_an_error_is_the_end(self) -> None:
        source = LineInput(self.write_fd, self.reactor, self.listener)
        source.start()
        self.reactor.run_until(lambda: self.listener.ended)
        source.thread.join(PATIENCE)

    def test_nothing_comes_after_stop(self) -> None:
        self.input.start()
        self.input.stop()
        os.write(self.write_fd, b"late\n")
        os.close(self.write_fd)
        self.input.thread.join(PATIENCE)
        self.assertFalse(self.input.thread.is_alive())
        self.assertEqual((self.listener.lines, self.listener.ended), ([], False))


class OutputTests(PipeCase):
    def setUp(self) -> None:
        super().setUp()
        self.gone: list[str] = []

    def make_output(self, limit: int = 1 << 20) -> LineOutput:
        return LineOutput(
            self.write_fd, self.reactor, lambda lost: b"lost %d\n" % lost, self.gone.append, limit
        )

    def close_output(self, output: LineOutput) -> None:
        closed = output.close(2)
        self.reactor.run_until(lambda: closed.called)
        output.thread.join(PATIENCE)
        self.assertFalse(output.thread.is_alive())
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def read_all(self) -> bytes:
        os.close(self.write_fd)
        with os.fdopen(os.dup(self.read_fd), "rb") as file:
            return file.read()

    def test_all_is_written_in_order_before_it_closes(self) -> None:
        output = self.make_output()
        output.write(b"one\n")
        output.start()
        output.write(b"")
        output.write(b"two\n")
        self.close_output(output)
        output.write(b"late\n")
        self.assertEqual(self.read_all(), b"one\ntwo\n")
        self.assertEqual(self.gone, [])

    def test_what_does_not_fit_is_dropped_and_told_at_its_place(self) -> None:
        output = self.make_output(limit=8)
        for line in (b"one\n", b"two\n", b"three\n", b"4\n"):
            output.write(line)
        output.start()
        self.close_output(output)
        self.assertEqual(self.read_all(), b"one\ntwo\nlost 2\n")

    def test_a_slow_reader_gets_everything_that_fits(self) -> None:
        output = self.make_output(limit=1 << 22)
        os.set_blocking(self.write_fd, False)
        output.start()
        data = [b"%07d\n" % number for number in range(100_000)]
        for line in data:
            output.write(line)
        received = []
        reader = Thread(target=lambda: received.append(self.read_bytes(800_000)))
        reader.start()
        self.close_output(output)
        reader.join(PATIENCE)
        self.assertEqual(received, [b"".join(data)])

    def read_bytes(self, count: int) -> bytes:
        parts = []
        while count:
            parts.append(os.read(self.read_fd, count))
            count -= len(parts[-1])
        return b"".join(parts)

    def test_closing_does_not_wait_for_ever(self) -> None:
        output = self.make_output(limit=1 << 22)
        output.start()
        output.write(b"x" * 1_000_000)
        closed = output.close(2)
        self.reactor.advance(1.9)
        self.assertNoResult(closed)
        self.reactor.advance(0.2)
        self.successResultOf(closed)
        os.close(self.read_fd)
        self.reactor.run_until(lambda: self.gone)
        output.thread.join(PATIENCE)

    def test_a_reader_that_went_away_is_reported_once(self) -> None:
        output = self.make_output()
        os.close(self.read_fd)
        output.start()
        output.write(b"one\n")
        self.reactor.run_until(lambda: self.gone)
        output.write(b"two\n")
        self.assertEqual(output._backlog.take(100), ([], 0))
        self.close_output(output)
        self.assertEqual(self.gone, ["Broken pipe"])

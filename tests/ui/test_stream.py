"""A console on pipes: commands in, events and replies out, and both of its ends."""

import contextlib
import json
import os
from functools import partial

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.events import DeliveryChanged, Notice
from p2pchat.ui import stream
from p2pchat.ui.json_lines import JsonFormat
from p2pchat.ui.lines import LINE_LIMIT
from p2pchat.ui.stdio import LineOutput
from p2pchat.ui.stream import StreamConsole
from tests.ui.fakes import NOON, PATIENCE, FakeNode, ThreadedClock, make_folder, noon, received
from tests.ui.test_views import message

SENT = DeliveryChanged(time=NOON, msg_id="m1", to="bob@CIC", state="sent")
NOTICE = Notice(time=NOON, level="info", text="x")


class StreamTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = ThreadedClock()
        self.node = FakeNode("bob@CIC")
        self.input_fd, self.typing_fd = os.pipe()
        self.output_fd, self.writing_fd = os.pipe()
        self.addCleanup(self.close, self.input_fd, self.writing_fd)

    def close(self, *fds: int) -> None:
        for fd in fds:
            with contextlib.suppress(OSError):
                os.close(fd)

    def finish(self, console: StreamConsole) -> None:
        """End both threads, lest they use descriptors of the next test."""
        self.close(self.typing_fd, self.output_fd)
        if console._input:
            console._input.stop()
            if console._input.thread.is_alive():
                console._input.thread.join(PATIENCE)
        console._output.close(0)
        console._output.thread.join(PATIENCE)

    def start(self, has_input: bool = True, **options) -> StreamConsole:
        console = StreamConsole(
            self.reactor,
            self.node,
            JsonFormat(),
            noon,
            self.input_fd if has_input else None,
            self.writing_fd,
            **options,
        )
        console.startService()
        self.addCleanup(self.finish, console)
        return console

    def type(self, text: bytes) -> None:
        os.write(self.typing_fd, text)

    def run_until_left(self) -> None:
        self.reactor.run_until(lambda: ("leave",) in self.node.calls)

    def output_of(self, console: StreamConsole) -> list[dict]:
        """Stop the console and return all it wrote."""
        stopped = console.stopService()
        self.reactor.run_until(lambda: stopped.called)
        os.close(self.writing_fd)
        with os.fdopen(self.output_fd, "rb", closefd=False) as file:
            return [json.loads(line) for line in file]

    def test_no_line_is_read_before_there_is_somebody_to_talk_to(self) -> None:
        self.node.gathering = Deferred()
        console = self.start()
        self.type(b"/msg bob hi\n")
        self.assertFalse(console._input.thread.is_alive())
        self.assertEqual(self.node.calls, [])
        self.node.gathering.callback(None)
        os.close(self.typing_fd)
        self.run_until_left()
        self.assertIn(("send", "bob@CIC", "hi"), self.node.calls)

    def test_a_console_that_stopped_meanwhile_reads_nothing(self) -> None:
        self.node.gathering = Deferred()
        console = self.start()
        console.stopService()
        self.node.gathering.callback(None)
        self.assertFalse(console._input.thread.is_alive())

    def test_lines_are_carried_out_then_it_settles_and_leaves(self) -> None:
        self.node.events_of_send = [SENT]
        console = self.start()
        self.node.settling = Deferred()
        self.type(b"/msg bob hi\n\nagain")
        os.close(self.typing_fd)
        self.reactor.run_until(lambda: ("settled", 5.0) in self.node.calls)
        self.assertNotIn(("leave",), self.node.calls)
        self.node.settling.callback(True)
        self.assertEqual(
            self.node.calls,
            [
                ("send", "bob@CIC", "hi"),
                ("send", "bob@CIC", "again"),
                ("settled", 5.0),
                ("leave",),
            ],
        )
        kinds = [found["event"] for found in self.output_of(console)]
        self.assertEqual(kinds, ["reply", "delivery", "reply", "delivery"])

    def test_replies_come_in_the_order_of_the_lines(self) -> None:
        self.node.discovery = Deferred()
        console = self.start()
        self.type(b"/peers\n/reconnect\n")
        self.reactor.run_until(lambda: self.node.calls)
        self.node.report(NOTICE)
        self.assertEqual(self.node.calls, [("discover",)])
        self.node.discovery.callback(None)
        os.close(self.typing_fd)
        self.run_until_left()
        found = [one.get("command", one["event"]) for one in self.output_of(console)]
        self.assertEqual(found, ["notice", "/peers", "/reconnect"])

    def test_a_line_too_long_gets_a_reply(self) -> None:
        console = self.start()
        for _ in range(LINE_LIMIT // 1024 + 1):
            self.type(b"x" * 1024)
        self.type(b"\n/reconnect\n")
        os.close(self.typing_fd)
        self.run_until_left()
        first, second = self.output_of(console)
        self.assertEqual(first["error"], "a line over 65536 bytes was not carried out")
        self.assertEqual(second["command"], "/reconnect")

    def command_of(self, line: bytes, **options) -> str:
        """The command that a console of these options makes of a line."""
        console = self.start(**options)
        self.type(line + b"\n")
        os.close(self.typing_fd)
        self.run_until_left()
        [reply] = self.output_of(console)
        return reply["command"]

    def test_classic_words_are_commands(self) -> None:
        self.assertEqual(self.command_of(b"hist", classic=True), "/hist")

    def test_without_the_option_they_are_messages(self) -> None:
        self.assertEqual(self.command_of(b"hist"), "/msg")

    def read_after(self, line: bytes, **options) -> list[int]:
        """What counts as read after a message came and then a line."""
        console = self.start(**options)
        [stored_id] = self.node.history.keep(received("b1"))
        self.node.report(message("hello", stored_id=stored_id))
        self.type(line)
        os.close(self.typing_fd)
        self.run_until_left()
        self.output_of(console)
        return self.node.history.read_up_to

    def test_what_people_saw_is_read_at_the_next_line(self) -> None:
        self.assertEqual(self.read_after(b"\n", reads=True), [1])

    def test_what_was_dropped_because_nobody_read_the_output_is_not_read(self) -> None:
        self.patch(stream, "LineOutput", partial(LineOutput, limit=1))
        self.assertEqual(self.read_after(b"\n", reads=True), [])

    def test_what_is_shown_and_followed_by_no_line_is_not_read(self) -> None:
        self.assertEqual(self.read_after(b"", reads=True), [])

    def test_for_programs_nothing_is_read_but_by_unread(self) -> None:
        self.assertEqual(self.read_after(b"/status\n"), [])

    def test_programs_read_by_unread(self) -> None:
        self.assertEqual(self.read_after(b"/unread\n"), [1])

    def test_work_in_threads_is_awaited(self) -> None:
        self.node.history.keep(received("b1"))
        console = self.start()
        file = make_folder(self) / "all"
        self.type(f"/export {file}\n".encode())
        os.close(self.typing_fd)
        self.run_until_left()
        [reply] = self.output_of(console)
        self.assertEqual(reply["data"], {"file": str(file), "messages": 1})
        self.assertEqual(file.read_bytes().count(b"\n"), 1)

    def test_without_an_input_it_stays(self) -> None:
        console = self.start(has_input=False)
        self.node.report(NOTICE)
        self.assertEqual([found["text"] for found in self.output_of(console)], ["x"])
        self.assertEqual(self.node.calls, [])

    def test_it_leaves_when_nobody_reads(self) -> None:
        self.start(has_input=False)
        os.close(self.output_fd)
        self.node.report(NOTICE)
        self.run_until_left()

    def test_nothing_is_done_after_stop(self) -> None:
        console = self.start()
        self.node.settling = Deferred()
        os.close(self.typing_fd)
        self.reactor.run_until(lambda: self.node.calls)
        self.assertEqual(self.output_of(console), [])
        self.node.report(NOTICE)
        self.node.settling.callback(False)
        self.assertEqual(self.node.calls, [("settled", 5.0)])

    def test_stop_does_not_wait_for_ever(self) -> None:
        console = self.start(has_input=False)
        self.node.report(Notice(time=NOON, level="info", text="x" * 500_000))
        stopped = console.stopService()
        self.assertNoResult(stopped)
        self.reactor.advance(2.0)
        self.successResultOf(stopped)

    def test_a_failure_of_the_node_at_the_end_is_logged(self) -> None:
        console = self.start()
        self.node.settling.addCallback(lambda _: 1 / 0)
        os.close(self.typing_fd)
        self.reactor.run_until(lambda: self.flushLoggedErrors(ZeroDivisionError))
        self.output_of(console)

    def test_loss_is_told_as_a_notice(self) -> None:
        console = self.start(has_input=False)
        found = json.loads(console._describe_loss(3))
        self.assertEqual((found["event"], found["level"]), ("notice", "warning"))
        self.assertTrue(found["text"].startswith("3 lines of output were dropped"))
        self.output_of(console)

"""Nodes with a history to measure, each a process of its own."""

import sys
import tempfile
import time
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.archive_launch import TICKS
from benchmarks.figures import BenchmarkError
from benchmarks.history_texts import ME
from benchmarks.processes import REPLY_TIMEOUT, TWISTD, Server, free_port
from p2pchat.identity import name_of

#: How often output is looked at, in seconds: answers come within milliseconds.
POLL = 0.0002

#: How long a node may take to open its history, and how long it is left in peace when it has said
#: that it is not open yet, in seconds.
OPEN_TIMEOUT = 60.0
PATIENCE = 0.005


class _Reply(msgspec.Struct):
    """A reply as the JSON console prints it; the rest of it is not looked at."""

    command: str
    data: Any
    error: str = ""


_decode = msgspec.json.Decoder(_Reply).decode


class HistoryNode(Server):
    """A node whose output is read as it grows, so that a reply is seen as soon as it is there."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        super().__init__(command, folder)
        #: When its ticker ticked, by time.monotonic(); known when it has ended in order.
        self.ticks = array("d")
        self._tail = self._output.open("rb", buffering=0)
        self._rest = b""

    def ask(self, command: str) -> Any:
        """Type a command and return the data of its reply; BenchmarkError if that is an error."""
        return self.timed(command)[1]

    def timed(self, command: str) -> tuple[float, Any]:
        """Return the seconds from typing a command to its reply, and the reply's data."""
        self._skip()
        started = time.perf_counter()
        self.say(command)
        reply = self._next_reply(REPLY_TIMEOUT)
        seconds = time.perf_counter() - started
        if reply.error:
            raise BenchmarkError(f"{command}: {reply.error}")
        return seconds, reply.data

    def first_answer(self, command: str) -> tuple[float, Any]:
        """Type a command until it is carried out; return the seconds since the process started."""
        while time.perf_counter() < self._started + OPEN_TIMEOUT:
            self.say(command)
            reply = self._next_reply(OPEN_TIMEOUT)
            seconds = time.perf_counter() - self._started
            if not reply.error:
                return seconds, reply.data
            time.sleep(PATIENCE)
        raise BenchmarkError(f"no answer to {command} within {OPEN_TIMEOUT:g} s: {reply.error}")

    def kill(self) -> None:
        """End the process as a crash would."""
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        super().end()
        self._tail.close()

    def _skip(self) -> None:
        self._tail.seek(0, 2)
        self._rest = b""

    def _next_reply(self, timeout: float) -> _Reply:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            *lines, self._rest = (self._rest + self._tail.readall()).split(b"\n")
            for line in lines:
                if line.startswith(b'{"event":"reply"'):
                    return _decode(line)
            if self.process.poll() is not None:
                raise BenchmarkError("the node has ended")
            time.sleep(POLL)
        raise BenchmarkError(f"no reply within {timeout:g} s")


@contextmanager
def history_node(folder: Path, *options: str, ticks: bool = False) -> Iterator[HistoryNode]:
    """Run a node as it is shipped, alone on the network, that keeps its history in a folder."""
    with tempfile.TemporaryDirectory() as name:
        output = Path(name)
        config = output / "config.json"
        config.write_text("{}")
        ticking = (sys.executable, "-m", "benchmarks.archive_launch", name, "--ticks", "--nodaemon")
        node = HistoryNode(
            (
                *(*(ticking if ticks else TWISTD), "p2pchat", "--name", name_of(ME)),
                *("--config", str(config), "--data-dir", str(folder), "--console", "json"),
                *("--no-rendezvous", "--no-archive", *options),
                *("--bind", "127.0.0.1", "--port", str(free_port())),
            ),
            output,
        )
        try:
            node.wait_for_port()
            yield node
        finally:
            node.end()
        if ticks and (output / TICKS).exists():
            node.ticks.frombytes((output / TICKS).read_bytes())

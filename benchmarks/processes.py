"""Starting and ending what is measured: nodes and baselines, each a process of its own.

Output goes to files: reading it costs the measured process nothing, and never holds it up.
"""

import contextlib
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.figures import BenchmarkError
from benchmarks.profiles import profiled

#: How long a process may take to come up, to answer a command, and to end, in seconds.
START_TIMEOUT = 20.0
REPLY_TIMEOUT = 20.0
END_TIMEOUT = 10.0

#: How often output is looked at, in seconds.
POLL = 0.002

ROOT = Path(__file__).parent.parent
TWISTD = (sys.executable, "-c", "from twisted.scripts.twistd import run; run()", "--nodaemon")


class Server:
    """A process that listens on a port of 127.0.0.1, and took `seconds` to say so."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self.port = 0
        self.seconds = 0.0
        self._started = time.perf_counter()
        self._output, self._errors = folder / "stdout", folder / "stderr"
        with self._output.open("wb") as stdout, self._errors.open("wb") as stderr:
            self.process = subprocess.Popen(
                profiled(command), stdin=subprocess.PIPE, stdout=stdout, stderr=stderr, cwd=ROOT
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def read(self) -> bytes:
        """Return all it has printed."""
        return self._output.read_bytes()

    def count(self, event: str) -> int:
        """Count the events of a kind that a node has printed."""
        return self.read().count(f'{{"event":"{event}"'.encode())

    def say(self, command: str) -> None:
        """Type a command on a node's console."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{command}\n".encode())
        self.process.stdin.flush()

    def ask(self, command: str) -> Any:
        """Type a command and return the data of its reply; BenchmarkError if that is an error."""
        seen = self.count("reply")
        self.say(command)
        deadline = time.monotonic() + REPLY_TIMEOUT
        while time.monotonic() < deadline:
            *lines, _ = self.read().split(b"\n")
            replies = [line for line in lines if line.startswith(b'{"event":"reply"')]
            if len(replies) > seen:
                reply = json.loads(replies[seen])
                if reply.get("error"):
                    raise BenchmarkError(f"{command}: {reply['error']}")
                return reply["data"]
            time.sleep(POLL)
        raise BenchmarkError(f"no reply to {command} within {REPLY_TIMEOUT:g} s")

    def wait_for_port(self) -> None:
        """Wait for the first line of output, which tells the port."""
        while time.perf_counter() < self._started + START_TIMEOUT:
            line, newline, _ = self.read().partition(b"\n")
            if newline:
                self.seconds = time.perf_counter() - self._started
                self.port = json.loads(line)["port"]
                return
            if self.process.poll() is not None:
                break
            time.sleep(POLL)
        problem = self._errors.read_text(errors="replace").strip() or "no output"
        raise BenchmarkError(f"{self.process.args!r} did not start: {problem}")

    def end(self) -> None:
        """End the process, by force if it takes too long."""
        self.process.terminate()
        try:
            self.process.wait(END_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(END_TIMEOUT)
        assert self.process.stdin is not None
        self.process.stdin.close()


@contextlib.contextmanager
def node(name: str, *twistd_options: str) -> Iterator[Server]:
    """Run a node as it is shipped, with a JSON console, alone on the network: no archive either."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.json"
        config.write_text("{}")
        with running(
            *(*TWISTD, *twistd_options, "p2pchat", "--name", name, "--console", "json"),
            *("--config", str(config), "--data-dir", folder, "--no-rendezvous", "--no-archive"),
            *("--bind", "127.0.0.1", "--port", str(free_port())),
        ) as server:
            yield server


def bare() -> contextlib.AbstractContextManager[Server]:
    """Run the server that only decodes and answers."""
    return running(sys.executable, "-m", "benchmarks.bare")


def trivial() -> contextlib.AbstractContextManager[Server]:
    """Run twistd with a service that only listens."""
    service = str(ROOT / "benchmarks" / "trivial.py")
    return running(
        *(*TWISTD, "--reactor", "asyncio", "--pidfile", "", "--logfile", "/dev/null"),
        *("--no_save", "--python", service),
    )


def sink() -> contextlib.AbstractContextManager[Server]:
    """Run the server that only reads."""
    return running(sys.executable, "-m", "benchmarks.archive_sink")


@contextlib.contextmanager
def running(*command: str) -> Iterator[Server]:
    """Run a command whose first line of output tells its port."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(command, Path(folder))
        try:
            server.wait_for_port()
            yield server
        finally:
            server.end()


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port of this address that nobody uses at the moment."""
    with socket.create_server((host, 0)) as probe:
        port: int = probe.getsockname()[1]
        return port

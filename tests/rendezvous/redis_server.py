"""A Redis (or Valkey) server of a test's own, and the plainest way to talk to it."""

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress

from twisted.trial.unittest import SkipTest

from tests.integration.programs import HERE, free_port
from tests.temporary import temporary_path

#: Seconds that a server has to begin to listen.
PATIENCE = 20.0


def redis_program():
    """Find the server's program; the test fails if there is none, for it would prove nothing."""
    if os.environ.get("P2PCHAT_NO_REDIS") == "1":
        raise SkipTest("P2PCHAT_NO_REDIS=1")
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        raise AssertionError(
            "no redis-server: install it (apt-get install redis-server), "
            "or set P2PCHAT_NO_REDIS=1 to go without"
        )
    return program


class RedisServer:
    """A server on a free port of this machine that keeps nothing; it ends with the test."""

    def __init__(self, case, *options, start=True):
        self._program = redis_program()
        self._options = options
        self._folder = temporary_path(case)
        self._folder.mkdir()
        self._process = None
        self.port = free_port()
        case.addCleanup(self.kill)
        if start:
            self.start()

    def start(self):
        command = [
            *(self._program, "--port", str(self.port), "--bind", HERE, "--save", ""),
            *("--appendonly", "no", "--dir", str(self._folder), *self._options),
        ]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE
        while not self._listens():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise AssertionError("redis-server did not start")
            time.sleep(0.005)

    def pause(self):
        """Let it answer nothing, while connections to it stand and are taken."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self):
        self._process.send_signal(signal.SIGCONT)

    def kill(self):
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def ask(self, *words):
        """Send one command on a connection of its own and return what comes back."""
        connection = BlockingConnection(self.port)
        try:
            return connection.ask(*words)
        finally:
            connection.close()

    def _listens(self):
        with suppress(OSError), socket.create_connection((HERE, self.port), PATIENCE):
            return True
        return False


class BlockingConnection:
    """Commands in, answers out, one after the other; errors are raised as RuntimeError."""

    def __init__(self, port):
        self._socket = socket.create_connection((HERE, port), PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._answers = self._socket.makefile("rb")

    def ask(self, *words):
        parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        self._socket.sendall(
            b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(p), p) for p in parts)
        )
        return self._read()

    def close(self):
        self._answers.close()
        self._socket.close()

    def _read(self):
        line = self._answers.readline()
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise RuntimeError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"*":
            return [self._read() for _ in range(int(rest))]
        if kind == b"$" and rest != b"-1":
            return self._answers.read(int(rest) + 2)[:-2]
        return rest if kind == b"+" else None


class BlockingClient:
    """A RedisClient that waits for every answer, so that a test needs no reactor.

    `runs` counts the scripts that were run.
    """

    def __init__(self, port):
        self._port = port
        self._connection = None
        self.runs = 0

    async def open(self):
        self._connection = BlockingConnection(self._port)

    async def close(self):
        self._connection.close()

    async def run(self, script, keys, *arguments):
        self.runs += 1
        return self._connection.ask(b"EVAL", script, len(keys), *keys, *arguments)

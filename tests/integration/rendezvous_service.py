"""Rendezvous servers as processes of their own, and questions to them over raw sockets."""

import json
import signal
import socket
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

from tests.integration.programs import HERE, end, environment, free_port, twistd
from tests.integration.waiting import PATIENCE, Record

#: How a server may end: by itself, or by the signal that stops it.
_CLEAN = (0, -signal.SIGTERM)

#: Lines that no decent client sends, and what is said of them.
HOSTILE = (
    (rb'{"type":"REGISTER","namespace":"CIC","name":"\ud800","port":1}', b"bad_name"),
    (rb'{"type":"REGISTER","namespace":"C\u0000C","name":"x","port":1}', b"bad_namespace"),
    (rb'{"type":"REGISTER","namespace":"CIC","name":"a\u001b[2J","port":1}', b"bad_name"),
    (b'{"type":"REGISTER","namespace":"CIC","name":"x","port":Infinity}', b"bad_port"),
    (b'{"type":"REGISTER","namespace":"CIC","name":"x","port":1,"ttl":NaN}', b"bad_ttl"),
    (b'{"type":"REGISTER","namespace":"CIC","name":"x","port":1%b}' % (b"0" * 400), b"bad_port"),
    (b'{"type":"REGISTER","namespace":"CIC","name":"x","port":1e400}', b"bad_port"),
    (b"[" * 30_000, b"Unknown command"),
    (b"\xff\xfe\x00", b"Unknown command"),
    (b"x" * (1 << 20), b'"line_too_long", "limit": 32768'),
)


class Server:
    """A running server; nothing may come on standard error."""

    def __init__(self, home: Path, *options: str) -> None:
        self.port = free_port()
        self._errors = (home / "stderr").open("w+b")
        place = ("--bind", HERE, "--port", str(self.port))
        self._process = subprocess.Popen(
            self.command("p2pchat-rendezvous", *place, *options),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            cwd=home,
            env=environment(home),
        )
        self.lines: Record[str] = Record()
        self._killed = False
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def command(self, *arguments: str) -> list[str]:
        """Make the command line; a subclass may watch the program from inside."""
        return twistd(*arguments)

    def wait_until_ready(self) -> str:
        """Wait until it listens; return the line that says so."""
        return self.wait_for("listens on")

    def wait_for(self, text: str) -> str:
        """Return the first line with this text that was not returned before."""
        return self.lines.take(lambda line: text in line, text)

    def terminate(self) -> int:
        """End it in order; return its exit status."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(PATIENCE)

    def kill(self) -> None:
        self._killed = True
        self._process.kill()
        self._process.wait(PATIENCE)

    def close(self) -> None:
        """End it if it still runs; AssertionError if anything about it was not as it should be."""
        status = end(self._process)
        self._reader.join(PATIENCE)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._errors.seek(0)
        errors = self._errors.read().decode()
        self._errors.close()
        said = self.lines.all()
        if errors or any("Traceback" in line for line in said):
            raise AssertionError(f"it complained: {errors}\n" + "\n".join(said[-30:]))
        if status not in _CLEAN and not self._killed:
            raise AssertionError(f"it ended with status {status}")

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.add(line.decode().rstrip("\n"))
        self.lines.end("the server closed its output")


def connect(port: int, source: str = HERE) -> socket.socket:
    """Connect from an address of this machine."""
    connection = socket.create_connection((HERE, port), PATIENCE, source_address=(source, 0))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def answer_to(connection: socket.socket) -> bytes:
    """Read all that comes until the server has closed."""
    received = b""
    with suppress(ConnectionResetError):
        while data := connection.recv(1 << 16):
            received += data
    return received


def ask_raw(port: int, line: bytes, source: str = HERE) -> bytes:
    """Send bytes and return all that is answered."""
    with connect(port, source) as connection:
        # who sends too much may be cut off meanwhile
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(line)
        return answer_to(connection)


def ask(server_port: int, source: str = HERE, /, **request: Any) -> dict[str, Any]:
    """Ask one question of the protocol."""
    line = json.dumps(request).encode() + b"\n"
    answer: dict[str, Any] = json.loads(ask_raw(server_port, line, source))
    return answer


def register(port: int, name: str, source: str = HERE) -> dict[str, Any]:
    return ask(port, source, type="REGISTER", namespace="CIC", name=name, port=4000, ttl=600)


def names(answer: dict[str, Any]) -> list[str]:
    """Return who is listed."""
    peers: Iterable[dict[str, Any]] = answer["peers"]
    return sorted(peer["name"] for peer in peers)

"""Running the program as its users do: twistd, in a home of its own."""

import os
import random
import signal
import socket
import subprocess
import sys
from collections import deque
from pathlib import Path

from tests.integration.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
HERE = "127.0.0.1"

#: Ports from which a system takes none for outgoing connections, so that a free one stays free.
_PORTS = range(20_000, 32_000)

#: How many of the ports last given are held for those who asked.
_MOST_HELD = 100
_HELD: deque[socket.socket] = deque()

_TWISTD = str(Path(sys.executable).with_name("twistd"))


def free_port() -> int:
    """Find a port that nobody listens on, and that nobody else who asks here is given meanwhile.

    Bound without SO_REUSEADDR it is refused to all who have it; set afterwards, it lets those
    listen who set it too, as servers do, while others who look for a free port are still refused.
    """
    for port in random.SystemRandom().sample(_PORTS, 100):
        held = socket.socket()
        try:
            held.bind(("", port))
        except OSError:
            held.close()
            continue
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _HELD.append(held)
        if len(_HELD) > _MOST_HELD:
            _HELD.popleft().close()
        return port
    raise AssertionError("no port is free")


def twistd(*arguments: str) -> list[str]:
    """Make a command line; -n keeps the program in the foreground."""
    return [_TWISTD, "-n", *arguments]


def environment(home: Path, **changes: str) -> dict[str, str]:
    """Make an environment in which every file of a user is under home.

    The checkout is on the path: not every editable install shows twistd the plugin.
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("XDG_") and name not in ("NO_COLOR", "TERM", "PYTHONPATH")
    }
    return {
        **inherited,
        "HOME": str(home),
        "LOGNAME": "user",
        "LC_ALL": "C.UTF-8",
        "PYTHONPATH": str(ROOT),
        **changes,
    }


def run(
    command: list[str], home: Path, stdin: str = "", **changes: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end with stdin as its input."""
    return subprocess.run(
        command,
        input=stdin,
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=home,
        env=environment(home, **changes),
        timeout=PATIENCE,
    )


def end(process: "subprocess.Popen[bytes]", timeout: float = 15.0) -> int:
    """End a process by SIGTERM, or by SIGKILL if it does not; return its exit status."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        return process.wait(timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait(timeout)

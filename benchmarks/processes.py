"""Starting and ending what is measured: the bare server and real nodes, as processes."""

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

#: How long a process has to come up, in seconds.
START_TIMEOUT = 20


class Server(NamedTuple):
    """A process that listens on 127.0.0.1; `seconds` is how long it took to say so."""

    process: subprocess.Popen[str]
    port: int
    seconds: float


@contextlib.contextmanager
def bare() -> Iterator[Server]:
    """Run the baseline server."""
    with _running([sys.executable, "-m", "benchmarks.bare"]) as (process, started):
        assert process.stdout is not None
        yield Server(process, int(process.stdout.readline()), time.monotonic() - started)


@contextlib.contextmanager
def node(
    name: str, *options: str, config: dict[str, object] | None = None, args: tuple[str, ...] = ()
) -> Iterator[Server]:
    """Run a node with a JSON console, alone on the network; `args` go to twistd itself."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.json"
        path.write_text(json.dumps(config or {}))
        command = [
            *(sys.executable, "-m", "twisted", *args, "p2pchat"),
            *("--name", name, "--config", str(path), "--data-dir", folder, "--bind", "127.0.0.1"),
            *("--console", "json", "--no-rendezvous", *options),
        ]
        with _running(command) as (process, started):
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            yield Server(process, ready["port"], time.monotonic() - started)


@contextlib.contextmanager
def _running(command: list[str]) -> Iterator[tuple[subprocess.Popen[str], float]]:
    started = time.monotonic()
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    try:
        yield process, started
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

"""Starting what is measured of the rendezvous: our server, both baselines, a Redis."""

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.figures import BenchmarkError
from benchmarks.processes import POLL, START_TIMEOUT, TWISTD, Server, free_port, running
from benchmarks.rendezvous_client import Request, ask, ask_many
from benchmarks.rendezvous_peers import Peer, write_database, write_list

#: Connections of one IP within the window: so many that none of ours is too many.
NO_RATE_LIMIT = ("--rate-limit", "1000000")

_ANYTHING = Request("127.0.0.1", b'{"type": "DISCOVER"}\n')


@contextlib.contextmanager
def service(
    peers: Sequence[Peer],
    registry: str = "sqlite",
    options: Sequence[str] = NO_RATE_LIMIT,
    twistd_options: Sequence[str] = (),
) -> Iterator[Server]:
    """Run our server with all the peers registered; `registry` "sqlite" means its default."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.json"
        config.write_text("{}")
        if registry == "sqlite":
            write_database(Path(folder) / "registrations.db", peers)
            place: tuple[str, ...] = ()
        else:
            place = ("--registry", registry)
        port = free_port()
        server = Server(
            (
                *(*TWISTD, *twistd_options, "p2pchat-rendezvous", *place, *options),
                *("--config", str(config), "--data-dir", folder, "--log-file", f"{folder}/log"),
                *("--bind", "127.0.0.1", "--port", str(port)),
            ),
            Path(folder),
        )
        try:
            _wait_until_it_answers(server, port, Path(folder) / "stderr")
            if place:
                ask_many(port, (peer.register() for peer in peers), 0)
            yield server
        finally:
            server.end()


def bare(size: int) -> contextlib.AbstractContextManager[Server]:
    """Run the server that answers any line with so many bytes."""
    return running(sys.executable, "-m", "benchmarks.rendezvous_bare", str(size))


@contextlib.contextmanager
def reference(peers: Sequence[Peer]) -> Iterator[Server]:
    """Run the plainest rendezvous server, with all the peers registered."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "peers.json"
        write_list(file, peers)
        with running(sys.executable, "-m", "benchmarks.rendezvous_reference", str(file)) as server:
            yield server


@contextlib.contextmanager
def redis(program: str) -> Iterator[str]:
    """Run a Redis of our own that writes nothing to the disk, and give its location."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        process = subprocess.Popen(
            [
                *(program, "--port", str(port), "--bind", "127.0.0.1", "--dir", folder),
                *("--save", "", "--appendonly", "no"),
            ],
            stdout=subprocess.DEVNULL,
        )
        try:
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()
            process.wait()


def _wait_until_it_answers(server: Server, port: int, errors: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline and server.process.poll() is None:
        with contextlib.suppress(OSError):
            # a Redis that is not up yet is another answer
            if b"registry_unavailable" not in ask(port, _ANYTHING):
                server.port = port
                return
        time.sleep(POLL)
    problem = errors.read_text(errors="replace").strip() or "no answer"
    raise BenchmarkError(f"{server.process.args!r} did not start: {problem}")

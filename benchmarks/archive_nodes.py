"""Nodes with an archive to measure, each a process of its own."""

import sys
import tempfile
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from benchmarks.archive_launch import COMPUTE, GROWTHS, TICKS, Growth
from benchmarks.figures import BenchmarkError
from benchmarks.processes import POLL, REPLY_TIMEOUT, Server, free_port, running
from p2pchat.archive.archive import Archive

#: Where nodes have their archive's port; their peers are on other addresses.
HOST = "127.0.0.2"


class ArchiveNode:
    """A running node, and what its process notes in a folder."""

    def __init__(self, server: Server, port: int, folder: Path) -> None:
        self.server = server
        self.port = port
        #: When its ticker ticked, by time.monotonic(); known when it has ended.
        self.ticks = array("d")
        self._folder = folder

    @property
    def pid(self) -> int:
        return self.server.pid

    def wait_for_height(self, height: int) -> Growth:
        """Wait until the archive is so long, and return what was noted then."""
        deadline = time.monotonic() + REPLY_TIMEOUT
        while time.monotonic() < deadline:
            for growth in self._growths():
                if growth.height == height:
                    return growth
            time.sleep(POLL)
        raise BenchmarkError(f"the node's archive has not reached {height} chats")

    def archived(self) -> int:
        """Count the chats of the node's own that it has reported to be in the archive."""
        return self.server.read().count(b'"state":"archived"')

    def compute(self, seconds: float) -> None:
        """Let its threads mine and verify for so long, if it was started with them."""
        sign = self._folder / COMPUTE
        sign.touch()
        time.sleep(seconds)
        sign.unlink()

    def _growths(self) -> list[Growth]:
        lines = (self._folder / GROWTHS).read_bytes().split(b"\n")
        return [msgspec.json.decode(line, type=Growth) for line in lines[:-1]]

    def wait_until_listening(self) -> None:
        """Wait until it has read its archive and peers can link to it."""
        deadline = time.monotonic() + REPLY_TIMEOUT
        while (archive := self.server.ask("/archive"))["loading"] or not archive["port"]:
            if time.monotonic() > deadline:
                raise BenchmarkError("the node does not listen on its archive's port")


@contextmanager
def archive_node(
    archive: Archive | None = None,
    *,
    unmined: bool = True,
    ticks: bool = False,
    computing: bool = False,
) -> Iterator[ArchiveNode]:
    """Run a node that finds this archive in its folder, of chats that may be `unmined`."""
    flags = [*["--unmined"] * unmined, *["--ticks"] * ticks, *["--computing"] * computing]
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port(HOST)
        if archive is not None:
            (folder / "archive.bin").write_bytes(archive.view())
        (folder / "config.json").write_text("{}")
        with running(
            *(sys.executable, "-m", "benchmarks.archive_launch", name, *flags),
            *("--nodaemon", "p2pchat", "--name", "alice", "--console", "json"),
            *("--config", str(folder / "config.json"), "--data-dir", name, "--no-rendezvous"),
            *("--bind", "127.0.0.1", "--port", str(free_port())),
            *("--archive-bind", HOST, "--archive-port", str(port)),
        ) as server:
            node = ArchiveNode(server, port, folder)
            node.wait_until_listening()
            yield node
        if ticks:
            node.ticks.frombytes((folder / TICKS).read_bytes())

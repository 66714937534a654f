"""The node that is attacked, in a process and a folder of its own, and how it is looked at."""

import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Protocol

from tests.hostile.attack import Attack, archive_bytes
from tests.hostile.target import ARCHIVE_HOST, NAME, Target
from tests.integration.archive_cases import published
from tests.integration.nodes import Node
from tests.integration.programs import HERE, free_port
from tests.integration.terminal import TerminalSession
from tests.integration.waiting import wait_until

#: Who said something, and its msg_id.
Said = tuple[str, str]


class Attacked(Protocol):
    """A running node, whatever it is driven by."""

    @property
    def pid(self) -> int: ...

    def history(self) -> Counter[Said]:
        """Count all that it keeps."""

    def close(self) -> None:
        """End it; AssertionError if it complained of anything."""


class JsonNode(Node):
    """A node that is driven by JSON."""

    def history(self) -> Counter[Said]:
        return exported(Path(self.data("/export all.jsonl")["file"]))


class TerminalNode:
    """A node in a terminal; a thread reads all that it shows."""

    def __init__(self, home: Path, *options: str) -> None:
        self._home = home
        self._session = _Recording(home, "p2pchat", *options)
        self._session.wait_for_line("listens on")
        self._leaving = Event()
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._session.process.pid

    @property
    def shown(self) -> str:
        """All that the terminal was told to show."""
        return "".join(self._session.shown)

    def history(self) -> Counter[Said]:
        self._session.type("/export all.jsonl\r")
        found = wait_until(lambda: next(self._home.rglob("all.jsonl"), None), "the export")
        wait_until(lambda: "messages" in self.shown.rpartition("/export")[2], "its end")
        return exported(found)

    def close(self) -> None:
        self._leaving.set()
        self._reader.join()
        self._session.close()
        log = "".join(path.read_text() for path in self._home.rglob("p2pchat.log*"))
        if "Traceback" in log:
            raise AssertionError(f"it complained: {log[-5000:]}")

    def _read(self) -> None:
        with suppress(OSError):  # it ended
            while not self._leaving.is_set():
                self._session.read(0.05)


class _Recording(TerminalSession):
    """Keeps what it was told to show, as it came."""

    def __init__(self, home: Path, *arguments: str) -> None:
        self.shown: list[str] = []
        super().__init__(home, *arguments)
        show = self.screen.write

        def note(text: str) -> None:
            self.shown.append(text)
            show(text)

        self.screen.write = note  # type: ignore[method-assign]  # of this one screen

    def read(self, timeout: float) -> None:
        self._read(timeout)


def exported(file: Path) -> Counter[Said]:
    """Count what an exported file has of each peer's msg_id."""
    entries = map(json.loads, file.read_text().splitlines())
    return Counter((entry["from"], entry["msg_id"]) for entry in entries)


@contextmanager
def scene(
    attack: type[Attack], make: Callable[..., JsonNode] = JsonNode
) -> Iterator[tuple[Attacked, Target]]:
    """Start the node that an attack is for; it is ended in any case."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="p2pchat-")))
        target = Target(free_port(), free_port(), free_port(), free_port())
        options = [*_options(attack, target), "--data-dir", str(home / "data")]
        (home / "config.json").write_text(json.dumps(attack.config))
        if attack.archive:
            (home / "data").mkdir(mode=0o700)
            (home / "data" / "archive.bin").write_bytes(archive_bytes(published()))
        node = TerminalNode(home, *options) if attack.terminal else make(home, *options)
        stack.callback(node.close)
        if isinstance(node, JsonNode):
            _wait_until_settled(node, archive=attack.archive)
        yield node, target


def _options(attack: type[Attack], target: Target) -> list[str]:
    options = ["--name", NAME, "--bind", HERE, "--port", str(target.chat)]
    options += ["--rendezvous", f"{HERE}:{target.rendezvous}"]
    options += ["--metrics", str(target.metrics)] if attack.metrics else []
    if attack.archive:
        return [*options, "--archive-port", str(target.archive), "--archive-bind", ARCHIVE_HOST]
    return [*options, "--no-archive"]


def _wait_until_settled(node: JsonNode, *, archive: bool) -> None:
    node.wait_until_ready()
    if archive:
        wait_until(lambda: node.data("/archive")["height"] >= len(published()), "its archive")

"""Real nodes talk, and what each of them reads is written down: `python -m tests.fuzz.exchanges`.

A rendezvous server that keeps its list in a Redis, and two nodes: they find each other, talk,
publish and archive, one of them leaves and comes back. What came in goes to tests/fuzz/exchanges/,
a file for each connection, from which `tests.fuzz.record` makes inputs. Ids, times and ports are
others each time. Needs redis-server.
"""

import json
import shutil
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.integration.nodes import Node
from tests.integration.programs import HERE, free_port
from tests.integration.rendezvous_service import Server
from tests.integration.waiting import wait_until
from tests.rendezvous.redis_server import RedisServer

EXCHANGES = Path(__file__).parent / "exchanges"

#: Longest file that is kept, in bytes, and how many there are of a kind at most.
MAX_SIZE, MAX_FILES = 8192, 4

CONFIG = {
    "connection": {"ping_interval": 1, "discovery_interval": 1, "reconnect_backoff_base": 1},
    "archive": {"peer_request_interval": 0.5, "archive_request_interval": 1},
    "rendezvous": {"embedded": False},
}


def notes_of(folder: Path) -> Callable[..., list[str]]:
    """Return what makes the command line of a program that writes down what it reads."""
    folder.mkdir(parents=True, exist_ok=True)
    command = (sys.executable, "-m", "tests.fuzz.listening", str(folder), "-n")
    return lambda *arguments: [*command, *arguments]


class NotedNode(Node):
    """A node that writes down what it reads."""

    def command(self, *arguments: str) -> list[str]:
        return notes_of(self.home / "notes")(*arguments)


class NotedServer(Server):
    """A rendezvous server that does."""

    def __init__(self, home: Path, *options: str) -> None:
        self._notes = home / "notes"
        super().__init__(home, *options)

    def command(self, *arguments: str) -> list[str]:
        return notes_of(self._notes)(*arguments)


class _Cleanups:
    """What a RedisServer wants of a test."""

    def __init__(self, stack: ExitStack) -> None:
        self.addCleanup = stack.callback


def converse(folder: Path) -> None:
    """Let them talk; what each reads is in notes/ of its folder."""
    with ExitStack() as stack:
        redis = RedisServer(_Cleanups(stack))
        (folder / "server").mkdir()
        place = f"redis://{HERE}:{redis.port}"
        server = NotedServer(folder / "server", "--registry", place)
        stack.callback(server.close)
        server.wait_until_ready()
        ports = (server.port, free_port())
        alice = _start(stack, folder, "alice", "127.7.0.1", *ports)
        alice.wait_until_ready()
        bob = _start(stack, folder, "bob", "127.7.0.2", *ports)
        alice.discover("bob@CIC")
        _talk(alice, bob)
        bob.data("/quit")
        bob.wait_for_exit()
        alice.data("/msg bob while you are away")
        bob = _start(stack, folder, "bob", "127.7.0.2", *ports)
        bob.wait_for("message", text="while you are away")
        wait_until(lambda: bob.data("/rtt"), "a PONG")
        bob.data("/quit")
        bob.wait_for_exit()


def _start(
    stack: ExitStack, folder: Path, name: str, host: str, rendezvous: int, archive: int
) -> NotedNode:
    home = folder / name
    home.mkdir(exist_ok=True)
    (home / "config.json").write_text(json.dumps(CONFIG))
    node = NotedNode(
        home,
        *("--name", name, "--bind", host, "--port", str(free_port())),
        *("--rendezvous", f"{HERE}:{rendezvous}", "--data-dir", str(home / "data")),
        *("--archive-port", str(archive), "--archive-bind", host),
    )
    stack.callback(node.close)
    return node


def _talk(alice: Node, bob: Node) -> None:
    bob.deliver("alice", "reunião às 15h")
    alice.deliver("bob", "até já \U0001f44b")
    alice.data("/pub * good morning")
    bob.data("/pub #CIC good morning, all")
    alice.wait_for("message", text="good morning, all")
    for number, node in enumerate((alice, bob, alice)):
        node.data(f"/chat chat number {number}")
        _wait_for_height(number + 1, alice, bob)
    for line in ("/peers", "/status", "/history bob 5", "/search 15h", "/archive", "/hist all"):
        alice.data(line)
    alice.ask("/nonsense here")


def _wait_for_height(height: int, *nodes: Node) -> None:
    for node in nodes:
        wait_until(lambda node=node: node.data("/archive")["height"] >= height, "the chat")


def keep(found: Path, kept: Path) -> None:
    """Keep the first files of each kind, in the place of those that are there."""
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir()
    numbers: dict[str, int] = {}
    for path in sorted(found.glob("*/notes/*"), key=lambda path: path.stat().st_mtime_ns):
        kind = path.name.rpartition("-")[0]
        number = numbers.get(kind, 0)
        if number < MAX_FILES and path.read_bytes():
            (kept / f"{kind}-{number}").write_bytes(path.read_bytes()[:MAX_SIZE])
            numbers[kind] = number + 1


def main() -> None:
    with TemporaryDirectory(prefix="p2pchat-") as name:
        converse(Path(name))
        keep(Path(name), EXCHANGES)
    print("\n".join(f"{path.name}: {path.stat().st_size}" for path in sorted(EXCHANGES.iterdir())))


if __name__ == "__main__":
    main()

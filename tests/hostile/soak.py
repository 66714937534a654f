"""A node in a network that never comes to rest: `python -m tests.hostile.soak [--minutes 60]`.

All intervals are short, so that an hour has days in it. Peers come, talk, leave and are killed;
another node is killed and comes back; chats are mined; the rendezvous server restarts. Memory, open
files, threads, timers and objects of the node have to be level in the second half, nothing that was
accepted may be lost, and what the node itself said has to arrive, its chats included. The exit
status is 1 if not.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks.linux import resident_bytes
from tests.hostile.arrivals import BOB, BOB_HOST, Said
from tests.hostile.churn import Churn, Restarted, Talkers, visit
from tests.hostile.level import Level, judged, report
from tests.hostile.scene import JsonNode
from tests.hostile.target import ARCHIVE_HOST, NAME
from tests.hostile.watched import WatchedNode
from tests.integration.programs import HERE, free_port
from tests.integration.rendezvous_service import Server

#: Seconds between two samples, and at the start that are not sampled.
PAUSE = 1.0
WARMING_UP = 10.0

#: What each figure may rise by in the second half, whatever its noise: bytes in MB, or a number.
FLOORS = {"memory, MB": 4.0, "open files": 5.0, "threads": 2.0, "timers": 10.0, "objects": 5000.0}

#: What the memory is made of; it is told, and not judged twice.
PARTS = {"SQLite's, MB": "sqlite", "malloc's, MB": "malloc", "free in it, MB": "free"}

CONFIG: dict[str, Any] = {
    "connection": {
        "ping_interval": 1,
        "discovery_interval": 1,
        "reconnect_backoff_base": 1,
        "reconnect_backoff_max": 2,
    },
    "limits": {"handshake_timeout": 2},
    "rendezvous": {"embedded": False},
    "archive": {
        "peer_request_interval": 0.5,
        "archive_request_interval": 1,
        "progress_timeout": 3,
    },
}


@dataclass
class Samples:
    """What was measured of a process, each figure by its name."""

    figures: dict[str, list[float]] = field(
        default_factory=lambda: {name: [] for name in (*FLOORS, *PARTS)}
    )

    def take(self, node: WatchedNode) -> None:
        """Measure once."""
        process, noted = Path(f"/proc/{node.pid}"), node.noted()
        values = (
            resident_bytes(node.pid) / 1e6,
            len(os.listdir(process / "fd")),
            len(os.listdir(process / "task")),
            noted["timers"],
            noted["objects"],
            *(noted[part] for part in PARTS.values()),
        )
        for series, value in zip(self.figures.values(), values, strict=True):
            series.append(value)

    def levels(self) -> list[Level]:
        return [judged(name, self.figures[name], floor) for name, floor in FLOORS.items()]

    def parts(self) -> list[Level]:
        """Tell what became of what the memory is made of, and judge none of it."""
        return [judged(name, self.figures[name], float("inf")) for name in PARTS]


class Soak:
    """The node, all that goes on around it, and what is wrong in the end."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self._folder = folder
        self._chat, self._rendezvous, self._archive = free_port(), free_port(), free_port()
        self._bob_port = free_port()
        self._turns = count()
        self._server_homes = count()
        server = Restarted(self._start_server)
        stack.callback(server.close)
        self.node = self._start(WatchedNode, NAME, self._chat, ARCHIVE_HOST)
        stack.callback(self.node.close)
        self.bob = bob = Restarted(lambda: self._start(JsonNode, "bob", self._bob_port, BOB_HOST))
        stack.callback(bob.close)
        self.said = Said()
        self.talkers = Talkers(self._chat, random.Random())
        stack.callback(self.talkers.close)
        self.churns = {
            "visits": Churn(self.talkers.round, 0.05),
            "restarts of a node": Churn(bob.round, 15),
            "restarts of the rendezvous": Churn(server.round, 20),
            "visits to the archive": Churn(self._visit, 5),
            "commands": Churn(self._command, 1),
        }
        for churn in self.churns.values():
            churn.start()
            stack.callback(churn.close)

    def run(self, seconds: float) -> Samples:
        """Let it go on, and measure."""
        samples = Samples()
        self.node.wait_until_ready()
        time.sleep(min(WARMING_UP, seconds / 4))
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            time.sleep(PAUSE)
            samples.take(self.node)
        return samples

    def stop(self) -> None:
        """Have all leave that come and go, but for the processes."""
        for churn in self.churns.values():
            churn.close()

    def complaints(self, samples: Samples) -> list[str]:
        """Return what is wrong after all."""
        history, accepted = self.node.history(), self.talkers.tally.accepted
        wrong = [f"{level.name} is not level" for level in samples.levels() if not level.ok]
        lost = sum(history[said] != 1 for said in accepted)
        wrong += [f"{lost} accepted messages are lost or kept twice"] if lost else []
        for name, churn in self.churns.items():
            wrong += [f"{name}: {text}" for text in churn.complaints()]
        wrong += self.said.complaints(self.node, self.bob.current)
        return wrong + ([] if accepted else ["nothing was accepted"])

    def _start(self, kind: type[Any], name: str, port: int, archive_host: str) -> Any:
        home = self._folder / name
        home.mkdir(exist_ok=True)
        # the node's archive is not where its chat is, so bob has to be told
        archive = CONFIG["archive"] | ({} if name == NAME else {"peers": [ARCHIVE_HOST]})
        (home / "config.json").write_text(json.dumps(CONFIG | {"archive": archive}))
        return kind(
            home,
            *("--name", name, "--bind", HERE, "--port", str(port)),
            *("--rendezvous", f"{HERE}:{self._rendezvous}", "--data-dir", str(home / "data")),
            *("--archive-port", str(self._archive), "--archive-bind", archive_host),
        )

    def _start_server(self) -> Server:
        home = self._folder / f"server{next(self._server_homes)}"
        home.mkdir()
        place = ("--port", str(self._rendezvous), "--data-dir", str(home))
        return Server(home, *place, "--registry", "memory")

    def _visit(self) -> None:
        visit("127.7.0.9", self._archive, ARCHIVE_HOST)

    def _command(self) -> None:
        turn = next(self._turns)
        self.said.message(self.node.data(f"/msg {BOB} number {turn}")["msg_id"])
        if turn % 3 == 0:
            self.node.data(f"/pub * publication {turn}")
        if turn % 10 == 0:
            self.node.data(f"/chat chat {turn}")
            self.said.chat(f"chat {turn}")
        self.node.data("/status")


def main(arguments: list[str] | None = None) -> int:
    """Run for so many minutes; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="how long [60]")
    minutes = parser.parse_args(arguments).minutes
    folder = tempfile.TemporaryDirectory(prefix="p2pchat-", ignore_cleanup_errors=True)
    with ExitStack() as stack:
        soak = Soak(stack, Path(stack.enter_context(folder)))
        samples = soak.run(60 * minutes)
        soak.stop()
        wrong = soak.complaints(samples)
        rounds = {name: churn.rounds for name, churn in soak.churns.items()}
    print(report([*samples.levels(), *samples.parts()]))
    print(", ".join(f"{name}: {number:,}" for name, number in rounds.items()))
    print(f"accepted: {len(soak.talkers.tally.accepted):,}; {soak.said}")
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

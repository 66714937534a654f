"""Killed processes and full disks: what was said to be stored is there, once and in order."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from itertools import islice
from pathlib import Path
from random import Random
from signal import SIGKILL
from threading import Timer
from typing import Any

import p2pchat
from p2pchat.store.sqlite import CONSEQUENCE
from tests.store.cases import StoreCase, uuid

#: How long a child may take for a line, in seconds; only a hang ever does.
PATIENCE = 60


class FaultCase(StoreCase):
    """A folder, and children that store into it; `said` is what all of them said so far."""

    def setUp(self) -> None:
        super().setUp()
        self.end()
        self.said: list[tuple[str, list[Any]]] = []

    def run_child(self, *arguments: object, lines: int | None = None) -> int:
        """Run a child to its end, or kill it when it has said so many lines; return its status."""
        root = Path(p2pchat.__file__).parents[1]
        command = [sys.executable, "-m", "tests.store.child", str(self.folder)]
        with subprocess.Popen(
            [*command, *map(str, arguments)], stdout=subprocess.PIPE, cwd=root
        ) as process:
            watchdog = Timer(PATIENCE, process.kill)
            watchdog.start()
            assert process.stdout is not None
            for said in map(self.note, islice(process.stdout, lines)):
                self.assertTrue(said)
            if lines is not None:
                process.kill()
            # what it said before it was gone, but for half a line
            for line in process.stdout:
                if line.endswith(b"\n"):
                    self.note(line)
            watchdog.cancel()
        return process.returncode

    def note(self, line: bytes) -> str:
        what, *rest = json.loads(line)
        self.said.append((what, rest))
        return str(what)

    def all_said(self, *what: str) -> list[Any]:
        return [one for said, rest in self.said if said in what for one in rest]

    def received(self) -> list[str]:
        """Return the ids of all that came in, in the order of storing."""
        with closing(sqlite3.connect(self.path)) as db:
            self.assertEqual(db.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
        self.assertEqual(self.begin().notices, [])
        entries = [entry for page in self.exported() for entry in page]
        entries.sort(key=lambda entry: entry.stored_id)
        return [entry.msg_id for entry in entries if entry.direction == "in"]


class KillTests(FaultCase):
    ROUNDS = 8

    def test_what_was_said_to_be_stored_is_there_once(self) -> None:
        random = Random(1)
        for _ in range(self.ROUNDS):
            first = max(self.all_said("stored"), default=-1) + 1
            self.assertEqual(self.run_child(first, lines=random.randrange(1, 60)), -SIGKILL)
        stored = self.all_said("stored")
        self.assertGreater(len(stored), 100)
        self.assertEqual(self.all_said("failed", "unsent", "opened"), [])
        there = self.received()
        # what was stored and not said any more was sent again, and was there already
        self.assertEqual(there, [uuid(number) for number in range(len(there))])
        self.assertLessEqual(max(stored), len(there))
        self.assertEqual(len(set(stored)), len(stored))
        self.check_outbox()

    def check_outbox(self) -> None:
        waiting = [entry.msg_id for entry in self.get(self.history.outbox())]
        entries = [entry for page in self.exported() for entry in page]
        states = {entry.msg_id: entry.state for entry in entries if entry.direction == "out"}
        for msg_id, state in states.items():
            self.assertEqual(msg_id in waiting, state == "queued", msg_id)
        for number in self.all_said("queued"):
            self.assertIn(states.get(f"out {number}"), ("queued", "delivered"))
        for number in self.all_said("settled"):
            self.assertEqual(states[f"out {number}"], "delivered")
        self.assertEqual(len(waiting), len(set(waiting)))


class FullDiskTests(FaultCase):
    def test_only_what_finds_no_room_fails_and_then_it_goes_on(self) -> None:
        for limit in (300_000, 400_000, 450_001):
            self.said.clear()
            self.fill_folder({})
            self.assertEqual(self.run_child(0, limit), 0)
            stored, failed = self.all_said("stored"), self.all_said("failed")
            self.assertGreater(len(failed), 0)
            # there was room again before they were sent again
            self.assertLess(set(failed), set(stored))
            self.assertEqual(self.said[-1], ("closed", []))
            notices = [rest for said, rest in self.said if said == "told"]
            self.assertEqual(
                notices,
                [
                    ["error", f"the history cannot be written: disk I/O error; {CONSEQUENCE}"],
                    ["info", "the history is written again"],
                ],
            )
            there = self.received()
            self.assertEqual(sorted(there), sorted(map(uuid, stored)))
            self.assertEqual(len(there), len(set(there)))
            self.end()

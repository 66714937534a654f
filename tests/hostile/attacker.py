"""The process of an attacker: `python -m tests.hostile.attacker NAME TARGET`.

It prepares and says so with a line, begins at the first line it is told, passes on those that
follow, and ends with its input: then its tally is the last line.
"""

import json
import os
import select
import subprocess
import sys
from threading import Thread
from typing import IO, Any

from tests.hostile.attack import Attack
from tests.hostile.attacks import ATTACKS
from tests.hostile.target import Tally, Target
from tests.integration.programs import ROOT
from tests.integration.waiting import PATIENCE, Record

#: For so long an attacker may prepare itself, in seconds.
_PREPARING = 60.0


class Attacker:
    """The same seen from outside."""

    def __init__(self, attack: type[Attack], target: Target) -> None:
        command = [sys.executable, "-m", "tests.hostile.attacker", attack.name]
        self._process = subprocess.Popen(
            [*command, json.dumps(target.as_json())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            text=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._input: IO[str] = self._process.stdin
        self._output: IO[str] = self._process.stdout
        self._lines: Record[str] = Record()
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self._next_line(_PREPARING)
        except AssertionError:
            self.close()
            raise

    def tell(self, line: str) -> None:
        """Tell it something; the first time, to begin."""
        self._input.write(line + "\n")
        self._input.flush()

    def stop(self) -> Tally:
        """Have it stop and return its tally."""
        self._input.close()
        return Tally.from_json(json.loads(self._next_line(PATIENCE)))

    def close(self) -> None:
        self._process.kill()
        self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        self._input.close()
        self._output.close()

    def _next_line(self, timeout: float) -> str:
        return self._lines.take(lambda _: True, "a line of the attacker", timeout)

    def _read(self) -> None:
        for line in self._output:
            self._lines.add(line)
        self._lines.end("the attacker's process ended")


def attack(made: Attack, lines: int, received: bytes = b"") -> None:
    """Attack until the input ends; `lines` is its file descriptor, `received` what it brought."""
    while True:
        *whole, received = received.split(b"\n")
        for line in whole:
            made.told(line.decode())
        made.step()
        if select.select([lines], [], [], 0)[0]:
            data = os.read(lines, 4096)
            if not data:
                return
            received += data


def main(name: str, target: dict[str, Any]) -> None:
    made = ATTACKS[name](Target(**target), tally := Tally())
    made.prepare()
    print("prepared", flush=True)
    _, _, received = os.read(0, 4096).partition(b"\n")
    attack(made, 0, received)
    made.finish()
    print(json.dumps(tally.as_json()), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))

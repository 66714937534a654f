"""Runs the targets one after the other, each in a process of its own, and tells what came of it."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from hashlib import sha1
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tests.fuzz.targets import load

HERE = Path(__file__).parent
CORPUS, FOUND = HERE / "corpus", HERE / "found"

#: Seconds that one input may take, and megabytes that the process may.
INPUT_TIME = 10
MEMORY = 512

#: Seconds that a process may take to start and to read the corpus, beyond the time it is given.
PATIENCE = 120

_STATE = re.compile(rb"^#(\d+)\s+\w+\s+cov: (\d+) ft: (\d+) corp: (\d+)/", re.MULTILINE)
_DONE = re.compile(rb"^Done (\d+) runs in (\d+)", re.MULTILINE)


class Outcome(NamedTuple):
    """What one target came to; `finding` is the input that broke it, `words` what it said."""

    target: str
    executions: int
    coverage: int
    corpus: int
    finding: Path | None = None
    words: str = ""

    @property
    def is_good(self) -> bool:
        return not self.words


def inputs_of(target: str) -> list[Path]:
    """Return the inputs that are kept: recorded ones, and those that once broke it."""
    folders = (CORPUS / target, FOUND / target)
    return [path for folder in folders if folder.is_dir() for path in sorted(folder.iterdir())]


def run(
    targets: Sequence[str], seconds: int, seed: int, say: Callable[[str], None]
) -> list[Outcome]:
    """Fuzz these targets for so many seconds in all, at least one second each."""
    share = max(1, seconds // len(targets))
    outcomes = []
    say(HEADER)
    for target in targets:
        outcomes.append(_fuzz(target, share, seed))
        say(row(outcomes[-1]))
    return outcomes


HEADER = f"{'target':20} {'executions':>10} {'coverage':>8} {'corpus':>6}  findings"


def row(outcome: Outcome) -> str:
    """Return a line of the table."""
    finding = "none" if outcome.is_good else outcome.words
    return (
        f"{outcome.target:20} {outcome.executions:10} {outcome.coverage:8} {outcome.corpus:6}  "
        f"{finding}"
    )


def replay_command(target: str, path: Path) -> str:
    """Return the command that lets one input break its target again."""
    shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    return f"python -m tests.fuzz --replay {shown} {target}"


def _fuzz(target: str, seconds: int, seed: int) -> Outcome:
    with TemporaryDirectory(prefix="p2pchat-fuzz-") as name:
        folder = Path(name)
        output = folder / "output"
        with output.open("wb") as log:
            status = _run_child(target, seconds, seed, folder, log.fileno())
        return _outcome(target, folder, output.read_bytes(), status)


def _run_child(target: str, seconds: int, seed: int, folder: Path, log: int) -> int:
    """Run one process in a copy of the corpus; return its exit status, -9 if it hangs."""
    corpus = folder / "corpus"
    corpus.mkdir()
    for path in inputs_of(target):
        shutil.copy(path, corpus)
    module = load(target)
    words = folder / "words"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in dict.fromkeys(module.WORDS)))
    arguments = {
        "max_total_time": seconds,
        "timeout": INPUT_TIME,
        "rss_limit_mb": MEMORY,
        "max_len": module.MAX_LENGTH,
        "seed": seed,
        "dict": words,
        "artifact_prefix": f"{folder}/",
        "print_final_stats": 1,
    }
    command = [sys.executable, "-m", "tests.fuzz.one", target, str(corpus)]
    command += [f"-{key}={value}" for key, value in arguments.items()]
    try:
        done = subprocess.run(
            command, stdout=log, stderr=log, timeout=seconds + PATIENCE, cwd=HERE.parents[1]
        )
    except subprocess.TimeoutExpired:
        return -9
    return done.returncode


def _outcome(target: str, folder: Path, output: bytes, status: int) -> Outcome:
    states = [tuple(map(int, state)) for state in _STATE.findall(output)]
    runs, coverage, _, corpus = states[-1] if states else (0, 0, 0, 0)
    done = _DONE.findall(output)
    runs = int(done[-1][0]) if done else runs
    if status == 0 and done:
        return Outcome(target, runs, coverage, corpus)
    bad = [
        path for path in folder.iterdir() if path.name.startswith(("crash-", "timeout-", "oom-"))
    ]
    kept = _keep(target, bad[0]) if bad else None
    return Outcome(target, runs, coverage, corpus, kept, _complaint(output, status))


def _keep(target: str, path: Path) -> Path:
    """Keep the input of a finding, named by its hash."""
    data = path.read_bytes()
    folder = FOUND / target
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / sha1(data, usedforsecurity=False).hexdigest()[:12]
    kept.write_bytes(data)
    return kept


def _complaint(output: bytes, status: int) -> str:
    """Return the line that tells what went wrong: the exception, or what libFuzzer says."""
    lines = output.decode("utf-8", "replace").splitlines()
    for number, line in enumerate(lines):
        if "Uncaught Python exception" in line and number + 1 < len(lines):
            return lines[number + 1].strip()
    said = [line for line in lines if "ERROR:" in line or line.startswith("SUMMARY:")]
    return said[-1].strip() if said else f"ended with status {status}: {lines[-1:]}"


def _escaped(word: bytes) -> str:
    """Write a word as libFuzzer's dictionaries have it."""
    plain = set(range(0x20, 0x7F)) - set(b'"\\')
    return "".join(chr(byte) if byte in plain else f"\\x{byte:02X}" for byte in word)

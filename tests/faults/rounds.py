"""Many rounds, shared out to pairs of nodes that run at the same time."""

import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from threading import Event
from typing import NamedTuple

from tests.faults.ledger import Findings
from tests.faults.pair import Pair

#: How many pairs there are at the most; each needs a good part of a processor.
PAIRS = 2

#: After how many rounds of a pair there is a line of progress.
STEP = 10


class Outcome(NamedTuple):
    """What was done: how many messages were entered, and promised to arrive; what is wrong."""

    rounds: int
    messages: int
    promised: int
    kills: int
    findings: Findings

    @property
    def is_good(self) -> bool:
        return self.promised > 0 and not any(self.findings)


def run_rounds(rounds: int, seed: int, tell: Callable[[str], None]) -> Outcome:
    """Kill nodes so many times; `tell` is called from threads, with lines of progress.

    AssertionError if something that must happen does not; the files are left for a look then.
    """
    pairs = min(PAIRS, rounds)
    shares = [rounds // pairs + (number < rounds % pairs) for number in range(pairs)]
    folder = Path(tempfile.mkdtemp(prefix="p2pchat-faults-"))
    failed = Event()
    with ThreadPoolExecutor(pairs) as pool:
        running = [
            pool.submit(_run_pair, folder / str(number), share, Random(seed + number), tell, failed)
            for number, share in enumerate(shares)
        ]
    try:
        outcome = _sum([future.result() for future in running])
    except AssertionError as error:
        raise AssertionError(f"{error}\n(seed {seed}; the nodes' files are in {folder})") from error
    if outcome.is_good:
        shutil.rmtree(folder)
    else:
        tell(f"the nodes' files are in {folder}")
    return outcome


def _run_pair(
    folder: Path, rounds: int, rng: Random, tell: Callable[[str], None], failed: Event
) -> Outcome:
    """Run one pair; it ends early when `failed` is set, as it is by a pair that goes wrong."""
    folder.mkdir()
    try:
        with Pair(folder, rng) as pair:
            for number in range(1, rounds + 1):
                if failed.is_set():
                    break
                pair.fail_once()
                if number % STEP == 0:
                    said = sum(len(ledger.entered) for ledger in pair.ledgers)
                    tell(f"pair {folder.name}: round {number} of {rounds}, {said} messages")
            return _outcome(pair, rounds)
    except BaseException:
        failed.set()
        raise


def _outcome(pair: Pair, rounds: int) -> Outcome:
    findings = pair.finish()
    messages = sum(len(ledger.entered) for ledger in pair.ledgers)
    promised = sum(ledger.promised for ledger in pair.ledgers)
    return Outcome(rounds, messages, promised, pair.kills, findings)


def _sum(outcomes: list[Outcome]) -> Outcome:
    rounds, messages, promised, kills, findings = zip(*outcomes, strict=True)
    nothing = Findings([], [], [], [], [])
    return Outcome(
        sum(rounds), sum(messages), sum(promised), sum(kills), sum(findings, start=nothing)
    )

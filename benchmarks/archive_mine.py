"""Looking for verification codes: how much of the possible rate is left?"""

import hashlib
import statistics
import time
from importlib import import_module
from itertools import repeat
from random import Random
from typing import Any, NamedTuple

from benchmarks.archive_chats import unmined
from benchmarks.figures import Baseline, BenchmarkError, Figure, ratio_at_least
from p2pchat.archive.kernel import search
from p2pchat.archive.record import CODE_SIZE, PROOF, WINDOW

#: Chats that are mined in a round, 65,536 tries each on average.
CHATS = 8
ROUNDS = 7

WANTED_RATIO = 0.9


class Rates(NamedTuple):
    """Tries a second of CPU time: of ours, and of bare loops with either MD5."""

    ours: float
    openssl: float
    builtin: float


def measure() -> list[Figure]:
    """Measure rounds by turns, after one of each that does not count; report the middle ones."""
    rng = Random(1)
    rounds = [_round(rng) for _ in range(ROUNDS + 1)][1:]
    rates = Rates(*(statistics.median(column) for column in zip(*rounds, strict=True)))
    wanted = ratio_at_least(WANTED_RATIO)
    return [
        Figure("mining", "tries/s", rates.ours, Baseline(f"bare loop, {name}", rate), wanted)
        for name, rate in (("hashlib.md5", rates.openssl), ("_md5.md5", rates.builtin))
    ]


def _round(rng: Random) -> Rates:
    base = unmined(WINDOW, seed=rng.getrandbits(32))
    prefixes = [base.prefix_for(rng.randbytes(20).hex().encode()) for _ in range(CHATS)]
    tries, *seconds = map(sum, zip(*map(_mine_and_try, prefixes), strict=True))
    return Rates(*(tries / part for part in seconds))


def _mine_and_try(prefix: bytes) -> tuple[float, ...]:
    """Mine a chat, then try as often without looking at what comes out.

    Return how many tries that were, and the seconds of CPU time of each.
    """
    started = time.process_time()
    tries = _mine(prefix)
    ours = time.process_time() - started
    return tries, ours, *(_try(md5, prefix, tries) for md5 in (hashlib.md5, builtin_md5()))


def _mine(prefix: bytes) -> int:
    """Search until a code is found; return how many were tried."""
    code = search(prefix, lambda: False)
    if code is None or not hashlib.md5(prefix + code).digest().startswith(PROOF):
        raise BenchmarkError("the search found what is no verification code")
    return int.from_bytes(code, "big") + 1


def _try(md5: Any, prefix: bytes, tries: int) -> float:
    code, state = bytes(CODE_SIZE), md5(prefix)
    started = time.process_time()
    for _ in repeat(None, tries):
        attempt = state.copy()
        attempt.update(code)
        attempt.digest()
    return time.process_time() - started


def builtin_md5() -> Any:
    """Return the interpreter's own MD5, which copies a state faster; OpenSSL's if there is none."""
    try:
        return import_module("_md5").md5
    except ImportError:
        return hashlib.md5

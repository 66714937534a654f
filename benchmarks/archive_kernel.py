"""The arithmetic alone, by each kernel that this machine can run, beside loops on hashlib.

All is CPU time, but for two threads beside one.
"""

import hashlib
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import repeat
from typing import Any

from benchmarks.archive_chats import HEIGHT, unmined, window
from benchmarks.archive_mine import builtin_md5
from benchmarks.figures import (
    Baseline,
    BenchmarkError,
    Figure,
    Wanted,
    ratio_at_least,
    ratio_below,
)
from p2pchat.archive.archive import Archive
from p2pchat.archive.kernel.choice import kernels
from p2pchat.archive.kernel.seam import Kernel
from p2pchat.archive.record import CODE_SIZE, WINDOW

ROUNDS = 7

#: For how long tries are made at a time, in seconds.
SPAN = 0.1

#: More zero bytes than will be found.
TOO_MANY = 4

#: What is wanted of the fastest kernel, if it is one in C.
MINING, THREADS, VERIFYING = 60, 1.8, 1 / 8

#: Measures once; the figure is made of the middle of what several rounds bring.
Measure = Callable[[], float]


def measure() -> list[Figure]:
    """Measure rounds of everything by turns, after one that does not count."""
    archive = unmined(HEIGHT, seed=1)
    # their codes stand at every eighth place of a block: some take two blocks, and most take one
    prefixes = [archive.truncated(WINDOW).prefix_for(bytes(8 * step)) for step in range(8)]
    return [*_mining(prefixes), *_two_threads(prefixes), *_verifying(archive)]


def _mining(prefixes: list[bytes]) -> list[Figure]:
    bare: dict[str, Any] = {"hashlib.md5": hashlib.md5, "_md5.md5": builtin_md5()}
    ours = [partial(_tries, kernel) for kernel in kernels()]
    theirs = [partial(_bare_tries, md5) for md5 in bare.values()]
    rates = _middle([partial(_rate, tried, prefixes) for tried in (*ours, *theirs)])
    figures = []
    for kernel, rate in zip(kernels(), rates, strict=False):
        for name, baseline in zip(bare, rates[len(ours) :], strict=True):
            wanted = _wanted(kernel, ratio_at_least(MINING)) if baseline is rates[-1] else None
            loop = Baseline(f"midstate loop, {name}", baseline)
            figures.append(Figure(f"mining, {kernel.name}", "tries/s", rate, loop, wanted))
    return figures


def _two_threads(prefixes: list[bytes]) -> list[Figure]:
    kernel = kernels()[-1]
    with ThreadPoolExecutor(2) as pool:

        def on(threads: int) -> float:
            one = partial(_rate, partial(_tries, kernel), prefixes, time.perf_counter)
            return sum(each.result() for each in [pool.submit(one) for _ in range(threads)])

        rates = _middle([partial(on, 2), partial(on, 1)])
    wanted = _wanted(kernel, ratio_at_least(THREADS))
    baseline = Baseline("one thread", rates[1])
    return [Figure(f"mining, {kernel.name}, two threads", "tries/s", rates[0], baseline, wanted)]


def _verifying(archive: Archive) -> list[Figure]:
    windows = [window(archive, index) for index in range(archive.height)]
    ours: list[Measure] = [partial(_verify, kernel, archive) for kernel in kernels()]
    *seconds, bare = _middle([*ours, partial(_hash, archive, windows)])
    return [
        Figure(
            f"verifying {archive.height:,} chats, {kernel.name}",
            "s",
            taken,
            Baseline("hashlib.md5 of each window", bare),
            _wanted(kernel, ratio_below(VERIFYING)),
        )
        for kernel, taken in zip(kernels(), seconds, strict=True)
    ]


def _wanted(kernel: Kernel, wanted: Wanted) -> Wanted | None:
    """Return what is wanted, of a kernel in C that is the fastest here."""
    in_c = [each.name for each in kernels()[1:]]
    return wanted if kernel.name in in_c[-1:] else None


def _middle(measures: list[Measure]) -> list[float]:
    rounds = [[each() for each in measures] for _ in range(ROUNDS + 1)][1:]
    return [statistics.median(column) for column in zip(*rounds, strict=True)]


def _rate(
    tried: Callable[[bytes], int], prefixes: list[bytes], clock: Measure = time.thread_time
) -> float:
    """Return how many tries a second are made behind these prefixes, each a little at a time."""
    tries, began = 0, clock()
    while clock() - began < SPAN:
        tries += sum(map(tried, prefixes))
    return tries / (clock() - began)


def _tries(kernel: Kernel, prefix: bytes) -> int:
    """Try as often as between two looks; return how often that is."""
    looks = iter((False, True))
    if kernel.search(prefix, lambda: next(looks), 0, TOO_MANY) is not None:
        raise BenchmarkError("a code was found that is not to be had")
    return kernel.tries_a_look


def _bare_tries(md5: Any, prefix: bytes) -> int:
    """Try 4,096 times without looking at what comes out."""
    code, state = bytes(CODE_SIZE), md5(prefix)
    for _ in repeat(None, 4096):
        attempt = state.copy()
        attempt.update(code)
        attempt.digest()
    return 4096


def _verify(kernel: Kernel, archive: Archive) -> float:
    began = time.thread_time()
    invalid = kernel.first_invalid(archive.buffer, archive.offsets, 0, archive.height, 0)
    taken = time.thread_time() - began
    if invalid is not None:
        raise BenchmarkError(f"chat {invalid} is not valid")
    return taken


def _hash(archive: Archive, windows: list[tuple[int, int]]) -> float:
    view = archive.view()
    began = time.thread_time()
    for start, end in windows:
        hashlib.md5(view[start:end])
    return time.thread_time() - began

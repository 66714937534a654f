"""Giving up a search: how long until its threads have ended?"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from random import Random
from threading import Event

from benchmarks.archive_chats import unmined
from benchmarks.figures import Baseline, BenchmarkError, Figure, below
from p2pchat.archive.kernel.choice import kernels
from p2pchat.archive.kernel.seam import Kernel
from p2pchat.archive.record import WINDOW

#: How often a search is begun and given up, and for how long it goes on before that, in seconds.
ROUNDS = 50
SPAN = (0.005, 0.03)

#: More zero bytes than will be found.
TOO_MANY = 4

#: In milliseconds.
WANTED = 5


def measure() -> list[Figure]:
    """Measure each kernel that this machine can run; those in C on two threads, too."""
    prefix = unmined(WINDOW, seed=1).prefix_for(b"a chat")
    figures = []
    for kernel in kernels():
        for threads in (1, 2) if kernel.parallel else (1,):
            search = partial(_search, kernel, prefix)
            ours, least = (_longest(call, threads) for call in (search, Event.wait))
            name = f"a search is given up, {kernel.name}, {threads} thread{'s' * (threads > 1)}"
            baseline = Baseline("threads that wait for nothing else", least)
            figures.append(Figure(f"{name}: longest", "ms", ours, baseline, below(WANTED)))
    return figures


def _search(kernel: Kernel, prefix: bytes, over: Event) -> None:
    if kernel.search(prefix, over.is_set, 0, TOO_MANY) is not None:
        raise BenchmarkError("a code was found that is not to be had")


def _longest(call: Callable[[Event], object], threads: int) -> float:
    """Return the longest time from setting an event until all threads have ended, in ms."""
    rng, longest = Random(1), 0.0
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(ROUNDS):
            over = Event()
            running = [pool.submit(call, over) for _ in range(threads)]
            time.sleep(rng.uniform(*SPAN))
            given_up = time.perf_counter()
            over.set()
            for each in running:
                each.result()
            longest = max(longest, time.perf_counter() - given_up)
    return longest * 1000

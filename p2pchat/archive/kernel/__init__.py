"""The arithmetic of the archive: finding verification codes and checking them.

Two functions are all that mining and verifying need. They are computed in C where that could be
built, many MD5s at a time, and by the interpreter's MD5 otherwise; both find the same.
"""

import os
import time
from collections.abc import Callable, Sequence
from itertools import pairwise

from p2pchat.archive.kernel.choice import choose
from p2pchat.archive.kernel.choice import complaint as complaint_about
from p2pchat.archive.kernel.seam import ALIGNMENT, CODES, Kernel
from p2pchat.archive.record import PROOF

__all__ = [
    "ALIGNMENT",
    "CODES",
    "complaint",
    "first_invalid",
    "is_parallel",
    "name",
    "rate",
    "search",
    "tries_a_look",
]

#: Which kernel is used, in the environment: `python`, or a number of lanes; else the fastest.
VARIABLE = "P2PCHAT_KERNEL"

_kernel: Kernel = choose(os.environ.get(VARIABLE, ""))

#: How many zero bytes an MD5 has to begin with.
_zeros = len(PROOF)

#: More zero bytes than a few looks will find, and how many looks are timed.
_TOO_MANY, _LOOKS = 4, 3

_measured: dict[str, float] = {}


def search(prefix: bytes, stop: Callable[[], bool], start: int = 0) -> bytes | None:
    """Look for a verification code behind prefix that makes the MD5 begin with two zero bytes.

    Codes are tried upwards from `start`, rounded down to a multiple of ALIGNMENT; one in 65,536
    fits. Returns None if stop() came true first; it is asked before each tries_a_look() tries.
    """
    return _kernel.search(prefix, stop, start // ALIGNMENT * ALIGNMENT, _zeros)


def first_invalid(
    buffer: bytes | bytearray, offsets: Sequence[int], start: int, stop: int
) -> int | None:
    """Return the index of the first chat from start to before stop that is not valid, if any.

    `offsets` tell where each chat begins in buffer, and where the last one ends. Buffer must not be
    resized meanwhile.
    """
    return _kernel.first_invalid(buffer, offsets, start, stop, _zeros)


def tries_a_look() -> int:
    """Return how many codes are tried between two looks at whether to stop: 0.5 to 4 ms."""
    return _kernel.tries_a_look


def is_parallel() -> bool:
    """Tell whether several threads search faster than one."""
    return _kernel.parallel


def complaint() -> str:
    """Return what a user should know of the kernel: not the one wanted, or slow; else ""."""
    return complaint_about(os.environ.get(VARIABLE, ""))


def name() -> str:
    """Return what computes, for people."""
    return _kernel.name


def rate(clock: Callable[[], float] = time.perf_counter) -> float:
    """Return how many tries a second a thread can make; measured once, in 2 to 10 ms."""
    kernel = _kernel
    if kernel.name not in _measured:
        times: list[float] = []

        def look() -> bool:
            times.append(clock())
            return len(times) > _LOOKS

        kernel.search(b"", look, 0, _TOO_MANY)
        # the best of them: others may want the processor too
        quickest = min(after - before for before, after in pairwise(times))
        _measured[kernel.name] = kernel.tries_a_look / quickest
    return _measured[kernel.name]

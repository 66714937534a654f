"""The arithmetic in C (md5.c): many MD5s at a time, without the interpreter's lock.

A thread that computes all the time gives its core away every millisecond. Otherwise a reactor that
wakes up while all cores compute would wait for one until the scheduler's slice is over, which is
some milliseconds on Linux.
"""

import os
from array import array
from collections.abc import Callable, Sequence

from p2pchat.archive.kernel._lanes import ffi, lib
from p2pchat.archive.kernel.seam import ALIGNMENT, CODES
from p2pchat.archive.record import CODE_SIZE, WINDOW

#: Numbers of lanes that md5.c may have, and what has so many on most machines.
_NAMES = {4: "SSE2 or NEON", 8: "AVX2", 16: "AVX-512"}

#: Tries of one lane between two looks: half a millisecond, twice that where padding takes a block.
_TRIES_A_LANE = ALIGNMENT

#: Chats that are verified in one go: half a millisecond with the most lanes, two with the fewest.
_CHATS_A_GO = 1024


def widths() -> list[int]:
    """Return the numbers of lanes that this processor can run, the fewest first."""
    sum_of_them = lib.md5_lanes()
    return [lanes for lanes in _NAMES if sum_of_them & lanes]


class LanesKernel:
    """Computes so many MD5s at a time; ValueError if this processor can't."""

    parallel = True

    def __init__(self, lanes: int) -> None:
        if lanes not in widths():
            raise ValueError(f"this processor has no {lanes} lanes")
        self.lanes = lanes
        self.name = f"C, {lanes} lanes ({_NAMES[lanes]})"
        self.tries_a_look = lanes * _TRIES_A_LANE

    def search(
        self, prefix: bytes, stop: Callable[[], bool], start: int, zeros: int
    ) -> bytes | None:
        size, mask, tries = len(prefix), _mask(zeros), self.tries_a_look
        code = ffi.new("uint8_t[16]", (start % CODES).to_bytes(CODE_SIZE, "big"))
        while not stop():
            if lib.md5_search(prefix, size, code, tries, mask, self.lanes):
                return bytes(ffi.buffer(code))
            os.sched_yield()
        return None

    def first_invalid(
        self,
        buffer: bytes | bytearray,
        offsets: Sequence[int],
        start: int,
        stop: int,
        zeros: int,
    ) -> int | None:
        # a copy, so that others may go on adding to theirs; in it the first chat is `reach`
        first = max(0, start - (WINDOW - 1))
        ours = array("Q", offsets[first : stop + 1])
        count = len(ours) - 1
        with ffi.from_buffer(buffer) as data, ffi.from_buffer("uint64_t[]", ours) as numbers:
            chats = (data, len(buffer), numbers, WINDOW, _mask(zeros))
            pointer = ffi.new("struct md5_chats *", chats)
            for begin in range(start - first, count, _CHATS_A_GO):
                end = min(begin + _CHATS_A_GO, count)
                found = lib.md5_first_invalid(pointer, begin, end, self.lanes)
                if found < end:
                    return first + int(found)
                if end < count:
                    os.sched_yield()
        return None


def _mask(zeros: int) -> int:
    """Return the bits that are zero if the first bytes of an MD5 are, read as little-endian."""
    return (1 << 8 * zeros) - 1

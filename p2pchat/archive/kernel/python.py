"""The arithmetic by the interpreter's MD5, where there is no other: one MD5 at a time.

A window is hashed up to its last part once, and that state is copied for each try.
"""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from itertools import chain, repeat
from typing import Any

from p2pchat.archive.kernel.seam import CODES
from p2pchat.archive.record import CODE_SIZE, DIGEST_SIZE, WINDOW

#: Tries between two looks at whether to stop; one to four milliseconds.
TRIES_A_LOOK = 4096

#: The last two bytes of a code, in order; the others stay the same for all the tries of a look.
_SUFFIXES = [
    [number.to_bytes(2, "big") for number in range(first, first + TRIES_A_LOOK)]
    for first in range(0, 65536, TRIES_A_LOOK)
]

#: From 2,048 bytes on hashing lets go of the interpreter's lock. A thread that mines would take it
#: and keep it for 5 ms at each window that is verified; so windows are hashed in smaller pieces.
_PIECE = 2047


# OpenSSL's takes the same time for a byte, but three times as long to be copied and finished as the
# interpreter's own, which it can be built without
_md5 = hashlib.md5
with suppress(ImportError):
    _md5 = import_module("_md5").md5


class PythonKernel:
    """Computes with hashlib, or what it is made of."""

    parallel = False
    tries_a_look = TRIES_A_LOOK

    @property
    def name(self) -> str:
        return "hashlib.md5" if _md5 is hashlib.md5 else "_md5"

    def search(
        self, prefix: bytes, stop: Callable[[], bool], start: int, zeros: int
    ) -> bytes | None:
        state = _md5(prefix, usedforsecurity=False)
        look = start // TRIES_A_LOOK
        while not stop():
            stem = (look * TRIES_A_LOOK % CODES >> 16).to_bytes(CODE_SIZE - 2, "big")
            stemmed = state.copy()
            stemmed.update(stem)
            suffix = _fitting(stemmed.copy, _SUFFIXES[look % len(_SUFFIXES)], _limit(zeros))
            if suffix is not None:
                return stem + suffix
            look += 1
        return None

    def first_invalid(
        self,
        buffer: bytes | bytearray,
        offsets: Sequence[int],
        start: int,
        stop: int,
        zeros: int,
    ) -> int | None:
        ends = offsets[start + 1 : stop + 1]
        # a window reaches back over so many chats, the first ones to the beginning
        back = WINDOW - 1
        begins = chain(repeat(0, back - start), offsets[max(0, start - back) : max(0, stop - back)])
        md5, limit = _md5, _limit(zeros)
        with memoryview(buffer) as view:
            for index, (begin, end) in enumerate(zip(begins, ends, strict=False), start):
                digest_at = end - DIGEST_SIZE
                window = view[begin:digest_at]
                if digest_at - begin <= _PIECE:
                    digest = md5(window, usedforsecurity=False).digest()
                else:
                    digest = _digest_in_pieces(window)
                if digest >= limit or not buffer.startswith(digest, digest_at):
                    return index
        return None


def _limit(zeros: int) -> bytes:
    """Return what the MD5s are below that begin with zero bytes; the quickest way to tell."""
    return bytes(zeros - 1) + b"\1" if zeros else b"\xff" * (DIGEST_SIZE + 1)


def _fitting(copy: Callable[[], Any], suffixes: list[bytes], limit: bytes) -> bytes | None:
    """Return the first suffix that makes the MD5 right; copy() returns the state without it."""
    for suffix in suffixes:
        attempt = copy()
        attempt.update(suffix)
        if attempt.digest() < limit:
            return suffix
    return None


def _digest_in_pieces(window: memoryview) -> bytes:
    state = _md5(usedforsecurity=False)
    for start in range(0, len(window), _PIECE):
        state.update(window[start : start + _PIECE])
    return state.digest()

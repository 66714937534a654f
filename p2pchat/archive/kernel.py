"""The arithmetic of the archive: finding verification codes and checking them.

Two functions are all that mining and verifying need, so that a faster implementation can take
their place. A window is hashed up to its last part once, and that state is copied for each try.
"""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from itertools import chain, repeat
from typing import Any

from p2pchat.archive.record import CODE_SIZE, DIGEST_SIZE, WINDOW

#: Tries between two looks at whether to stop; one to four milliseconds.
TRIES_A_LOOK = 4096

_CODES = 1 << 8 * CODE_SIZE

#: The last two bytes of a code, in order; the others stay the same for all the tries of a look.
_SUFFIXES = [
    [number.to_bytes(2, "big") for number in range(first, first + TRIES_A_LOOK)]
    for first in range(0, 65536, TRIES_A_LOOK)
]

#: The MD5s below this one are those that begin with record.PROOF; the quickest way to tell.
_LIMIT = b"\0\1"

#: From 2,048 bytes on hashing lets go of the interpreter's lock. A thread that mines would take it
#: and keep it for 5 ms at each window that is verified; so windows are hashed in smaller pieces.
_PIECE = 2047


# OpenSSL's takes the same time for a byte, but three times as long to be copied and finished as the
# interpreter's own, which it can be built without
_md5 = hashlib.md5
with suppress(ImportError):
    _md5 = import_module("_md5").md5


def search(prefix: bytes, stop: Callable[[], bool], start: int = 0) -> bytes | None:
    """Look for a verification code behind prefix that makes the MD5 begin with two zero bytes.

    Codes are tried upwards from `start`, rounded down to a multiple of TRIES_A_LOOK; one in 65,536
    fits. Returns None if stop() came true first; it is asked before each TRIES_A_LOOK tries.
    """
    state = _md5(prefix, usedforsecurity=False)
    look = start // TRIES_A_LOOK
    while not stop():
        stem = (look * TRIES_A_LOOK % _CODES >> 16).to_bytes(CODE_SIZE - 2, "big")
        stemmed = state.copy()
        stemmed.update(stem)
        suffix = _fitting(stemmed.copy, _SUFFIXES[look % len(_SUFFIXES)])
        if suffix is not None:
            return stem + suffix
        look += 1
    return None


def _fitting(copy: Callable[[], Any], suffixes: list[bytes]) -> bytes | None:
    """Return the first suffix that makes the MD5 right; copy() returns the state without it."""
    limit = _LIMIT
    for suffix in suffixes:
        attempt = copy()
        attempt.update(suffix)
        if attempt.digest() < limit:
            return suffix
    return None


def first_invalid(
    buffer: bytes | bytearray, offsets: Sequence[int], start: int, stop: int
) -> int | None:
    """Return the index of the first chat from start to before stop that is not valid, if any.

    `offsets` tell where each chat begins in buffer, and where the last one ends. Buffer must not be
    resized meanwhile.
    """
    ends = offsets[start + 1 : stop + 1]
    # a window reaches back over so many chats, the first ones to the beginning
    back = WINDOW - 1
    begins = chain(repeat(0, back - start), offsets[max(0, start - back) : max(0, stop - back)])
    md5, limit = _md5, _LIMIT
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


def _digest_in_pieces(window: memoryview) -> bytes:
    state = _md5(usedforsecurity=False)
    for start in range(0, len(window), _PIECE):
        state.update(window[start : start + _PIECE])
    return state.digest()

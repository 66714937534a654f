"""The arithmetic of the archive: finding verification codes and checking them, with hashlib.

Two functions are all that mining and verifying need, so that a faster implementation can take
their place. A window is hashed up to its last part once, and that state is copied for each try.
"""

from collections.abc import Callable, Sequence
from hashlib import md5

from p2pchat.archive.record import CODE_SIZE, DIGEST_SIZE, PROOF, WINDOW

#: The last two bytes of a code, in order: the others stay the same for this many tries.
_SUFFIXES = [number.to_bytes(2, "big") for number in range(65536)]

#: Tries between two looks at whether to stop; a few milliseconds.
TRIES_A_LOOK = 4096

_CODES = 1 << 8 * CODE_SIZE


def search(prefix: bytes, stop: Callable[[], bool], start: int = 0) -> bytes | None:
    """Look for a verification code behind prefix that makes the MD5 begin with two zero bytes.

    Codes are tried upwards from `start`, rounded down to a multiple of TRIES_A_LOOK; one in 65,536
    fits. Returns None if stop() came true first; it is asked before each TRIES_A_LOOK tries.
    """
    state = md5(prefix, usedforsecurity=False)
    code = start - start % TRIES_A_LOOK
    while not stop():
        stem = (code >> 16).to_bytes(CODE_SIZE - 2, "big")
        stemmed = state.copy()
        stemmed.update(stem)
        copy, first = stemmed.copy, code % 65536
        for suffix in _SUFFIXES[first : first + TRIES_A_LOOK]:
            attempt = copy()
            attempt.update(suffix)
            if attempt.digest().startswith(PROOF):
                return stem + suffix
        code = (code + TRIES_A_LOOK) % _CODES
    return None


def first_invalid(
    buffer: bytes | bytearray | memoryview, offsets: Sequence[int], start: int, stop: int
) -> int | None:
    """Return the index of the first chat from start to before stop that is not valid, if any.

    `offsets` tell where each chat begins in buffer, and where the last one ends.
    """
    view = memoryview(buffer)
    for index in range(start, stop):
        first = index - (WINDOW - 1)
        begin = offsets[first] if first > 0 else 0
        end = offsets[index + 1]
        digest = md5(view[begin : end - DIGEST_SIZE], usedforsecurity=False).digest()
        if not digest.startswith(PROOF) or digest != view[end - DIGEST_SIZE : end]:
            return index
    return None

"""What the first bytes of an input choose: how often the rest comes, and in which pieces.

========  ==========================================================================
byte 0    its low 3 bits: how many cuts; its high 5: how often the rest is repeated
2 a cut   where, as a fraction of the whole
the rest  what arrives
========  ==========================================================================

The repetition lets an input of a few bytes reach the bounds of buffers.
"""

from itertools import pairwise

#: An input is repeated up to about this size, in bytes.
MAX_SIZE = 64 * 1024

_MAX_CUTS = 7
_FIRST_REPEAT = 24


def whole(data: bytes) -> bytes:
    """Return an input that stands for these bytes, arriving at once."""
    return b"\0" + data


def in_pieces(data: bytes, *cuts: int, doubled: int = 0) -> bytes:
    """Return an input that stands for these bytes, cut at up to 7 places in 0..65535.

    `doubled`: so many times, 1 to 8, what is there is put behind itself.
    """
    repeat = _FIRST_REPEAT + doubled - 1 if doubled else 0
    header = bytes([repeat << 3 | len(cuts)])
    return header + b"".join(cut.to_bytes(2, "big") for cut in cuts) + data


def pieces(data: bytes) -> list[bytes]:
    """Read an input: return what arrives, piece by piece; none is empty."""
    if not data:
        return []
    count, repeat = data[0] & _MAX_CUTS, data[0] >> 3
    header, rest = data[1 : 1 + 2 * count], data[1 + 2 * count :]
    for _ in range(repeat - _FIRST_REPEAT + 1):
        rest += rest if 2 * len(rest) <= MAX_SIZE else b""
    cuts = sorted(
        int.from_bytes(header[at : at + 2], "big") * len(rest) >> 16
        for at in range(0, len(header), 2)
    )
    return [rest[start:end] for start, end in pairwise([0, *cuts, len(rest)]) if end > start]

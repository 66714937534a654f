"""What each of our databases begins with, whatever is in it.

https://sqlite.org/fileformat2.html, 1.3: the first 100 bytes say how to read all others, and one
wrong byte among them can keep SQLite from reading any. Most of them are always the same in a
history, so a damaged one can be mended for reading.
"""

from pathlib import Path

from p2pchat.store.schema import APPLICATION_ID

#: How many bytes of a database are its header.
SIZE = 100

#: Which of these tells what a program has to know to write it, and the most that there is to know.
_WRITE_VERSION, _WAL_FORMAT = 18, 2

#: Where what is always the same is, and what it is.
_CONSTANT = {
    0: b"SQLite format 3\0",
    # pages of 4096 bytes, a log beside the file to write and to read it, no room at a page's end
    16: bytes((0x10, 0x00, _WAL_FORMAT, _WAL_FORMAT, 0)),
    # how much of a record is in the tree itself: no other values are allowed
    21: bytes((64, 32, 32)),
    44: (4).to_bytes(4, "big"),  # the format of the schema
    52: bytes(4),  # no vacuum by itself
    56: (1).to_bytes(4, "big"),  # UTF-8
    64: bytes(4),
    72: bytes(20),
}

#: Where it says that it shrinks when something is deleted, and whether by and by.
_VACUUM, _INCREMENTAL = slice(52, 56), slice(64, 68)

#: Where it says that it is a history.
_ID = slice(68, 72)

#: Beyond so many wrong bytes it is something else.
_MOST_WRONG = 16


def trouble(header: bytes) -> str:
    """Return what is wrong with a header that SQLite does not mind when it reads; "" if nothing."""
    if len(header) < SIZE:
        return ""
    if header[_WRITE_VERSION] > _WAL_FORMAT:  # each write would fail
        return "its header says that it is not to be written"
    if any(header[_INCREMENTAL]) and not any(header[_VACUUM]):
        return "its header says that it shrinks, and not how"
    return ""


def mended(header: bytes) -> bytes:
    """Return a header with what is always the same in it, if there is little to mend.

    To be used if it cannot be read as it is: a database that was made by an unusual SQLite may have
    other values.
    """
    if len(header) < SIZE or header[_ID] != APPLICATION_ID.to_bytes(4, "big"):
        return header
    good = bytearray(header)
    for place, constant in _CONSTANT.items():
        good[place : place + len(constant)] = constant
    wrong = sum(old != new for old, new in zip(header, good, strict=True))
    return bytes(good) if wrong <= _MOST_WRONG else header


def mend(path: Path) -> None:
    """Mend the header of a database that nobody has open. Raises OSError."""
    with path.open("rb+") as file:
        header = file.read(SIZE)
        good = mended(header)
        if good != header:
            file.seek(0)
            file.write(good)

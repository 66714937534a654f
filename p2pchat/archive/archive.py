"""The archive as a value: the wire bytes of all chats in one piece, and where each begins.

Archives that grow from one another share their bytes. Appending costs what is appended, so an
archive of 100,000 chats (7 MB) grows without being copied; only a fork copies.
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from p2pchat.archive.record import CODE_SIZE, DIGEST_SIZE, WINDOW, Chat, head

#: How much room is added when there is none left: an eighth, but at least this many bytes.
_LEAST_ROOM = 65536

#: How many bytes are compared at a time before it is looked where exactly they differ.
_BLOCK = 65536


class _Ledger:
    """Growing bytes that archives share; only what no archive of them shows is ever written to.

    While there are views of it `buffer` cannot be resized; then a larger one takes its place.
    """

    __slots__ = ("buffer", "offsets")

    def __init__(self, buffer: bytearray, offsets: "array[int]") -> None:
        """Take over what nobody else holds: chats, and where each of them begins and all end."""
        self.buffer = buffer
        self.offsets = offsets
        self._make_room(len(buffer) // 8)

    def append(self, data: bytes | memoryview, ends: Sequence[int]) -> None:
        start = self.offsets[-1]
        end = start + len(data)
        if end > len(self.buffer):
            self._make_room(end - len(self.buffer) + max(_LEAST_ROOM, end // 8))
        # through a view, for a bytearray would copy first what is none itself
        memoryview(self.buffer)[start:end] = data
        self.offsets.extend(ends)

    def _make_room(self, size: int) -> None:
        try:
            self.buffer += bytes(size)
        except BufferError:
            self.buffer = bytearray(self.buffer)
            self.buffer += bytes(size)


class Archive:
    """So many chats, in order. Immutable; it does not know whether it is valid."""

    __slots__ = ("_ledger", "height")

    def __init__(self, data: bytes | memoryview = b"", offsets: Sequence[int] = (0,)) -> None:
        """Take the wire bytes of chats, without a count, and their offsets with the end."""
        self._ledger = _Ledger(bytearray(data), array("Q", offsets))
        self.height = len(offsets) - 1

    @classmethod
    def of(cls, buffer: bytearray, offsets: "array[int]") -> "Archive":
        """Make an archive of what nobody else holds; it is not copied."""
        return cls._of(_Ledger(buffer, offsets), len(offsets) - 1)

    @classmethod
    def _of(cls, ledger: _Ledger, height: int) -> "Archive":
        archive = cls.__new__(cls)
        archive._ledger = ledger
        archive.height = height
        return archive

    @property
    def size(self) -> int:
        """How many bytes the chats take."""
        return self._ledger.offsets[self.height]

    @property
    def buffer(self) -> bytearray:
        """The bytes, from the first chat on; only the first `size` of them belong to us."""
        return self._ledger.buffer

    @property
    def offsets(self) -> "array[int]":
        """Where each chat begins; there may be more of them than we have chats."""
        return self._ledger.offsets

    @property
    def tip(self) -> str:
        """The MD5 of the last chat in hexadecimal; empty if there is none."""
        return self.chat(self.height - 1).digest.hex() if self.height else ""

    def view(self) -> memoryview:
        """Return the wire bytes of all chats, not copied."""
        return memoryview(self._ledger.buffer).toreadonly()[: self.size]

    def count(self) -> bytes:
        """Return what stands before the chats on the wire."""
        return self.height.to_bytes(4, "big")

    def chat(self, index: int) -> Chat:
        """Return one chat; IndexError if there is none of this index."""
        if not 0 <= index < self.height:
            raise IndexError(index)
        start, end = self._ledger.offsets[index], self._ledger.offsets[index + 1]
        record = bytes(self._ledger.buffer[start:end])
        text_end = len(record) - CODE_SIZE - DIGEST_SIZE
        return Chat(record[1:text_end], record[text_end:-DIGEST_SIZE], record[-DIGEST_SIZE:])

    def newest(self, count: int) -> Iterator[tuple[int, Chat]]:
        """Yield the newest chats with their index, oldest first."""
        for index in range(max(0, self.height - count), self.height):
            yield index, self.chat(index)

    def prefix_for(self, text: bytes) -> bytes:
        """Return what the MD5 of a new chat with this text covers before its code."""
        first = max(0, self.height - (WINDOW - 1))
        start = self._ledger.offsets[first]
        return bytes(self._ledger.buffer[start : self.size]) + head(text)

    @property
    def is_newest(self) -> bool:
        """Whether appended() need not copy our chats, as nobody has grown from here yet."""
        return len(self._ledger.offsets) - 1 == self.height

    def appended(self, data: bytes | memoryview, ends: Sequence[int]) -> "Archive":
        """Return an archive with more chats on top: their bytes, and where each of them ends."""
        ledger = self._ledger
        if not self.is_newest:
            # somebody else has grown from here already: this is a fork
            ledger = _Ledger(bytearray(self.view()), ledger.offsets[: self.height + 1])
        ledger.append(data, ends)
        return Archive._of(ledger, self.height + len(ends))

    def truncated(self, height: int) -> "Archive":
        """Return the archive of our first chats; it shares our bytes."""
        if not 0 <= height <= self.height:
            raise IndexError(height)
        return Archive._of(self._ledger, height)

    def agrees(self, data: memoryview, at: int) -> int:
        """Return how many of these bytes, which would stand at this place, are the same as ours."""
        room = min(len(data), max(0, self.size - at))
        buffer, data = self._ledger.buffer, data[:room]
        low, high = 0, min(_BLOCK, room)
        while low < room and buffer.startswith(data[low:high], at + low):
            low, high = high, min(high + _BLOCK, room)
        while high - low > 1:  # the first low bytes agree, the first high do not
            middle = (low + high) // 2
            if buffer.startswith(data[low:middle], at + low):
                low = middle
            else:
                high = middle
        return low

    def common(self, other: "Archive") -> int:
        """Return how many chats, from the first one on, are the same in both."""
        if self._ledger is other._ledger:
            return min(self.height, other.height)
        with other.view() as view:
            return min(self.height_at(self.agrees(view, 0)), other.height)

    def height_at(self, position: int) -> int:
        """Return how many of our chats end at or before this byte."""
        return bisect_right(self._ledger.offsets, position, 0, self.height + 1) - 1

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Archive):
            return NotImplemented
        return self.height == other.height == self.common(other)

    __hash__ = None  # type: ignore[assignment]  # compared by its bytes, not meant as a key

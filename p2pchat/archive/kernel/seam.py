"""What an implementation of the arithmetic is to the rest of the kernel."""

from collections.abc import Callable, Sequence
from typing import Protocol

#: Where a search may begin: at multiples of this.
ALIGNMENT = 4096

#: How many codes there are.
CODES = 1 << 128


class Kernel(Protocol):
    """Searches and verifies; all implementations find the same."""

    @property
    def name(self) -> str:
        """What computes, for people."""

    @property
    def parallel(self) -> bool:
        """Whether several threads compute at the same time: the interpreter's lock is released."""

    @property
    def tries_a_look(self) -> int:
        """Tries between two looks at whether to stop, a multiple of ALIGNMENT: 0.5 to 4 ms."""

    def search(
        self, prefix: bytes, stop: Callable[[], bool], start: int, zeros: int
    ) -> bytes | None:
        """Return the first code from start on, a multiple of ALIGNMENT, that fits behind prefix.

        The MD5 then begins with so many zero bytes, 0 to 4. None if stop() came true first.
        """

    def first_invalid(
        self,
        buffer: bytes | bytearray,
        offsets: Sequence[int],
        start: int,
        stop: int,
        zeros: int,
    ) -> int | None:
        """Return the index of the first chat from start to before stop that is not valid."""

"""How much text one reply shows: a few long messages, or very many short ones."""

from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")

#: How many characters the texts of one reply have together; a single one may be longer.
MAX_TEXT = 256 * 1024


def fitting(items: Iterable[T], text_of: Callable[[T], str]) -> list[T]:
    """Return the first of the items, as many as fit into a reply; one in any case."""
    found: list[T] = []
    left = MAX_TEXT
    for item in items:
        left -= len(text_of(item))
        if left < 0 and found:
            break
        found.append(item)
    return found

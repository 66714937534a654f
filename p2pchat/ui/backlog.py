"""What waits for a thread to be written: bounded in bytes, and nothing is dropped unnoticed."""

from collections import deque
from threading import Condition
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Backlog(Generic[Item]):
    """A queue between two threads that holds at most `limit` bytes.

    From the first item that does not fit, items are dropped and counted until the queue is empty:
    that makes one gap, which is told once, and not a gap behind every second item.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._items: deque[tuple[Item, int]] = deque()
        self._size = 0
        self._lost = 0
        self._closed = False
        self._changed = Condition()

    def put(self, item: Item, size: int) -> bool:
        """Add an item of size bytes, or count it as lost; after `close` it is ignored.

        Tell whether it was added.
        """
        with self._changed:
            if self._closed:
                return False
            self._changed.notify()
            if self._lost or self._size + size > self._limit:
                self._lost += 1
                return False
            self._items.append((item, size))
            self._size += size
            return True

    def take(self, size: int) -> tuple[list[Item], int]:
        """Take the oldest items, up to size bytes but at least one if there is one.

        The number is how many were lost behind them, 0 while there are more to take.
        """
        taken: list[Item] = []
        with self._changed:
            while self._items and (not taken or self._items[0][1] <= size):
                item, item_size = self._items.popleft()
                self._size -= item_size
                size -= item_size
                taken.append(item)
            lost = 0
            if not self._items:
                lost, self._lost = self._lost, 0
        return taken, lost

    def wait(self) -> bool:
        """Block until there is something to take; False if it is closed and nothing is left."""
        with self._changed:
            self._changed.wait_for(lambda: self._has_something() or self._closed)
            return self._has_something()

    def close(self) -> None:
        """Accept nothing more; what is inside can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _has_something(self) -> bool:
        return bool(self._items or self._lost)

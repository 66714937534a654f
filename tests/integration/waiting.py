"""Waiting for what other threads and processes do: on conditions, with a bound, never for luck."""

import time
from collections.abc import Callable
from threading import Condition
from typing import Generic, TypeVar

#: Longest wait for anything that must happen, in seconds: generous, for the machine may be busy.
PATIENCE = 30.0

_PAUSE = 0.02

T = TypeVar("T")


def wait_until(condition: Callable[[], T], what: str, timeout: float = PATIENCE) -> T:
    """Look until condition() is true and return what it returned; AssertionError after timeout."""
    deadline = time.monotonic() + timeout
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout:g} s: {what}")
        time.sleep(_PAUSE)
    return result


class Record(Generic[T]):
    """What a thread notes, item after item, for another one to wait for.

    `take` hands each item out once, so that one event never satisfies two expectations.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._items: list[T] = []
        self._left: list[T] = []
        self._ended = ""

    def add(self, item: T) -> None:
        with self._changed:
            self._items.append(item)
            self._left.append(item)
            self._changed.notify_all()

    def end(self, why: str) -> None:
        """Note that nothing more will come; only the first reason counts."""
        with self._changed:
            self._ended = self._ended or why
            self._changed.notify_all()

    @property
    def ended(self) -> str:
        """Why nothing more will come; empty while something may."""
        return self._ended

    def all(self) -> list[T]:
        """Everything noted so far, taken or not."""
        with self._changed:
            return list(self._items)

    def take(self, matches: Callable[[T], bool], what: str, timeout: float = PATIENCE) -> T:
        """Return the first item not taken yet that matches, waiting for it if need be.

        Raises AssertionError after timeout seconds, or at once if nothing more can come.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._has(matches), timeout)
            for item in self._left:
                if matches(item):
                    self._left.remove(item)
                    return item
            why = f"it ended: {self._ended}" if self._ended else f"not within {timeout:g} s"
            last = "\n".join(f"  {item!r:.300}" for item in self._items[-20:])
            raise AssertionError(f"{why}: {what}; the last of what came:\n{last}")

    def wait_for_end(self, what: str, timeout: float = PATIENCE) -> str:
        """Wait until nothing more can come and return why."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._ended, timeout):
                raise AssertionError(f"not within {timeout:g} s: the end of {what}")
            return self._ended

    def _has(self, matches: Callable[[T], bool]) -> bool:
        return any(matches(item) for item in self._left)

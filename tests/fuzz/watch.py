"""What goes wrong behind the back of whoever calls: failures that are only logged."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from twisted.logger import LogLevel, globalLogPublisher

from p2pchat.text import is_printable


def check_shown(error: Exception) -> None:
    """Check that what an error says can be shown as it is, in one line."""
    assert is_printable(str(error)), "a complaint that is not fit to be shown"


@contextmanager
def no_failures_logged() -> Iterator[None]:
    """Raise AssertionError if a failure is logged meanwhile: a bug that was caught somewhere."""
    failures: list[Any] = []

    def note(event: dict[str, Any]) -> None:
        if event.get("log_level") is LogLevel.critical or event.get("isError"):
            failures.append(event.get("log_failure") or event.get("log_format"))

    globalLogPublisher.addObserver(note)
    try:
        yield
    finally:
        globalLogPublisher.removeObserver(note)
    if failures:
        raise AssertionError(f"a failure was logged: {failures[0]}")

"""Where log lines go: a file that is rotated, from a level that can change while the node runs."""

import sys
from pathlib import Path
from threading import RLock
from time import localtime, strftime
from typing import IO, Any, cast

from twisted.logger import (
    FilteringLogObserver,
    ILogObserver,
    LogEvent,
    LogLevel,
    LogLevelFilterPredicate,
    eventAsText,
)
from twisted.python.logfile import LogFile
from zope.interface import implementer

from p2pchat.errors import ConfigError, RequestError

#: A log file is rotated at this many bytes, and this many old ones are kept.
ROTATE_AT = 10 * 1024 * 1024
OLD_FILES = 5

LEVELS = {
    "DEBUG": LogLevel.debug,
    "INFO": LogLevel.info,
    "WARNING": LogLevel.warn,
    "ERROR": LogLevel.error,
}


class Logs:
    """The log of one node; `destination` is a path, or "-" for standard output."""

    def __init__(self, destination: str, level: str) -> None:
        self.destination = destination
        self.level = level
        self._predicate = LogLevelFilterPredicate(LEVELS[level])
        self.observer: ILogObserver = FilteringLogObserver(
            LineObserver(_open(destination)), [self._predicate]
        )

    def set_level(self, level: str) -> None:
        """Log from this level on; RequestError if there is no such level."""
        name = level.upper()
        if name not in LEVELS:
            raise RequestError(f"no log level {level!r}: choose one of {', '.join(LEVELS)}")
        self._predicate.defaultLogLevel = LEVELS[name]
        self._predicate.clearLogLevels()
        self.level = name


@implementer(ILogObserver)
class LineObserver:
    """Writes events as lines: time, where from, level, text.

    Twisted's own observer writes the same but takes several times as long, and logging is most of
    what a message costs. What is out of the ordinary is left to Twisted: failures, and formats that
    call something.
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._second = -1
        self._stamp = ""

    def __call__(self, event: LogEvent) -> None:
        text = self._text(event)
        if text:
            self._file.write(f"{self._time(event)} {text}\n")

    def _text(self, event: LogEvent) -> str:
        text_format = event.get("log_format")
        if not text_format or "()" in text_format or "log_failure" in event:
            return eventAsText(event, includeTimestamp=False).rstrip("\n").replace("\n", "\n\t")
        try:
            text = text_format.format_map(event)
        except (LookupError, ValueError, AttributeError, TypeError):
            return eventAsText(event, includeTimestamp=False)
        # as Twisted does: what begins at the left margin is a line of ours
        return f"[{_source(event)}] {text}".replace("\n", "\n\t")

    def _time(self, event: LogEvent) -> str:
        second = int(event.get("log_time") or 0)
        if second != self._second:
            self._second = second
            self._stamp = strftime("%Y-%m-%dT%H:%M:%S%z", localtime(second))
        return self._stamp


def _source(event: LogEvent) -> str:
    """Tell where an event comes from and how grave it is."""
    system = event.get("log_system")
    if system is not None:
        return str(system)
    level = event.get("log_level")
    return f"{event.get('log_namespace') or '-'}#{level.name if level is not None else '-'}"


def _open(destination: str) -> IO[Any]:
    if destination == "-":
        return sys.stdout
    path = Path(destination).absolute()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        log: Any = LogFile(
            path.name,
            str(path.parent),
            rotateLength=ROTATE_AT,
            maxRotatedFiles=OLD_FILES,
            defaultMode=0o600,
        )
        # Its own lock is written in Python: a signal that comes while the lock is being taken logs
        # a line, which waits for that lock for ever. This one is taken at once, or again.
        log._threadable_lock = RLock()
    except OSError as error:
        raise ConfigError(f"log file {path}: {error.strerror or error}") from error
    return cast("IO[Any]", log)

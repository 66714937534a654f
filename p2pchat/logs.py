"""Where log lines go: a file that is rotated, from a level that can change while the node runs."""

import sys
from pathlib import Path
from typing import IO, Any, cast

from twisted.logger import (
    FilteringLogObserver,
    ILogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    textFileLogObserver,
)
from twisted.python.logfile import LogFile

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
            textFileLogObserver(_open(destination)), [self._predicate]
        )

    def set_level(self, level: str) -> None:
        """Log from this level on; RequestError if there is no such level."""
        name = level.upper()
        if name not in LEVELS:
            raise RequestError(f"no log level {level!r}: choose one of {', '.join(LEVELS)}")
        self._predicate.defaultLogLevel = LEVELS[name]
        self._predicate.clearLogLevels()
        self.level = name


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
    except OSError as error:
        raise ConfigError(f"log file {path}: {error.strerror or error}") from error
    return cast("IO[Any]", log)

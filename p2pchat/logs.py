"""Where log lines go: a file that is rotated, from a level that can change while the node runs.

A line is text, or a JSON object for programs that collect logs.
"""

import io
import json
import math
import sys
from pathlib import Path
from threading import RLock
from time import gmtime, localtime, strftime
from typing import IO, Any, cast

from twisted.logger import ILogObserver, LogEvent, LogLevel, eventAsText
from twisted.python.logfile import LogFile
from zope.interface import implementer

from p2pchat.errors import ConfigError, RequestError
from p2pchat.sections import LogFormat

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
    """The log of one process; `destination` is a path, or "-" for standard output."""

    def __init__(self, destination: str, level: str, log_format: LogFormat = "text") -> None:
        self.destination = destination
        self.level = level
        observe = JsonObserver if log_format == "json" else LineObserver
        self._leveled = LeveledObserver(observe(_open(destination)), LEVELS[level])
        self.observer: ILogObserver = self._leveled

    def set_level(self, level: str) -> None:
        """Log from this level on; RequestError if there is no such level."""
        name = level.upper()
        if name not in LEVELS:
            raise RequestError(f"no log level {level!r}: choose one of {', '.join(LEVELS)}")
        self._leveled.set_level(LEVELS[name])
        self.level = name


def has_log(twistd: Any) -> bool:
    """Tell whether twistd, of which these are the options, was told where to log."""
    return bool(twistd and (twistd.get("logfile") or twistd.get("syslog")))


@implementer(ILogObserver)
class LeveledObserver:
    """Passes on what has a level, that one or a graver one, and says where it comes from.

    The filter of Twisted's does the same, with levels for each module, and takes several times as
    long.
    """

    def __init__(self, observe: ILogObserver, level: Any) -> None:
        self._observe = observe
        self.set_level(level)

    def set_level(self, level: Any) -> None:
        """Pass on from this level on."""
        self._passing = {one for one in LogLevel.iterconstants() if one >= level}

    def __call__(self, event: LogEvent) -> None:
        if event.get("log_level") in self._passing and event.get("log_namespace"):
            self._observe(event)


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
        text = _quick_text(event)
        if text is None:
            return eventAsText(event, includeTimestamp=False).rstrip("\n").replace("\n", "\n\t")
        # as Twisted does: what begins at the left margin is a line of ours
        return f"[{_source(event)}] {text}".replace("\n", "\n\t")

    def _time(self, event: LogEvent) -> str:
        second = int(event.get("log_time") or 0)
        if second != self._second:
            self._second = second
            self._stamp = strftime("%Y-%m-%dT%H:%M:%S%z", localtime(second))
        return self._stamp


@implementer(ILogObserver)
class JsonObserver:
    """Writes events as JSON objects, one a line, in ASCII: nothing in an event can end a line.

    `time` is in UTC, `source` where it comes from, `fields` what the event says of itself that JSON
    has a type for; `failure` is a traceback.
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def __call__(self, event: LogEvent) -> None:
        text = _quick_text(event)
        if text is None:
            text = eventAsText(
                event, includeTimestamp=False, includeSystem=False, includeTraceback=False
            )
        level = event.get("log_level")
        line: dict[str, object] = {
            "time": _utc(event.get("log_time")),
            "level": level.name if level is not None else None,
            "source": str(event.get("log_system") or event.get("log_namespace") or "-"),
            "text": text,
        }
        fields = {key: value for key, value in event.items() if _is_plain(key, value)}
        if fields:
            line["fields"] = fields
        failure = event.get("log_failure")
        if failure is not None:
            line["failure"] = failure.getTraceback()
        if text or failure is not None:
            self._file.write(json.dumps(line) + "\n")


#: What Twisted's older interface adds to an event for itself.
_OLD_FIELDS = {"system", "time", "format", "isError", "why", "message"}

#: Larger numbers are not read alike by all that read JSON.
_MAX_INT = 1 << 53


def _is_plain(key: str, value: object) -> bool:
    """Tell whether a field of an event is its own, and of a type that JSON has."""
    if key.startswith("log_") or key in _OLD_FIELDS:
        return False
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, int):
        return -_MAX_INT < value < _MAX_INT
    return isinstance(value, str)


def _utc(seconds: float | None) -> str:
    whole, fraction = divmod(seconds or 0.0, 1.0)
    return f"{strftime('%Y-%m-%dT%H:%M:%S', gmtime(whole))}.{int(fraction * 1000):03}Z"


def _quick_text(event: LogEvent) -> str | None:
    """Say what happened; None if that is something out of the ordinary."""
    text_format = event.get("log_format")
    if not text_format or "()" in text_format or "log_failure" in event:
        return None
    try:
        text: str = text_format.format_map(event)
    except (LookupError, ValueError, AttributeError, TypeError):
        return None
    return text


def _source(event: LogEvent) -> str:
    """Tell where an event comes from and how grave it is."""
    system = event.get("log_system")
    if system is not None:
        return str(system)
    level = event.get("log_level")
    return f"{event.get('log_namespace') or '-'}#{level.name if level is not None else '-'}"


def _open(destination: str) -> IO[Any]:
    if destination == "-":
        # through a pipe, too, a line is to be seen when it is written
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(line_buffering=True)
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

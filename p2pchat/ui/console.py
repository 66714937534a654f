"""Which console a node gets, and making it."""

import os
import stat
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Literal, TextIO

from twisted.application.service import IService, Service

from p2pchat.api import NodeApi
from p2pchat.errors import StartError
from p2pchat.ui.json_lines import JsonFormat
from p2pchat.ui.plain import PlainFormat
from p2pchat.ui.stdio import Reactor
from p2pchat.ui.stream import StreamConsole

Kind = Literal["tty", "plain", "json", "none"]

#: What a standard stream is: a terminal, nothing to read from or write to, or anything else.
Stream = Literal["terminal", "null", "closed", "other"]

_DUMB = ("", "dumb", "unknown")


def inspect(file: TextIO | None) -> Stream:
    """Tell what a standard stream is; Python has None for one that was closed at the start."""
    if file is None or file.closed:
        return "closed"
    try:
        mode = os.fstat(file.fileno())
    except OSError:
        return "closed"
    if os.isatty(file.fileno()):
        return "terminal"
    null = stat.S_ISCHR(mode.st_mode) and mode.st_rdev == os.stat(os.devnull).st_rdev
    return "null" if null else "other"


def choose_console(kind: str, stdin: Stream, stdout: Stream, term: str) -> Kind:
    """Choose a console: what kind says, or by the streams if it is "auto".

    A terminal with a TERM that can move the cursor gets the prompt. Without an input (closed, or
    /dev/null) there is no console at all. Everything else gets plain lines. Raises StartError if
    kind is "tty" and there is no such terminal.
    """
    able = stdin == stdout == "terminal" and term not in _DUMB
    match kind:
        case "plain" | "json" | "none":
            return kind
        case "tty" if able:
            return "tty"
        case "auto":
            return "tty" if able else "none" if stdin in ("null", "closed") else "plain"
    raise StartError(f"--console {kind} needs a terminal, not a dumb one, for input and output")


def make_console(
    kind: Kind,
    reactor: Reactor,
    api: NodeApi,
    data_dir: Path | None,
    environ: Mapping[str, str],
    now: Callable[[], datetime],
    stdin: TextIO | None,
    stdout: TextIO | None,
    *,
    classic: bool = False,
) -> IService:
    """Make the console that `choose_console` chose, as a service.

    It subscribes to the node's events when it starts, and stops when all its output is written, or
    after 2 s. stdin and stdout are those that the process began with. `now` is the time in UTC and
    is called from threads too. The prompt keeps its history in data_dir, if any. `classic` makes
    commands of the words of an earlier program (see `classic.py`); StartError if the console is
    not a plain one.
    """
    if kind == "none":
        return Service()
    if classic and kind != "plain":
        raise StartError(f"--classic-commands needs --console plain; this console is {kind}")
    if kind == "tty":
        return _make_tty(reactor, api, data_dir, environ, now, stdin, stdout)
    form = JsonFormat() if kind == "json" else PlainFormat()
    streams = _readable(stdin), _writable(stdout)
    people = kind == "plain"
    return StreamConsole(reactor, api, form, now, *streams, classic=classic, reads=people)


def _make_tty(
    reactor: Reactor,
    api: NodeApi,
    data_dir: Path | None,
    environ: Mapping[str, str],
    now: Callable[[], datetime],
    stdin: TextIO | None,
    stdout: TextIO | None,
) -> IService:
    # Only a terminal needs prompt_toolkit, which takes a while to import.
    from prompt_toolkit.history import InMemoryHistory

    from p2pchat.ui.history import FileHistory
    from p2pchat.ui.prompt import Prompt
    from p2pchat.ui.terminal import Terminal
    from p2pchat.ui.tty import TtyConsole

    if stdin is None or stdout is None:
        raise StartError("--console tty needs a terminal for input and output")
    history = InMemoryHistory() if data_dir is None else FileHistory(data_dir / "history")
    prompt = Prompt(Terminal(stdin, stdout), history, colour=not environ.get("NO_COLOR"))
    return TtyConsole(reactor, api, prompt, now)


def _readable(stdin: TextIO | None) -> int | None:
    """Return the descriptor to read commands from, None if none can come."""
    if stdin is None or inspect(stdin) in ("null", "closed"):
        return None
    return stdin.fileno()


def _writable(stdout: TextIO | None) -> int:
    """Return the descriptor to write to; a closed one could be something else by now."""
    if stdout is None or inspect(stdout) == "closed":
        return os.open(os.devnull, os.O_WRONLY)
    return stdout.fileno()

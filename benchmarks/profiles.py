"""Where the time of a benchmark goes: `python -m benchmarks NAME ... --profile`.

Every node and rendezvous server that it starts runs under cProfile, by twistd's own option, and so
does this process itself. What is written is the share of the functions that take the most time of
their own, without that in which a process waits. The profiler makes Python several times slower:
compare shares with each other. It sees the reactor's thread alone, and of C the whole of a call.
"""

import contextlib
import cProfile
import pstats
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

#: How many functions are told of.
ROWS = 12

#: What the profiler makes of a second, when several nodes are under it, at the most.
SLOWER = 10

#: In these a process waits.
_WAITING = ("select.", "time.sleep", "posix.waitpid", "acquire", "_thread.lock", "poll", "recv")

_SERVICES = ("p2pchat", "p2pchat-rendezvous")
_OWN = "this process"

Function = tuple[str, int, str]


class _Folder:
    """Where the processes that are started leave their profiles, if they are to have any."""

    current: Path | None = None
    count = 0


def patience(seconds: float) -> float:
    """Return how long may be waited for nodes that take so many seconds when nothing profiles."""
    return seconds * SLOWER if _Folder.current is not None else seconds


def profiled(command: Sequence[str]) -> list[str]:
    """Return a command as it is; while `profiling` goes on, so that the node in it is profiled."""
    place = next((at for at, word in enumerate(command) if word in _SERVICES), None)
    if _Folder.current is None or place is None:
        return list(command)
    _Folder.count += 1
    file = _Folder.current / f"{command[place]}-{_Folder.count}"
    options = ("--profile", str(file), "--profiler", "cprofile", "--savestats")
    return [*command[:place], *options, *command[place:]]


@contextlib.contextmanager
def profiling(folder: Path) -> Iterator[None]:
    """Profile this process and what it starts, and leave the files in this folder.

    A process that is killed leaves none.
    """
    own = cProfile.Profile()
    _Folder.current = folder
    try:
        with own:
            yield
        own.dump_stats(folder / f"{_OWN}-0")
    finally:
        _Folder.current = None


def measured(benchmark: Callable[[], object]) -> str:
    """Run a benchmark, whose figures are worth nothing then, and return where its time went."""
    with tempfile.TemporaryDirectory(prefix="p2pchat-profiles-") as name:
        with profiling(Path(name)):
            benchmark()
        return report(Path(name))


def report(folder: Path) -> str:
    """Write a table for the nodes and one for the servers; without these, one for this process."""
    tables: list[str] = []
    for service in (*_SERVICES, _OWN):
        files = [path for path in sorted(folder.iterdir()) if _service_of(path) == service]
        if files and (service != _OWN or not tables):
            tables.append(f"{service}, {len(files)} of them:\n{_table(files)}")
    return "\n".join(tables)


def _service_of(path: Path) -> str:
    return path.name.rpartition("-")[0]


def _table(files: Sequence[Path]) -> str:
    spent: Counter[str] = Counter()
    parts: Counter[str] = Counter()
    for file in files:
        for function, numbers in cast(Any, pstats.Stats(str(file))).stats.items():
            if not any(word in function[2] for word in _WAITING):
                spent[_name(function)] += numbers[2]
                parts[_part(function)] += numbers[2]
    total = sum(spent.values()) or 1.0
    rows = [f"{seconds / total * 100:6.1f} %  {name}" for name, seconds in spent.most_common(ROWS)]
    shares = [f"{name} {seconds / total * 100:.0f} %" for name, seconds in parts.most_common(6)]
    return "\n".join([*rows, f"{total:8.2f} s in all, profiled: {', '.join(shares)}"])


def _part(function: Function) -> str:
    """Return whose code a function is: a package of ours, a library's, Python's, or C's."""
    folders = Path(function[0]).parts
    if function[0] == "~":
        return "C"
    for library in ("twisted", "prometheus_client", "txredisapi", "asyncio"):
        if library in folders:
            return library
    if "p2pchat" in folders:
        last = len(folders) - 1 - folders[::-1].index("p2pchat")
        return ".".join(folders[last:-1])
    return "Python"


def _name(function: Function) -> str:
    """Return what a function is called: the last two parts of its file, or what is in C."""
    file, _, name = function
    return f"{'/'.join(Path(file).parts[-2:])}: {name}" if file != "~" else name

"""Many command lines, each in a process of its own: forked, since importing takes far longer."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

#: Defines a function `parse` by what it is told, and calls it in a new process for each list of
#: arguments; writes exit status and output of each as a line of JSON.
_SCRIPT = """
import json, os, sys, tempfile
exec(sys.argv[1])

def run(arguments):
    try:
        parse(arguments)
    except SystemExit as ending:
        if isinstance(ending.code, str):
            print(ending.code, file=sys.stderr)
            return 1
        return ending.code or 0
    return 0

for line in sys.stdin:
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        child = os.fork()
        if not child:
            os.dup2(output.fileno(), 1)
            os.dup2(errors.fileno(), 2)
            status = run(json.loads(line))
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        texts = []
        for file in (output, errors):
            file.seek(0)
            texts.append(file.read().decode())
        print(json.dumps([status, *texts]), flush=True)
"""

#: Longest time for all command lines of a call, in seconds.
TIMEOUT = 60


class Done(NamedTuple):
    """How a process ended."""

    returncode: int
    stdout: str
    stderr: str


def run_each(parse: str, command_lines: Iterable[Iterable[str]], home: Path) -> list[Done]:
    """Call `parse`, which the text defines, with each list of arguments, in a home of its own."""
    root = str(Path(__file__).parents[1])
    lines = "".join(json.dumps([*line]) + "\n" for line in command_lines)
    ran = subprocess.run(
        [sys.executable, "-c", _SCRIPT, parse],
        input=lines,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        cwd=home,
        env={**os.environ, "XDG_CONFIG_HOME": str(home), "PYTHONPATH": root},
        check=False,
    )
    if ran.returncode or ran.stderr:
        raise AssertionError(ran.stderr)
    return [Done(*json.loads(line)) for line in ran.stdout.splitlines()]

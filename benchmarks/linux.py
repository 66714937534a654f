"""What Linux tells of a running process: its memory, its processor time, when it is idle."""

import os
import time
from pathlib import Path

from benchmarks.figures import BenchmarkError

#: A process is idle when it uses less than this part of a core over so many seconds.
IDLE_SHARE = 0.02
IDLE_WINDOW = 0.1

_PAGE = os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(pid: int) -> float:
    """Return the processor time that all threads of a process have used."""
    # the clock of a process in Linux's numbering: finer than the ticks of /proc/PID/stat
    return time.clock_gettime((~pid << 3) | 2)


def resident_bytes(pid: int) -> int:
    """Return how much memory a process has in RAM."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE


def peak_bytes(pid: int | str) -> int:
    """Return the most memory that a process has had in RAM since `forget_peak`, or its start."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise BenchmarkError(f"the system does not tell how much memory process {pid} has had")


def forget_peak(pid: int) -> None:
    """Let the peak begin again at what a process has now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def wait_until_idle(pid: int, timeout: float = 30) -> None:
    """Wait until a process has nothing to do; BenchmarkError after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    used = cpu_seconds(pid)
    while time.monotonic() < deadline:
        time.sleep(IDLE_WINDOW)
        before, used = used, cpu_seconds(pid)
        if used - before < IDLE_SHARE * IDLE_WINDOW:
            return
    raise BenchmarkError(f"process {pid} is still busy after {timeout:g} s")

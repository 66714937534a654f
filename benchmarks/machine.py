"""The machine that figures come from, and how quiet it was: without these they mean little."""

import os
import platform
import time
from importlib.metadata import version
from pathlib import Path

import msgspec

#: Figures are not to be trusted when others used more than this part of the machine, in percent.
QUIET_PERCENT = 5.0

_TICKS = os.sysconf("SC_CLK_TCK")


class Machine(msgspec.Struct, frozen=True):
    """What figures come from; the run took `seconds`.

    `others_percent` is the part of all cores that other programs used during the run.
    """

    processor: str
    cores: int
    system: str
    python: str
    twisted: str
    msgspec: str
    seconds: float
    others_percent: float

    @property
    def quiet(self) -> bool:
        return self.others_percent < QUIET_PERCENT

    def __str__(self) -> str:
        noise = f"other programs used {self.others_percent:.0f} % of it during the run"
        advice = "" if self.quiet else ": NOT QUIET, the figures are not to be trusted"
        return (
            f"{self.processor}, {self.cores} cores, {self.system}\n"
            f"{self.python}, Twisted {self.twisted}, msgspec {self.msgspec}\n{noise}{advice}\n"
            f"the run took {self.seconds // 60:.0f} min {self.seconds % 60:.0f} s"
        )


class Watch:
    """Looks at the machine from its making until `describe` is called."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._others = _busy_seconds() - _own_seconds()

    def describe(self) -> Machine:
        """Tell what the machine is; the processes that we started have to have ended."""
        cores = os.cpu_count() or 1
        others = _busy_seconds() - _own_seconds() - self._others
        seconds = time.monotonic() - self._started
        return Machine(
            processor=_processor(),
            cores=cores,
            system=f"{platform.system()} {platform.release()}",
            python=f"{platform.python_implementation()} {platform.python_version()}",
            twisted=version("twisted"),
            msgspec=version("msgspec"),
            seconds=seconds,
            others_percent=max(0.0, others) / cores / seconds * 100,
        )


def _busy_seconds() -> float:
    """Return the processor time that the whole machine has used, on all cores."""
    ticks = Path("/proc/stat").read_text().split(maxsplit=9)
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, ticks[1:9])
    return (user + nice + system + irq + softirq + steal) / _TICKS


def _own_seconds() -> float:
    """Return the processor time of this process and of those it started that have ended."""
    return sum(os.times()[:4])


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return platform.machine()

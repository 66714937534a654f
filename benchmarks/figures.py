"""What a benchmark finds: a figure, what it is compared with, and what is wanted of it."""

import operator
from typing import Literal

import msgspec

Sign = Literal[">=", "<"]

_HOLDS = {">=": operator.ge, "<": operator.lt}


class BenchmarkError(Exception):
    """Something could not be measured: a process did not start, an answer was wrong or missing."""


class Baseline(msgspec.Struct, frozen=True):
    """The same thing measured, in the same run, of something that does less."""

    name: str
    value: float


class Wanted(msgspec.Struct, frozen=True):
    """A bound on our figure itself, or on its ratio to the baseline."""

    of: Literal["ours", "ratio"]
    sign: Sign
    bound: float

    def __str__(self) -> str:
        subject = "ratio " if self.of == "ratio" else ""
        bound = f"{self.bound:,.2f}".rstrip("0").rstrip(".")
        return f"{subject}{self.sign} {bound}"


class Figure(msgspec.Struct, frozen=True):
    """One line of the table; without `wanted` it is only told."""

    name: str
    unit: str
    ours: float
    baseline: Baseline
    wanted: Wanted | None = None

    @property
    def ratio(self) -> float | None:
        """Ours divided by the baseline's, None if that is zero."""
        if not self.baseline.value:
            return None
        return self.ours / self.baseline.value

    @property
    def ok(self) -> bool | None:
        """Whether the figure is as wanted; None if nothing is wanted of it."""
        if self.wanted is None:
            return None
        value = self.ratio if self.wanted.of == "ratio" else self.ours
        return value is not None and bool(_HOLDS[self.wanted.sign](value, self.wanted.bound))


def below(bound: float) -> Wanted:
    """Want the figure below a bound, in its unit."""
    return Wanted("ours", "<", bound)


def at_least(bound: float) -> Wanted:
    """Want the figure at a bound or above, in its unit."""
    return Wanted("ours", ">=", bound)


def ratio_at_least(bound: float) -> Wanted:
    """Want this part of the baseline, or more."""
    return Wanted("ratio", ">=", bound)


def ratio_below(bound: float) -> Wanted:
    """Want less than this many times the baseline."""
    return Wanted("ratio", "<", bound)

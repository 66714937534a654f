"""Whether what is measured again and again stays level."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev


@dataclass(frozen=True)
class Level:
    """What became of one figure: the line through its second half, and how far it may rise.

    It may rise by `floor` there, or by twice what the samples scatter about the line.
    """

    name: str
    first: float
    last: float
    most: float
    rise: float
    noise: float
    floor: float
    course: Sequence[float] = ()

    @property
    def allowed(self) -> float:
        return max(self.floor, 2 * self.noise)

    @property
    def ok(self) -> bool:
        return self.rise <= self.allowed


def judged(name: str, samples: Sequence[float], floor: float) -> Level:
    """Lay a line through the second half of evenly spaced samples, at least four of them."""
    half = samples[len(samples) // 2 :]
    middle, mean = (len(half) - 1) / 2, fmean(half)
    spread = sum((at - middle) ** 2 for at in range(len(half)))
    slope = sum((at - middle) * (value - mean) for at, value in enumerate(half)) / spread
    noise = pstdev(value - mean - slope * (at - middle) for at, value in enumerate(half))
    rise = slope * (len(half) - 1)
    course = [samples[len(samples) * tenth // 10] for tenth in range(10)]
    return Level(name, samples[0], samples[-1], max(samples), rise, noise, floor, course)


def report(levels: Sequence[Level]) -> str:
    """Write one line a figure."""
    lines = [f"{'':16}{'first':>10}{'last':>10}{'most':>10}{'rise':>10}{'allowed':>10}"]
    for level in levels:
        values = (level.first, level.last, level.most, level.rise, level.allowed)
        cells = "".join(f"{value:10.2f}" for value in values)
        lines.append(f"{level.name:16}{cells}  {'level' if level.ok else 'RISES'}")
    for level in levels:
        course = " ".join(f"{value:.4g}" for value in level.course)
        lines.append(f"{level.name}, at each tenth of the time: {course}")
    return "\n".join(lines)

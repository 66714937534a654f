"""What came of an attack, and what of it must not be."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.hostile.scene import Said
from tests.hostile.target import Tally

#: Seconds that the slowest PING or SEND but one of a hundred may take longer than before the
#: attack; a SEND is answered when the disk has it, and waits there for what came before it.
BOUNDS = {"PING": 0.5, "SEND": 0.75}


@dataclass(frozen=True)
class Latency:
    """Median and 99th percentile in seconds, infinite if answers are missing."""

    p50: float
    p99: float

    @classmethod
    def of(cls, times: Sequence[float]) -> "Latency":
        ordered = sorted(times) or [float("inf")]
        return cls(*(ordered[int((len(ordered) - 1) * part)] for part in (0.5, 0.99)))


@dataclass(frozen=True)
class Noticed:
    """What an honest peer noticed: the latencies of each kind of question before and during."""

    who: str
    ping: tuple[Latency, Latency]
    send: tuple[Latency, Latency]
    cut_off: str = ""

    def complaints(self) -> list[str]:
        """Return what must not be."""
        wrong = [f"{self.who} was cut off: {self.cut_off}"] if self.cut_off else []
        for kind, (before, during) in (("PING", self.ping), ("SEND", self.send)):
            if not during.p99 - before.p99 <= BOUNDS[kind]:
                wrong.append(f"{self.who}'s {kind} took {during.p99:.3f} s")
        return wrong


@dataclass(frozen=True)
class Memory:
    """Of the node, in bytes: before the attack, at most since, and what it may grow by."""

    before: int
    most: int
    room: int


@dataclass(frozen=True)
class Outcome:
    """One attack: all that is told of it. A node that died has no history."""

    attack: str
    tally: Tally
    honest: Noticed
    legacy: Noticed
    memory: Memory
    accepted: Sequence[Said]
    history: Counter[Said]
    died: str = ""
    verdict: Sequence[str] = field(default_factory=tuple)

    @property
    def lost(self) -> int:
        return sum(not self.history[said] for said in self.accepted)

    @property
    def doubled(self) -> int:
        return sum(self.history[said] > 1 for said in self.accepted)

    def complaints(self) -> list[str]:
        """Return what must not be; empty if all held."""
        growth = self.memory.most - self.memory.before
        wrong = {
            f"the node died: {self.died}": self.died,
            f"{self.lost} accepted messages are lost": self.lost,
            f"{self.doubled} accepted messages are kept twice": self.doubled,
            f"it grew by {megabytes(growth)}": growth > self.memory.room,
            "the honest peers had nothing accepted": not self.accepted,
        }
        told = (fault for fault, is_so in wrong.items() if is_so)
        return [*told, *self.honest.complaints(), *self.legacy.complaints(), *self.verdict]

    def as_json(self) -> dict[str, Any]:
        return {
            "attack": self.attack,
            "attacker": {**asdict(self.tally), "accepted": len(self.tally.accepted)},
            "honest": asdict(self.honest),
            "legacy": asdict(self.legacy),
            "memory_bytes": asdict(self.memory),
            "accepted": len(self.accepted),
            "lost": self.lost,
            "doubled": self.doubled,
            "complaints": self.complaints(),
        }


def megabytes(size: float) -> str:
    return f"{size / 1e6:.1f} MB"


_HEAD = (
    "attack",
    "sent",
    "PING p50/p99 ms: before",
    "during",
    "SEND p50/p99 ms: before",
    "during",
    "legacy peer's p99 ms: PING",
    "SEND",
    "memory",
    "grew",
    "attacker",
    "accepted",
    "",
)


def table(outcomes: Iterable[Outcome]) -> str:
    """Write one line an attack, columns aligned."""
    rows = [_HEAD, *map(_row, outcomes)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, tuple("-" * width for width in widths))
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _row(outcome: Outcome) -> tuple[str, ...]:
    tally, memory = outcome.tally, outcome.memory
    return (
        outcome.attack,
        f"{tally.connections:,} conn, {megabytes(tally.bytes)}, {tally.messages:,} msg",
        *map(_milliseconds, (*outcome.honest.ping, *outcome.honest.send)),
        *map(_slowest, (outcome.legacy.ping, outcome.legacy.send)),
        megabytes(memory.most),
        megabytes(memory.most - memory.before),
        _fate(tally),
        f"{len(outcome.accepted):,}, {outcome.lost} lost, {outcome.doubled} doubled",
        "FAILED" if outcome.complaints() else "ok",
    )


def _milliseconds(latency: Latency) -> str:
    return f"{latency.p50 * 1000:.1f} / {latency.p99 * 1000:.0f}"


def _slowest(before_and_during: tuple[Latency, Latency]) -> str:
    return " → ".join(f"{latency.p99 * 1000:.0f}" for latency in before_and_during)


def _fate(tally: Tally) -> str:
    counts = {
        "refused": tally.refused,
        "closed": tally.closed,
        "paused": tally.paused,
        "held": tally.held,
    }
    return ", ".join([*(f"{count:,} {word}" for word, count in counts.items() if count)])

"""A plan: what happens in a world and when, all of it derived from one seed."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from random import Random
from typing import Any


@dataclass(frozen=True)
class Step:
    """One thing that happens: at so many seconds, by the verb of the same name in World.

    Its number is its place in the plan that the seed gives, also in what is left of that plan.
    """

    number: int
    at: float
    verb: str
    args: tuple[Any, ...] = ()

    def __str__(self) -> str:
        return f"{self.number:4} {self.at:8.2f} s  {self.verb} {' '.join(map(str, self.args))}"


@dataclass(frozen=True)
class Plan:
    """Steps in the order of their times. A node that no step starts does not exist."""

    seed: int
    nodes: int
    minutes: float
    steps: tuple[Step, ...]

    def only(self, numbers: Collection[int]) -> "Plan":
        """Return the plan without all other steps."""
        return replace(self, steps=tuple(s for s in self.steps if s.number in numbers))


#: What befalls a world, and how often compared to the rest.
_TROUBLES = {
    "say": 40,
    "shout": 1,
    "chat": 10,
    "publish": 5,
    "crash": 6,
    "ambush": 8,
    "ordeal": 5,
    "stop": 5,
    "part": 3,
    "cut": 8,
    "forget": 3,
    "weather": 3,
    "shelter": 2,
    "set_clock": 4,
    "fill_disk": 4,
    "stop_rendezvous": 1,
    "spoil_rendezvous": 1,
}

#: Deployed programs that answer honestly, of which some enter, each with the same chance.
DEPLOYED = (
    "judging",
    "first-line-only",
    "choking",
    "ending",
    "rejecting",
    "hanging-up",
    "float-timed",
    "echoing",
    "impatient",
    "leaving",
    "relaying",
    "publishing",
)

#: Deployed programs of the archive that replicate it, of which some enter.
REPLICATING = (
    "replicating",
    "never-asking",
    "silent-while-empty",
    "taking-anything",
    "notification-fearing",
    "notifying",
    "introducing",
    "reversing",
    "any-bytes",
    "limited",
    "plain-texts",
)

#: Rendezvous servers that are not as they should be.
ODD_SERVERS = (
    "with-error-key",
    "never-refusing",
    "forgetful",
    "blocking",
    "lying",
    "nonsense",
    "silent",
    "dripping",
)

#: The other strangers.
STRANGERS = (
    "legacy",
    "repeating",
    "lying",
    "forging",
    "babbling",
    "mute",
    "invalid-archive",
    "endless-archive",
    "stalled-archive",
    "cut-archive",
    "deaf-archive",
    "bogus-list",
    "miner",
)

#: The number of the first stranger of each sort; no two have the same.
FIRST_DEPLOYED, FIRST_REPLICATING = len(STRANGERS), len(STRANGERS) + len(DEPLOYED)


def make_plan(seed: int, nodes: int, minutes: float) -> Plan:
    """Derive a plan; the same arguments give the same one, in any process."""
    return _Author(seed, nodes, float(minutes)).plan()


class _Author:
    """Writes one plan."""

    def __init__(self, seed: int, nodes: int, minutes: float) -> None:
        self._made = seed, nodes, minutes
        self._random = Random(f"plan {seed} {nodes} {minutes}")
        self._nodes = range(1, nodes + 1)
        self._end = 60.0 * minutes
        self._steps: list[tuple[float, str, tuple[Any, ...]]] = []

    def plan(self) -> Plan:
        for node in self._nodes:
            self._add(self._random.uniform(0, self._end / 5), "start", node)
            if self._random.random() < 0.3:
                self._add(0.0, "drift", node, round(self._random.uniform(-0.01, 0.01), 5))
        if self._random.random() < 0.5:
            self._weather(0.0)
        for number in range(self._random.randint(0, 3)):
            kind = self._random.choice(STRANGERS)
            self._add(self._random.uniform(0, self._end / 2), "enter", kind, number)
        for number in range(self._random.randint(0, 2)):
            self._deployed(FIRST_DEPLOYED + number)
        for number in range(self._random.choice((0, 0, 1, 2))):
            at, kind = self._random.uniform(0, self._end / 2), self._random.choice(REPLICATING)
            self._add(at, "enter", kind, FIRST_REPLICATING + number)
        if self._random.random() < 0.3:
            self._add(0.0, "add_rendezvous", self._random.choice(ODD_SERVERS))
        kinds, weights = list(_TROUBLES), list(_TROUBLES.values())
        count = int(len(self._nodes) * self._random.uniform(1, 5) * self._end / 60)
        for kind in self._random.choices(kinds, weights, k=count):
            getattr(self, f"_{kind}")(self._random.uniform(5, self._end))
        steps = sorted(self._steps, key=lambda step: step[0])
        return Plan(*self._made, tuple(Step(n, *step) for n, step in enumerate(steps)))

    def _add(self, at: float, verb: str, *args: Any) -> None:
        self._steps.append((round(at, 3), verb, args))

    def _node(self) -> int:
        return self._random.choice(self._nodes)

    def _later(self, at: float, longest: float) -> float:
        """Draw when something is over: often soon, at times late, never behind the end."""
        return min(self._end, at + longest * self._random.random() ** 4 + 0.01)

    def _deployed(self, number: int) -> None:
        """Let a deployed program enter, and be written to."""
        at = self._random.uniform(0, self._end / 2)
        self._add(at, "enter", self._random.choice(DEPLOYED), number)
        for _ in range(self._random.randint(1, 8)):
            later = self._random.uniform(at, self._end)
            self._add(later, "tell", self._node(), number, self._random.choice((1, 1, 3, 8)))

    # One method for each kind of trouble; each adds its steps at that time and later.

    def _say(self, at: float) -> None:
        count = self._random.choice((1, 1, 1, 2, 5, 20, 200))
        self._add(at, "say", self._node(), self._node(), count)

    def _shout(self, at: float) -> None:
        """Have more said, in long texts, than a link takes at once."""
        self._add(at, "say", self._node(), self._node(), 80, self._random.choice((300, 3000)))

    def _chat(self, at: float) -> None:
        self._add(at, "chat", self._node(), self._random.choice((1, 1, 1, 3)))

    def _publish(self, at: float) -> None:
        self._add(at, "publish", self._node(), self._random.choice(("*", "#CIC")))

    def _crash(self, at: float) -> None:
        node = self._node()
        self._add(at, "crash", node)
        if self._random.random() < 0.2:
            self._add(at, "move", node, self._random.randint(4001, 4009))
        self._add(self._later(at, 900), "start", node)

    def _ambush(self, at: float) -> None:
        """Crash somebody in the middle of something."""
        node, other = self._node(), self._node()
        if self._random.random() < 0.3:
            self._add(at, "chat", node, 1)
        else:
            self._add(at, "say", node, other, self._random.choice((1, 5, 20)))
        victim = self._random.choice((node, other))
        moment = at + self._random.uniform(0, self._random.choice((0.02, 0.2, 2.0)))
        self._add(moment, "crash", victim)
        self._add(self._later(moment, 30), "start", victim)

    def _ordeal(self, at: float) -> None:
        """Let a lot befall one node within seconds, in any order."""
        node = self._node()
        verbs = ("crash", "start", "stop", "start", "fill_disk", "free_disk", "start")
        for _ in range(self._random.randint(3, 8)):
            at += self._random.choice((0.0, 0.01, 0.1, 1.0, 6.0)) * self._random.random()
            match self._random.choice((*verbs, "say", "say", "hear", "chat")):
                case "say":
                    self._add(at, "say", node, self._node(), 3)
                case "hear":
                    self._add(at, "say", self._node(), node, 3)
                case "chat":
                    self._add(at, "chat", node, 1)
                case verb:
                    self._add(at, verb, node)
        self._add(at + 1, "start", node)

    def _stop(self, at: float) -> None:
        node = self._node()
        self._add(at, "stop", node)
        self._add(self._later(at + 10, 120), "start", node)

    def _part(self, at: float) -> None:
        size = self._random.randint(1, max(1, len(self._nodes) // 2))
        self._add(at, "part", *sorted(self._random.sample(self._nodes, size)))
        self._add(self._later(at, 1500), "heal")

    def _cut(self, at: float) -> None:
        self._add(at, "cut", round(self._random.random(), 6))

    def _forget(self, at: float) -> None:
        self._add(at, "forget", round(self._random.random(), 6))

    def _weather(self, at: float) -> None:
        draw = self._random
        latency = round(draw.choice((0.005, 0.05, 0.5, 2.0)), 4)
        bandwidth = draw.choice((0, 0, 2_000, 20_000, 1_000_000))
        chunking, resets = draw.choice((0.0, 0.3, 0.9)), draw.choice((0.0, 0.0, 0.001, 0.01))
        slowest = draw.choice((0.001, 0.02, 0.3))
        self._add(at, "weather", latency, bandwidth, chunking, resets, slowest)

    def _shelter(self, at: float) -> None:
        node = self._node()
        self._add(at, "shelter", node, self._random.choice(("silent", "refusing")))
        self._add(self._later(at, 300), "unshelter", node)

    def _set_clock(self, at: float) -> None:
        seconds = self._random.choice((1, 60, 3600, 86400)) * self._random.uniform(-1, 1)
        self._add(at, "set_clock", self._node(), round(seconds, 3))

    def _fill_disk(self, at: float) -> None:
        node = self._node()
        self._add(at, "fill_disk", node)
        self._add(self._later(at, 120), "free_disk", node)

    def _spoil_rendezvous(self, at: float) -> None:
        self._add(at, "spoil_rendezvous", self._random.choice(ODD_SERVERS))
        self._add(self._later(at, 200), "start_rendezvous")

    def _stop_rendezvous(self, at: float) -> None:
        self._add(at, "stop_rendezvous")
        self._add(self._later(at, 200), "start_rendezvous")

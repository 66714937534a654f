"""A short quiet life of three nodes, into which tests put what must be noticed."""

from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.simulation.world import world
from tests.simulation.world.inhabitant import Inhabitant
from tests.simulation.world.plans import Plan, Step
from tests.simulation.world.running import Outcome, run_plan

#: Two nodes that say something and have a chat each, a third one that starts late.
QUIET_LIFE = (
    (0, "weather", 0.002, 0, 0.3, 0.0, 0.05),
    (0, "start", 1),
    (0, "start", 2),
    (10, "say", 1, 2, 3),
    (10, "say", 2, 1, 1),
    (11, "chat", 1, 1),
    (12, "start", 3),
    (14, "say", 2, 3, 2),
    (15, "chat", 2, 1),
)


def plan_of(*steps: tuple[Any, ...]) -> Plan:
    """Return a plan of times, verbs and arguments."""
    numbered = [Step(n, float(at), verb, args) for n, (at, verb, *args) in enumerate(steps)]
    return Plan(7, 3, 0.5, tuple(numbered))


class SabotageCase(SynchronousTestCase):
    """A node is made to break what must hold."""

    def setUp(self) -> None:
        self.patch(world, "LONGEST_SETTLING", 60.0)

    def live(
        self, *more: tuple[Any, ...], tamper: Callable[[Inhabitant], None] | None = None
    ) -> Outcome:
        return run_plan(plan_of(*QUIET_LIFE, *more), tamper=tamper)

"""A plan from its first step to its outcome."""

import gc
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple
from unittest.mock import patch

from tests.archive.mined import easy_proof
from tests.integration import archive_chain
from tests.simulation.world.inhabitant import Inhabitant
from tests.simulation.world.plans import Plan, make_plan
from tests.simulation.world.world import Violation, World


class Outcome(NamedTuple):
    """What became of a plan; `seconds` are simulated, `log` is empty unless it was asked for.

    `fullest` tells how much of its bound each queue came to, where 1 is all.
    """

    seed: int
    seconds: float
    messages: int
    chats: int
    crashes: int
    partitions: int
    violations: list[Violation]
    fullest: dict[str, float]
    digest: str
    log: list[str]

    def violated(self) -> set[str]:
        """Return the names of the invariants that did not hold."""
        return {violation.name for violation in self.violations}


def run_plan(
    plan: Plan, *, log_lines: int = 0, tamper: Callable[[Inhabitant], None] | None = None
) -> Outcome:
    """Run a plan; mining takes 256 tries and not 65,536, for it is not what is looked at.

    Garbage is collected at the end alone: when it is in between depends on what ran before, and
    with it when an error in a forgotten Deferred comes out.

    `tamper` is called with each node whenever it was started.
    """
    with easy_proof(), patch.object(archive_chain, "PROOF", b"\0"), _no_collecting():
        world = World(plan, log_lines=log_lines, tamper=tamper)
        try:
            world.live()
        except Exception as error:  # noqa: BLE001 - whatever stops a world is a finding
            what = "".join(traceback.format_exception(error))
            world.violations.append(Violation("the_world_goes_on", world.network.clock.now, what))
    nodes = world.nodes.values()
    return Outcome(
        seed=plan.seed,
        seconds=world.network.clock.now,
        messages=sum(len(node.sent) for node in nodes),
        chats=sum(len(node.promised) for node in nodes),
        crashes=sum(node.crashes for node in nodes),
        partitions=world.counts["part"],
        violations=world.violations,
        fullest=dict(world.fullest),
        digest=world.network.digest,
        log=world.network.log,
    )


@contextmanager
def _no_collecting() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def run_seed(arguments: tuple[int, int, float]) -> Outcome:
    """Run the plan of a seed, a number of nodes and a number of minutes."""
    return run_plan(make_plan(*arguments))

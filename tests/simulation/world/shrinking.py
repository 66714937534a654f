"""Cutting a plan that fails down to a short one that still does."""

from collections.abc import Callable, Collection

from tests.simulation.world.plans import Plan, Step


class _OutOfTries(Exception):  # noqa: N818 - it is no error
    """The plan found so far has to do."""


def shrink(plan: Plan, fails: Callable[[Plan], bool], tries: int) -> Plan:
    """Return the shortest plan found within so many tries that still fails.

    First whole nodes go, with all that befalls them, then single steps in ever smaller groups
    (delta debugging).
    """
    search = _Search(plan, fails, tries)
    try:
        search.drop_nodes()
        search.drop_steps()
    except _OutOfTries:
        pass
    return search.best


class _Search:
    def __init__(self, plan: Plan, fails: Callable[[Plan], bool], tries: int) -> None:
        self.best = plan
        self._fails = fails
        self._tries = tries

    def drop_nodes(self) -> None:
        """Try to do without each node, half of them at a time first."""
        starts = {step.args[0] for step in self.best.steps if step.verb == "start"}
        nodes = sorted(starts, reverse=True)
        size = len(nodes) // 2
        while size:
            for at in range(0, len(nodes), size):
                gone = nodes[at : at + size]
                self._try_without([s for s in self.best.steps if _is_about(s, gone)])
            size //= 2

    def drop_steps(self) -> None:
        """Try to do without each group of neighbouring steps, down to single ones."""
        size = max(1, len(self.best.steps) // 2)
        while True:
            before = len(self.best.steps)
            at = 0
            while at < len(self.best.steps):
                if not self._try_without(self.best.steps[at : at + size]):
                    at += size
            if size == 1 and len(self.best.steps) == before:
                return
            size = max(1, size // 2)

    def _try_without(self, steps: Collection[Step]) -> bool:
        gone = {step.number for step in steps}
        if not gone:
            return False
        if not self._tries:
            raise _OutOfTries
        self._tries -= 1
        rest = self.best.only({step.number for step in self.best.steps} - gone)
        if not self._fails(rest):
            return False
        self.best = rest
        return True


def _is_about(step: Step, nodes: Collection[int]) -> bool:
    """Tell whether a step befalls one of these nodes alone."""
    about_nodes = step.verb not in ("enter", "part", "weather", "cut", "forget")
    return about_nodes and bool(step.args) and step.args[0] in nodes

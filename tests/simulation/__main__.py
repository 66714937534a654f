"""Let real nodes live through plans full of trouble, and look whether all that must hold does.

A seed that fails is cut down to a short plan, which is printed with the command that replays it.
"""

import argparse
import os
import shlex
import sys
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path
from time import monotonic, time

from twisted.logger import globalLogBeginner

from tests.simulation.world.plans import Plan, make_plan
from tests.simulation.world.running import Outcome, run_plan, run_seed
from tests.simulation.world.shrinking import shrink
from tests.simulation.world.tally import Tally

#: Lines of the log that a replay prints, before the first violation, and keeps.
TAIL, ALL = 60, 10_000_000

#: So many seeds that fail are cut down, each with so many tries at the most.
MOST_SHRUNK, TRIES = 3, 120

#: Seconds between two lines about how it goes.
PAUSE = 10.0


def main(arguments: list[str] | None = None) -> int:
    """Do what a command line says; return the exit status, 1 if anything did not hold."""
    options = _parser().parse_args(arguments)
    return _replay(options) if options.replay is not None else _run(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    add = parser.add_argument
    add("--seeds", type=int, default=100, help="how many [100]")
    add("--first", type=int, default=1, help="the first of them [1]")
    add("--new", type=int, default=0, help="so many more, derived from the time [0]")
    add("--nodes", type=int, default=20, help="of each world [20]")
    add("--minutes", type=float, default=4, help="simulated, until all is mended [4]")
    add("--jobs", type=int, default=os.cpu_count() or 1, help="processes [one for each core]")
    add(
        "--replay",
        type=int,
        metavar="SEED",
        help="one seed, with what led to its violation",
    )
    add("--steps", help="of the plan that is replayed, as in 3,7,9 [all]")
    add("--trace", type=Path, metavar="FILE", help="the whole log of a replay")
    add("--tries", type=int, default=TRIES, help=f"to cut a plan down [{TRIES}]")
    return parser


def _run(options: argparse.Namespace) -> int:
    new = range(int(time()), int(time()) + options.new)
    seeds = [*range(options.first, options.first + options.seeds), *new]
    if new:
        print(f"new seeds: {new[0]} to {new[-1]}", flush=True)
    tally, said_at, failed = Tally(), monotonic(), []
    for outcome in _outcomes(seeds, options):
        tally.add(outcome)
        if outcome.violations:
            failed.append(outcome)
            _tell(outcome)
        if monotonic() - said_at > PAUSE:
            print(tally, flush=True)
            said_at = monotonic()
    for outcome in failed[:MOST_SHRUNK]:
        _tell_shortest(outcome, options)
    for outcome in failed[MOST_SHRUNK:]:
        print(f"seed {outcome.seed} is not cut down: {shlex.join(_command(outcome, options))}")
    print(tally.fullest())
    print(tally)
    return 1 if failed else 0


def _outcomes(seeds: list[int], options: argparse.Namespace) -> Iterator[Outcome]:
    tasks = [(seed, options.nodes, options.minutes) for seed in seeds]
    if options.jobs == 1:
        yield from map(run_seed, tasks)
        return
    with get_context("fork").Pool(options.jobs, maxtasksperchild=20) as pool:
        yield from pool.imap_unordered(run_seed, tasks)


def _tell(outcome: Outcome) -> None:
    for violation in outcome.violations:
        print(f"seed {outcome.seed}: {violation}", flush=True)


def _tell_shortest(outcome: Outcome, options: argparse.Namespace) -> None:
    """Print the shortest plan that fails in the same way."""
    wanted = outcome.violations[0].name

    def fails(plan: Plan) -> bool:
        return wanted in run_plan(plan).violated()

    plan = make_plan(outcome.seed, options.nodes, options.minutes)
    shortest = shrink(plan, fails, options.tries)
    print(f"seed {outcome.seed}, {wanted}: {len(shortest.steps)} of {len(plan.steps)} steps:")
    for step in shortest.steps:
        print(f"  {step}")
    numbers = ",".join(str(step.number) for step in shortest.steps)
    words = [*_command(outcome, options), "--steps", numbers]
    print(f"  {shlex.join(words)}", flush=True)


def _command(outcome: Outcome, options: argparse.Namespace) -> list[str]:
    """Return what replays a seed."""
    size = ["--nodes", f"{options.nodes}", "--minutes", f"{options.minutes:g}"]
    return ["python", "-m", "tests.simulation", *size, "--replay", f"{outcome.seed}"]


def _replay(options: argparse.Namespace) -> int:
    plan = make_plan(options.replay, options.nodes, options.minutes)
    if options.steps is not None:
        plan = plan.only({int(number) for number in options.steps.split(",")})
    tally = Tally()
    outcome = run_plan(plan, log_lines=ALL)
    if options.trace:
        options.trace.write_text("\n".join(outcome.log) + "\n")
    else:
        print("\n".join(_told_of(outcome.log)))
    _tell(outcome)
    tally.add(outcome)
    print(f"{tally}\nlog {outcome.digest}")
    return 1 if outcome.violations else 0


def _told_of(log: list[str]) -> list[str]:
    """Return what came before the first violation, and it; or the end, if there is none."""
    found = next((at for at, line in enumerate(log) if " VIOLATION " in line), len(log))
    return log[max(0, found - TAIL) : found + 1]


if __name__ == "__main__":
    # without this all that nodes log would be kept in memory
    globalLogBeginner.beginLoggingTo([], redirectStandardIO=False, discardBuffer=True)
    sys.exit(main())

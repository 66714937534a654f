"""Fuzz everything that bytes come in by: `python -m tests.fuzz --seconds 60 [TARGET ...]`.

The time is divided over the targets. An input that breaks one is kept in tests/fuzz/found/TARGET/,
and the exit status is 1. Needs the extra `fuzz`: pip install '.[fuzz]'.
"""

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path
from random import SystemRandom

from tests.fuzz.campaign import replay_command, run
from tests.fuzz.targets import TARGETS, load


def main() -> int:
    """Run; return the exit status: 1 if anything was found, 2 if it cannot run."""
    parser = _parser()
    options = parser.parse_args()
    if options.replay is not None:
        if not options.targets:
            parser.error("--replay needs a TARGET")
        return _replay(options.replay, options.targets)
    if find_spec("atheris") is None:
        print("atheris is not installed: pip install '.[fuzz]'", file=sys.stderr)
        return 2
    seed = SystemRandom().randrange(1, 1 << 31) if options.seed is None else options.seed
    targets = options.targets or list(TARGETS)
    print(f"{len(targets)} targets, {options.seconds} s in all, seed {seed}", flush=True)
    outcomes = run(targets, options.seconds, seed, lambda line: print(line, flush=True))
    bad = [outcome for outcome in outcomes if not outcome.is_good]
    for outcome in bad:
        print(f"\n{outcome.target}: {outcome.words}")
        if outcome.finding is not None:
            print(f"    {replay_command(outcome.target, outcome.finding)}")
    print(f"{sum(outcome.executions for outcome in outcomes)} inputs, {len(bad)} findings")
    return 1 if bad else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=_positive, default=60, help="in all [60]")
    parser.add_argument("--seed", type=int, help="of the random numbers [by chance]")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="let this come in, only once")
    parser.add_argument(
        "targets", nargs="*", type=_target, metavar="TARGET", help=", ".join(TARGETS)
    )
    return parser


def _replay(path: Path, targets: list[str]) -> int:
    """Let one input come in; what it breaks is raised."""
    for target in targets:
        load(target).check(path.read_bytes())
        print(f"{target}: {path} breaks nothing")
    return 0


def _target(text: str) -> str:
    if text not in TARGETS:
        raise argparse.ArgumentTypeError(f"none of {', '.join(TARGETS)}")
    return text


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


if __name__ == "__main__":
    sys.exit(main())

"""Kill nodes at random moments and look whether anything is lost: `python -m tests.faults`."""

import argparse
import sys
from random import SystemRandom

from tests.faults.rounds import Outcome, run_rounds

#: How many findings of each kind are printed.
MAX_LINES = 20


def main() -> int:
    """Run; return the exit status, 1 if anything is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--rounds", type=_positive, default=200, help="how many [200]")
    parser.add_argument("--seed", type=int, help="of the random numbers [by chance]")
    options = parser.parse_args()
    seed = SystemRandom().randrange(1 << 32) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    try:
        outcome = run_rounds(options.rounds, seed, lambda line: print(line, flush=True))
    except AssertionError as error:
        print(f"FAILED: {error}", file=sys.stderr)
        return 1
    for kind, lines in outcome.findings._asdict().items():
        for line in lines[:MAX_LINES]:
            print(f"{kind}: {line}")
    print(summary(outcome, seed))
    return 0 if outcome.is_good else 1


def summary(outcome: Outcome, seed: int) -> str:
    """Put all that counts into one line."""
    lost, doubled, disordered, strange, refused = map(len, outcome.findings)
    return (
        f"{outcome.rounds} rounds, {outcome.messages} messages, {outcome.promised} of them "
        f"reported as queued, {outcome.kills} kills: {lost} lost, {doubled} doubled, "
        f"{disordered} out of order, {strange} strange, {refused} refused; seed {seed}"
    )


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


if __name__ == "__main__":
    sys.exit(main())

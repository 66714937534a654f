"""Attack a real node, and tell what comes of it: `python -m tests.hostile [NAME ...]`.

The exit status is 1 if something accepted is lost or kept twice, if the node died, complained in
its log or grew beyond the attack's bound, if an honest peer was cut off or its PINGs or SENDs took
too long, or if the archive suffered.
"""

import argparse
import json
import sys

from tests.hostile.attacks import ATTACKS
from tests.hostile.outcome import Outcome, table
from tests.hostile.trial import try_out


def main(arguments: list[str] | None = None) -> int:
    """Run the attacks that are named, or all; return the exit status."""
    options = _parser().parse_args(arguments)
    outcomes: list[Outcome] = []
    for name in options.names or ATTACKS:
        print(f"{name} ...", file=sys.stderr, flush=True)
        outcomes.append(try_out(ATTACKS[name], options.seconds))
    if options.json:
        print(json.dumps([outcome.as_json() for outcome in outcomes], indent=2))
    else:
        print(table(outcomes))
    faults = [
        f"{outcome.attack}: {fault}" for outcome in outcomes for fault in outcome.complaints()
    ]
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    # where none is named, argparse looks the empty list up too
    names = ", ".join(ATTACKS)
    parser.add_argument(
        "names", nargs="*", choices=[*ATTACKS, []], metavar="NAME", help=f"{names} [all]"
    )
    parser.add_argument("--seconds", type=float, default=8.0, help="for each attack [8]")
    parser.add_argument("--json", action="store_true", help="print JSON, and no table")
    return parser


if __name__ == "__main__":
    sys.exit(main())

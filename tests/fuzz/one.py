"""Fuzz one target in this process, which libFuzzer ends.

    python -m tests.fuzz.one TARGET ARGUMENT...

The arguments are libFuzzer's. Only here the modules of p2pchat and the target are instrumented.
"""

import sys

import atheris
from twisted.logger import globalLogBeginner

from tests.fuzz.targets import load


def main() -> None:
    """Run; never returns."""
    name, *arguments = sys.argv[1:]
    # what is logged is part of what is tested, but nobody reads it
    globalLogBeginner.beginLoggingTo([], redirectStandardIO=False, discardBuffer=True)
    with atheris.instrument_imports(include=["p2pchat", "tests.fuzz.targets"]):
        target = load(name)
    atheris.Setup([sys.argv[0], *arguments], target.check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()

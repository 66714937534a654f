"""Runs the benchmarks: `python -m benchmarks [NAME ...] [--json] [--check] [--profile]`."""

import argparse
import signal
import sys
from collections.abc import Callable, Sequence

import msgspec

from benchmarks import (
    archive_adopt,
    archive_answers,
    archive_cancel,
    archive_kernel,
    archive_memory,
    archive_mine,
    archive_pieces,
    archive_post,
    archive_race,
    archive_ticker,
    archive_verify,
    burst,
    history_keep,
    history_million,
    links,
    ping,
    ready,
    rendezvous_growth,
    rendezvous_redis,
    rendezvous_requests,
    rendezvous_slow,
)
from benchmarks.figures import BenchmarkError, Figure
from benchmarks.machine import Watch
from benchmarks.profiles import measured
from benchmarks.table import table

BENCHMARKS: dict[str, Callable[[], list[Figure]]] = {
    "burst": burst.measure,
    "links": links.measure,
    "ping": ping.measure,
    "ready": ready.measure,
    "verify": archive_verify.measure,
    "pieces": archive_pieces.measure,
    "adopt": archive_adopt.measure,
    "kernel": archive_kernel.measure,
    "cancel": archive_cancel.measure,
    "mine": archive_mine.measure,
    "post": archive_post.measure,
    "race": archive_race.measure,
    "ticker": archive_ticker.measure,
    "memory": archive_memory.measure,
    "answers": archive_answers.measure,
    "keep": history_keep.measure,
    "million": history_million.measure,
    "requests": rendezvous_requests.measure,
    "growth": rendezvous_growth.measure,
    "slow": rendezvous_slow.measure,
    "redis": rendezvous_redis.measure,
}

#: Names that stand for several.
GROUPS = {
    "chat": ("burst", "links", "ping", "ready"),
    "archive": (
        *("verify", "pieces", "adopt", "kernel", "cancel", "mine", "post", "race"),
        *("ticker", "memory", "answers"),
    ),
    "history": ("keep", "million"),
    "rendezvous": ("requests", "growth", "slow", "redis"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks that are named, or all, and print what they found; return the status.

    1 means that a figure falls short and --check was given, 2 that one could not be measured.
    """
    options = _parse(arguments)
    if sys.platform != "linux":
        print("benchmarks: memory and processor time are read in Linux's way", file=sys.stderr)
        return 2
    watch = Watch()
    figures: list[Figure] = []
    failed = False
    for name in _chosen(options.names):
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        try:
            if options.profile:
                print(f"{name}\n{measured(BENCHMARKS[name])}\n", flush=True)
            else:
                figures += BENCHMARKS[name]()
        except (BenchmarkError, OSError) as error:
            print(f"benchmarks: {name}: {error}", file=sys.stderr)
            failed = True
    machine = watch.describe()
    if options.profile:
        print(machine)
    elif options.json:
        print(_json(machine, figures))
    else:
        print(table(figures), machine, sep="\n\n")
    falls_short = options.check and any(figure.ok is False for figure in figures)
    return 2 if failed else int(falls_short)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure what a node can do: all, or what is named.",
    )
    names = [*BENCHMARKS, *GROUPS]
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names))
    parser.add_argument("--json", action="store_true", help="print JSON and no table")
    parser.add_argument(
        "--check", action="store_true", help="exit with status 1 if a figure falls short"
    )
    parser.add_argument(
        "--profile", action="store_true", help="print where the time goes, and no figures"
    )
    options = parser.parse_args(arguments)
    for name in options.names:
        if name not in names:
            parser.error(f"no benchmark {name!r}: choose from {', '.join(names)}")
    return options


def _chosen(names: Sequence[str]) -> list[str]:
    """Return the benchmarks that are named, alone or by their group, each once; or all."""
    named = [single for name in names for single in GROUPS.get(name, (name,))]
    return list(dict.fromkeys(named or BENCHMARKS))


def _json(machine: object, figures: Sequence[Figure]) -> str:
    rows = [
        {**msgspec.to_builtins(figure), "ratio": figure.ratio, "ok": figure.ok}
        for figure in figures
    ]
    return msgspec.json.encode({"machine": machine, "figures": rows}).decode()


if __name__ == "__main__":
    # ended by a signal, it still ends the processes that it started
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sys.exit(main())

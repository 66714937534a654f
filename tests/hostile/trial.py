"""One attack: the honest peers before it and during it, and what the node has kept afterwards."""

import time
from collections import Counter
from contextlib import closing
from dataclasses import replace

from benchmarks.figures import BenchmarkError
from benchmarks.linux import forget_peak, peak_bytes
from tests.hostile import witness
from tests.hostile.attack import Attack
from tests.hostile.attacker import Attacker
from tests.hostile.honest import LEGACY, HonestPeer
from tests.hostile.outcome import Latency, Memory, Noticed, Outcome
from tests.hostile.scene import Attacked, JsonNode, Said, scene
from tests.hostile.target import Tally, Target

#: Seconds before an attack that the honest peers are measured.
QUIET_TIME = 3.0

_PROVOCATION_PAUSE = 0.2


def try_out(attack: type[Attack], seconds: float, quiet: float = QUIET_TIME) -> Outcome:
    """Attack a new node for so many seconds; AssertionError if it could not be done at all."""
    outcome = None
    try:
        with scene(attack) as (node, target):
            outcome = _observe(attack, node, target, seconds, quiet)
    except AssertionError as error:
        if outcome is None:
            raise
        outcome = replace(outcome, died=outcome.died or str(error))
    return outcome


def _observe(
    attack: type[Attack], node: Attacked, target: Target, seconds: float, quiet: float
) -> Outcome:
    with (
        closing(Attacker(attack, target)) as attacker,
        closing(HonestPeer(target.chat)) as honest,
        closing(HonestPeer(target.chat, LEGACY)) as legacy,
    ):
        began = time.perf_counter()
        time.sleep(quiet)
        forget_peak(node.pid)
        before = peak_bytes(node.pid)
        attacked = time.perf_counter()
        attacker.tell("begin")
        trouble = _provoke(attack, node, attacker, seconds)
        over = time.perf_counter()
        most = _peak(node.pid)
        if attack.archive:
            trouble += witness.complaints(node, target.archive)
        tally = attacker.stop()
        honest.close()
        legacy.close()
    history, verdict, died = _aftermath(attack, node, tally)
    times = (began, attacked, over)
    return Outcome(
        attack.name,
        tally,
        _noticed("the honest peer", honest, times),
        _noticed("the legacy peer", legacy, times),
        Memory(before, most, attack.room),
        [*honest.accepted(), *legacy.accepted(), *tally.accepted],
        history,
        died,
        [*trouble, *verdict],
    )


def _provoke(attack: type[Attack], node: Attacked, attacker: Attacker, seconds: float) -> list[str]:
    """Let the attack go on, and do what it is about; return what the node did not do."""
    deadline = time.monotonic() + seconds
    try:
        while time.monotonic() < deadline:
            if isinstance(node, JsonNode):
                attack.provoke(node, attacker.tell)
            time.sleep(_PROVOCATION_PAUSE)
    except AssertionError as error:
        return [f"it does not do its work: {error}"]
    return []


def _aftermath(
    attack: type[Attack], node: Attacked, tally: Tally
) -> tuple[Counter[Said], list[str], str]:
    """Return what the node has kept, what else is wrong with it, and how it died if it did."""
    try:
        return node.history(), attack.verdict(node, tally), ""
    except AssertionError as error:
        return Counter(), [], str(error)


def _peak(pid: int) -> int:
    try:
        return peak_bytes(pid)
    except (OSError, BenchmarkError):  # it died, which the aftermath tells
        return 0


def _noticed(who: str, peer: HonestPeer, times: tuple[float, float, float]) -> Noticed:
    ping, send = _latencies(peer, "PING", times), _latencies(peer, "SEND", times)
    return Noticed(who, ping, send, peer.cut_off)


def _latencies(
    honest: HonestPeer, kind: str, times: tuple[float, float, float]
) -> tuple[Latency, Latency]:
    began, attacked, over = times
    before = honest.times(kind, began, attacked)
    return Latency.of(before), Latency.of(honest.times(kind, attacked, over))

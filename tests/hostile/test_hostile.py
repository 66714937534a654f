"""A few attacks in a short form hold; and whatever must not be is reported."""

import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.hostile import witness
from tests.hostile.attack import archive_bytes
from tests.hostile.attacks import ATTACKS
from tests.hostile.attacks.escapes import MARK, ORDERS, on_screen
from tests.hostile.attacks.messages import StrayAcks
from tests.hostile.level import judged, report
from tests.hostile.outcome import BOUNDS, Latency, Memory, Noticed, Outcome, table
from tests.hostile.scene import exported
from tests.hostile.target import Tally
from tests.hostile.trial import try_out
from tests.integration.archive_cases import has_many_addresses, published

QUICK = Latency(0.001, 0.002)
FINE = Outcome(
    "nothing",
    Tally(),
    honest=Noticed("the honest peer", (QUICK, QUICK), (QUICK, QUICK)),
    legacy=Noticed("the legacy peer", (QUICK, QUICK), (QUICK, QUICK)),
    memory=Memory(before=50, most=60, room=10),
    accepted=[("ann@CIC", "1"), ("bob@CIC", "1")],
    history=Counter([("ann@CIC", "1"), ("bob@CIC", "1")]),
)


class AttackTests(SynchronousTestCase):
    """Against a real node; the machine may be busy, so times are not looked at here."""

    def assert_holds(self, name: str, seconds: float) -> Outcome:
        found = try_out(ATTACKS[name], seconds, quiet=1.0)
        quick = {"ping": (QUICK, QUICK), "send": (QUICK, QUICK)}
        honest, legacy = (replace(seen, **quick) for seen in (found.honest, found.legacy))
        outcome = replace(found, honest=honest, legacy=legacy)
        self.assertEqual(outcome.complaints(), [])
        self.assertGreater(outcome.tally.messages, 0)
        return outcome

    def test_ids_of_others(self) -> None:
        outcome = self.assert_holds("shared-msg-ids", 1)
        self.assertGreater(len(outcome.tally.accepted), 10)

    def test_texts_that_are_orders(self) -> None:
        self.assert_holds("escape-sequences", 1)

    def test_acks_for_what_was_never_sent(self) -> None:
        self.assert_holds("stray-acks", 1)

    def test_archives_that_are_of_no_use(self) -> None:
        self.assert_archive_holds("useless-archives")
        self.assert_archive_holds("invalid-archives")

    def test_lists_of_peers_that_do_not_exist(self) -> None:
        self.assert_archive_holds("bogus-peer-lists")

    def assert_archive_holds(self, name: str) -> None:
        if not has_many_addresses():
            self.skipTest("peers of the archive need addresses of their own on this machine")
        self.assert_holds(name, 1)

    def test_peers_that_do_not_exist(self) -> None:
        if not has_many_addresses():
            self.skipTest("peers need addresses of their own on this machine")
        self.assert_holds("bogus-discovery", 2.5)


class ComplaintTests(SynchronousTestCase):
    """What must not be is seen."""

    def test_nothing_is_wrong(self) -> None:
        self.assertEqual(FINE.complaints(), [])
        self.assertIn("ok", table([FINE]))

    def test_each_fault_is_told(self) -> None:
        slow = Latency(0.001, QUICK.p99 + BOUNDS["PING"] + 0.1)
        slower = Latency(0.001, QUICK.p99 + BOUNDS["SEND"] + 0.1)
        missing = Latency.of([0.001, float("inf")] * 10)
        for changes, fault in (
            ({"history": Counter([("ann@CIC", "1")])}, "1 accepted messages are lost"),
            ({"history": FINE.history + FINE.history}, "2 accepted messages are kept twice"),
            ({"memory": Memory(before=50, most=61, room=10)}, "it grew by"),
            *(
                ({who: replace(getattr(FINE, who), **changes)}, fault)
                for who in ("honest", "legacy")
                for changes, fault in (
                    ({"ping": (QUICK, slow)}, f"the {who} peer's PING took 0.6"),
                    ({"ping": (QUICK, missing)}, "PING took inf"),
                    ({"send": (QUICK, slower)}, f"the {who} peer's SEND took 0.8"),
                    ({"send": (QUICK, missing)}, "SEND took inf"),
                    ({"cut_off": "the node hung up"}, "cut off: the node hung up"),
                )
            ),
            ({"died": "status 1"}, "died: status 1"),
            ({"accepted": []}, "nothing accepted"),
            ({"verdict": ["the archive suffered"]}, "the archive suffered"),
        ):
            self.assert_told(replace(FINE, **changes), fault)

    def assert_told(self, outcome: Outcome, fault: str) -> None:
        complaints = outcome.complaints()
        self.assertEqual(len(complaints), 1, complaints)
        self.assertIn(fault, complaints[0])
        self.assertIn("FAILED", table([outcome]))
        self.assertEqual(outcome.as_json()["complaints"], complaints)

    def test_a_history_that_keeps_one_twice(self) -> None:
        lines = '{"from": "ann@CIC", "msg_id": "1"}\n' * 2
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "all.jsonl"
            file.write_text(lines)
            self.assertEqual(exported(file), Counter({("ann@CIC", "1"): 2}))

    def test_an_archive_that_has_lost_something(self) -> None:
        whole = published()
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "archive.bin"
            file.write_bytes(archive_bytes(whole))
            self.assertEqual(witness.faults((*whole, b"new"), file), [])
            self.assertIn("another archive", witness.faults(whole[1:], file)[0])
            file.write_bytes(archive_bytes(whole[:-1]))
            self.assertIn("lost chats", witness.faults(whole, file)[0])

    def test_orders_on_the_screen(self) -> None:
        self.assertEqual(on_screen(f"{MARK} \\x1b[2J"), [])
        for order in ORDERS:
            self.assertTrue(on_screen(f"{MARK} {order}"), ascii(order))
        self.assertEqual(on_screen(""), ["no text was shown"])

    def test_an_ack_of_somebody_else_that_counts(self) -> None:
        waiting, delivered = {"to": "ghost@CIC"}, {"event": "delivery"}
        for outbox, events, wrong in (
            ([waiting], [], False),
            ([waiting], [delivered], True),
            ([], [], True),
        ):
            self.assertEqual(bool(StrayAcks.verdict(FakeNode(outbox, events), Tally())), wrong)


class FakeNode:
    """Says what it is told to."""

    def __init__(self, outbox: list[Any], events: list[Any]) -> None:
        self._outbox, self._events = outbox, events

    def data(self, line: str) -> list[Any]:
        return self._outbox

    def events(self, event: str, **fields: object) -> list[Any]:
        return self._events


class LevelTests(SynchronousTestCase):
    def assert_level(self, value: Callable[[int], float], *, level: bool) -> None:
        judgement = judged("it", [value(at) for at in range(200)], floor=1.0)
        self.assertEqual(judgement.ok, level, judgement)
        self.assertIn("level" if level else "RISES", report([judgement]))

    def test_what_rises_is_told_from_what_does_not(self) -> None:
        for value, level in (
            (lambda at: 7.0, True),
            (lambda at: 7.0 + at % 5, True),
            (lambda at: min(at, 90), True),
            (lambda at: 200.0 - at, True),
            (lambda at: 7.0 + 0.02 * at, False),
            (lambda at: at % 5 + 0.1 * at, False),
        ):
            self.assert_level(value, level=level)

"""Worlds of real nodes: some plans, their determinism, and that what is wrong in them is caught."""

import os
import subprocess
import sys
from contextlib import redirect_stdout
from dataclasses import replace
from functools import partial
from io import StringIO
from operator import itemgetter
from pathlib import Path
from typing import Any, ClassVar

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chat.receiving import Receiving
from tests.simulation import __main__ as program
from tests.simulation.sabotage import QUIET_LIFE, plan_of
from tests.simulation.wire import readable
from tests.simulation.world import world
from tests.simulation.world.plans import (
    DEPLOYED,
    ODD_SERVERS,
    REPLICATING,
    STRANGERS,
    Plan,
    make_plan,
)
from tests.simulation.world.running import run_plan
from tests.simulation.world.shrinking import shrink

ROOT = Path(__file__).parents[2]


class PlanTests(SynchronousTestCase):
    """Plans are derived from seeds and lived through without a violation."""

    def test_a_few_seeds(self) -> None:
        messages = chats = 0
        for seed in (1, 2, 3):
            outcome = run_plan(make_plan(seed, nodes=4, minutes=1))
            self.assertEqual(outcome.violations, [], f"seed {seed}")
            messages += outcome.messages
            chats += outcome.chats
        self.assertGreater(messages, 100)
        self.assertGreater(chats, 0)

    def test_each_kind_of_stranger(self) -> None:
        enter = [(1, "enter", kind, number) for number, kind in enumerate(STRANGERS)]
        outcome = run_plan(plan_of(*enter, *QUIET_LIFE))
        self.assertEqual(outcome.violations, [])
        self.assertEqual((outcome.messages, outcome.chats), (6 + 6, 2 + 3))

    def test_each_deployed_program(self) -> None:
        """All of them are talked to, and can live with what they are sent."""
        enter = [(1, "enter", kind, number) for number, kind in enumerate(DEPLOYED)]
        tell = [(14 + at, "tell", 1 + at % 2, at, 2) for at in range(len(DEPLOYED))]
        plan = plan_of(*enter, *QUIET_LIFE, *tell, (100, "heal"))
        outcome = run_plan(replace(plan, nodes=3 + len(DEPLOYED)))  # there is room for all
        self.assertEqual(outcome.violations, [])
        self.assertEqual(outcome.messages, 6 + 6 + 2 * len(DEPLOYED))

    def test_each_program_of_the_archive(self) -> None:
        """Each replicates what nodes chat and mines, and is sent what it can take."""
        enter = [(1, "enter", kind, number) for number, kind in enumerate(REPLICATING)]
        plan = replace(plan_of(*enter, *QUIET_LIFE, (100, "heal")), minutes=2)
        outcome = run_plan(replace(plan, nodes=3 + len(REPLICATING)))  # there is room for all
        self.assertEqual(outcome.violations, [])
        self.assertEqual((outcome.messages, outcome.chats), (6 + 6, 2 + 3))

    def test_each_odd_rendezvous_beside_a_good_one(self) -> None:
        for kind in ODD_SERVERS:
            self.assert_good((0, "add_rendezvous", kind), *QUIET_LIFE)

    def test_a_good_rendezvous_behind_each_odd_one(self) -> None:
        spoil = [(6 * at, "spoil_rendezvous", kind) for at, kind in enumerate(ODD_SERVERS)]
        steps = sorted((*spoil, *QUIET_LIFE, (60, "start_rendezvous")), key=itemgetter(0))
        self.assert_good(*steps)

    def assert_good(self, *steps: tuple[Any, ...]) -> None:
        outcome = run_plan(plan_of(*steps))
        self.assertEqual(outcome.violations, [], steps[0])
        self.assertEqual((outcome.messages, outcome.chats), (6 + 6, 2 + 3), steps[0])

    def test_same_arguments_same_plan(self) -> None:
        self.assertEqual(make_plan(5, 6, 2), make_plan(5, 6, 2))
        self.assertEqual(make_plan(5, 6, 2), make_plan(5, 6, 2.0))  # as a command line has it
        self.assertNotEqual(make_plan(5, 6, 2).steps, make_plan(6, 6, 2).steps)

    def test_same_log_in_another_process(self) -> None:
        """Also where sets and dictionaries of strings have another order."""
        command = [sys.executable, "-m", "tests.simulation", "--replay", "4"]
        command += ["--nodes", "3", "--minutes", "0.5"]
        digests = set()
        for seed in ("1", "2"):
            environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
            done = subprocess.run(
                *(command,), cwd=ROOT, env=environment, capture_output=True, text=True, check=True
            )
            digests.add(done.stdout.splitlines()[-1])
        self.assertEqual(len(digests), 1, digests)
        self.assertRegex(digests.pop(), r"log [0-9a-f]{64}")


class ProgramTests(SynchronousTestCase):
    """What `python -m tests.simulation` does and prints."""

    #: Short worlds.
    SMALL: ClassVar[list[str]] = ["--nodes", "2", "--minutes", "0.5", "--jobs", "1"]

    def setUp(self) -> None:
        self.patch(world, "QUIET", 1.0)

    def run_program(self, *arguments: str) -> tuple[int, list[str]]:
        with redirect_stdout(StringIO()) as output:
            status = program.main([*self.SMALL, *arguments])
        return status, output.getvalue().splitlines()

    def test_seeds_that_pass(self) -> None:
        self.patch(program, "time", lambda: 77.7)
        status, lines = self.run_program("--seeds", "2", "--new", "1")
        self.assertEqual(status, 0, lines)
        self.assertRegex(lines[0], "^new seeds: 77 to 77$")
        self.assertRegex(lines[-1], r"^3 seeds, .* 0 violations in 0 seeds; ")

    def test_seed_that_fails_is_told_with_the_command_that_replays_it(self) -> None:
        show = Receiving._show

        def twice(*arguments: Any) -> None:
            show(*arguments)
            show(*arguments)

        self.patch(Receiving, "_show", twice)
        status, lines = self.run_program("--seeds", "1", "--first", "12", "--tries", "30")
        self.assertEqual(status, 1, lines)
        self.assertRegex(lines[0], "^seed 12: .* is_shown_once: ")
        command = next(line for line in lines if "python -m tests.simulation" in line)
        steps = command.partition("--steps ")[2]
        self.assertLessEqual(len(steps.split(",")), 4, lines)
        status, lines = self.run_program("--replay", "12", "--steps", steps)
        self.assertEqual(status, 1)
        told = next(at for at, line in enumerate(lines) if " VIOLATION is_shown_once" in line)
        self.assertTrue(any('"SEND"' in line for line in lines[:told]), lines)
        self.assertRegex(lines[-1], "^log [0-9a-f]{64}$")


class ReadableTests(SynchronousTestCase):
    """What the log shows of bytes."""

    def test_lines_and_messages_of_the_archive(self) -> None:
        self.assertEqual(readable(b'{"type":"PING"}\n'), '{"type":"PING"} | ')
        self.assertEqual(readable(b"\x03"), "ArchiveRequest \\x03")
        self.assertEqual(readable(b"\x05\x06digest"), "Notification \\x05\\x06digest")

    def test_one_line_whatever_comes(self) -> None:
        told = readable(bytes(range(256)) * 10)
        self.assertTrue(told.isprintable())
        self.assertLess(len(told), 1500)


class ShrinkingTests(SynchronousTestCase):
    """A plan that fails is cut down to what makes it fail."""

    def test_what_makes_it_fail_is_found(self) -> None:
        plan = make_plan(3, nodes=20, minutes=4)
        guilty = {plan.steps[17].number, plan.steps[60].number, plan.steps[61].number}
        tried = []

        def fails(cut: Plan) -> bool:
            tried.append(cut)
            return guilty <= {step.number for step in cut.steps}

        shortest = shrink(plan, fails, tries=300)
        self.assertEqual({step.number for step in shortest.steps}, guilty)
        self.assertLess(len(tried), 150)

    def test_tries_are_bounded(self) -> None:
        plan = make_plan(3, nodes=20, minutes=4)
        tried = []

        def fails(cut: Plan) -> bool:
            tried.append(cut)
            return False

        self.assertEqual(shrink(plan, fails, tries=10), plan)
        self.assertEqual(len(tried), 10)

    def test_planted_bug_is_cut_down_to_four_steps(self) -> None:
        """To acknowledge what is not stored takes two nodes, a message and a slow disk."""
        received = Receiving.received

        def hasty(self: Receiving, peer: Any, link: Any, messages: Any) -> None:
            link.acknowledge([message.msg_id for message in messages])
            received(self, peer, link, messages)

        self.patch(world, "LONGEST_SETTLING", 15.0)
        self.patch(world, "QUIET", 1.0)
        self.patch(Receiving, "received", hasty)
        fails = partial(self._breaks, "is_stored_when_promised")
        more = ((16, "cut", 0.5), (17, "say", 1, 3, 1), (18, "set_clock", 2, 5.0), (19, "heal"))
        shortest = shrink(plan_of(*QUIET_LIFE, *more), fails, tries=40)
        verbs = sorted(step.verb for step in shortest.steps)
        self.assertEqual(verbs, ["say", "start", "start", "weather"])

    def _breaks(self, name: str, plan: Plan) -> bool:
        return name in run_plan(plan).violated()

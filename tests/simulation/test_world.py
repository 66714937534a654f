"""Worlds of real nodes: some plans, their determinism, and that what is wrong in them is caught."""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any, ClassVar

from msgspec import structs
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.archive.keeper import Keeper
from p2pchat.archive.own import OwnChats
from p2pchat.archive.replica import Replica
from p2pchat.chat.dialer import Dialer
from p2pchat.chat.outbox import Outbox
from p2pchat.chat.receiving import Receiving
from p2pchat.events import ArchiveGrew, MessageReceived
from p2pchat.store.notebook import Notebook
from tests.archive.mined import sketch
from tests.simulation import __main__ as program
from tests.simulation.world import world
from tests.simulation.world.disk import DiskHistory
from tests.simulation.world.inhabitant import START, Inhabitant
from tests.simulation.world.plans import STRANGERS, Plan, Step, make_plan
from tests.simulation.world.running import Outcome, run_plan
from tests.simulation.world.shrinking import shrink

ROOT = Path(__file__).parents[2]

#: Two nodes that say something and have a chat each, a third one that starts late.
QUIET_LIFE = (
    (0, "weather", 0.002, 0, 0.3, 0.0, 0.05),
    (0, "start", 1),
    (0, "start", 2),
    (10, "say", 1, 2, 3),
    (10, "say", 2, 1, 1),
    (11, "chat", 1, 1),
    (12, "start", 3),
    (14, "say", 2, 3, 2),
    (15, "chat", 2, 1),
)


def plan_of(*steps: tuple[Any, ...]) -> Plan:
    """Return a plan of times, verbs and arguments."""
    numbered = [Step(n, float(at), verb, args) for n, (at, verb, *args) in enumerate(steps)]
    return Plan(7, 3, 0.5, tuple(numbered))


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
        self.assertEqual((outcome.messages, outcome.chats), (6, 2))

    def test_same_arguments_same_plan(self) -> None:
        self.assertEqual(make_plan(5, 6, 2), make_plan(5, 6, 2))
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


class SabotageTests(SynchronousTestCase):
    """Every invariant notices when it does not hold: a node is made to break it."""

    def setUp(self) -> None:
        self.patch(world, "LONGEST_SETTLING", 60.0)

    def live(
        self, *more: tuple[Any, ...], tamper: Callable[[Inhabitant], None] | None = None
    ) -> Outcome:
        return run_plan(plan_of(*QUIET_LIFE, *more), tamper=tamper)

    def test_nothing_is_wrong_without_sabotage(self) -> None:
        self.assertEqual(self.live((20, "stop", 1)).violations, [])

    def test_message_under_another_name(self) -> None:
        shown = Receiving._event_of

        def wrong(*arguments: Any) -> MessageReceived:
            event = shown(*arguments)
            return structs.replace(event, source="n9@CIC")

        self.patch(Receiving, "_event_of", wrong)
        self.assertIn("is_shown_under_its_sender", self.live().violated())

    def test_message_shown_twice(self) -> None:
        show = Receiving._show

        def twice(*arguments: Any) -> None:
            show(*arguments)
            show(*arguments)

        self.patch(Receiving, "_show", twice)
        self.assertEqual(self.live().violated(), {"is_shown_once"})

    def test_acknowledged_before_it_is_stored(self) -> None:
        received = Receiving.received

        def hasty(self: Receiving, peer: Any, link: Any, messages: Any) -> None:
            link.acknowledge([message.msg_id for message in messages])
            received(self, peer, link, messages)

        self.patch(Receiving, "received", hasty)
        self.assertEqual(self.live().violated(), {"is_stored_when_promised"})

    def test_accepted_before_it_is_stored(self) -> None:
        queue = DiskHistory.queue

        def hasty(self: DiskHistory, *arguments: Any) -> Any:
            queue(self, *arguments)
            return succeed(1)

        self.patch(DiskHistory, "queue", hasty)
        self.assertIn("is_stored_when_promised", self.live().violated())

    def test_chat_reported_before_it_is_stored(self) -> None:
        self.patch(Keeper, "when_saved", lambda _, call: call())
        self.assertIn("is_archived_when_promised", self.live().violated())

    def test_archive_that_shrinks(self) -> None:
        grew = ArchiveGrew(time=START, height=-1, tip="", source="", reorganised=True)
        outcome = self.live(tamper=lambda node: node.node.report(grew))
        self.assertEqual(outcome.violated(), {"archive_does_not_shrink"})

    def test_unhandled_error(self) -> None:
        def forget(_: Inhabitant) -> None:
            fail(ValueError("nobody looks at it"))

        outcome = self.live(tamper=lambda node: node.host.callLater(1, forget, node))
        self.assertEqual(outcome.violated(), {"no_error_is_unhandled"})
        self.flushLoggedErrors(ValueError)

    def test_archive_that_is_not_valid(self) -> None:
        def spoil(node: Inhabitant) -> None:
            node.node._archive._replica.archive = sketch(("nobody mined this", b""))

        look = (20.001, "heal")
        outcome = self.live(look, tamper=lambda node: node.host.callLater(20, spoil, node))
        self.assertIn("archives_are_valid", outcome.violated())

    def test_outbox_beyond_its_bounds(self) -> None:
        self.patch(Notebook, "_check_room", lambda *_: None)
        talk = [(at, "say", 1, 3, 200) for at in (20, 21, 22, 23)]
        outcome = self.live((16, "crash", 3), *talk, (29, "start", 3))
        self.assertEqual(outcome.violated(), {"queues_keep_their_bounds"})

    def test_leaving_that_does_not_end(self) -> None:
        def hang(node: Inhabitant) -> None:
            node.node.stopService = Deferred

        outcome = self.live((20, "stop", 1), tamper=hang)
        expected = {"leaving_is_bounded", "everybody_has_left", "nobody_is_away"}
        self.assertLessEqual(expected, outcome.violated())

    def test_timer_that_is_left(self) -> None:
        outcome = self.live(tamper=lambda node: node.host.callLater(86400, hash, node))
        self.assertEqual(outcome.violated(), {"nothing_is_left_behind"})

    def test_socket_that_is_left(self) -> None:
        def listen(node: Inhabitant) -> None:
            node.host.listenTCP(7, Factory())

        outcome = self.live(tamper=listen)
        self.assertEqual(outcome.violated(), {"nothing_is_left_behind"})

    def test_message_that_never_leaves(self) -> None:
        self.patch(Outbox, "next_ready", lambda *_, legacy: None)
        expected = {"all_accepted_has_arrived", "nothing_waits"}
        self.assertEqual(self.live().violated(), expected)

    def test_message_stored_twice(self) -> None:
        receive = DiskHistory.receive

        def twice(self: DiskHistory, batch: Any) -> Any:
            receive(self, [message._replace(msg_id=f"{message.msg_id}'") for message in batch])
            return receive(self, batch)

        self.patch(DiskHistory, "receive", twice)
        self.assertEqual(self.live().violated(), {"nothing_arrived_twice"})

    def test_archives_that_stay_apart(self) -> None:
        self.patch(Replica, "received", lambda *_: None)
        expected = {"all_hold_one_archive", "every_chat_is_there_once"}
        self.assertEqual(self.live().violated(), expected)

    def test_peer_that_is_not_dialled_again(self) -> None:
        self.patch(Dialer, "dial", lambda *_, **__: None)
        self.assertIn("everybody_is_connected", self.live().violated())

    def test_chat_that_is_there_twice(self) -> None:
        add = OwnChats.add

        def twice(self: OwnChats, text: bytes, mark: bytes) -> Any:
            add(self, text, mark[::-1])
            return add(self, text, mark)

        self.patch(OwnChats, "add", twice)
        self.assertEqual(self.live().violated(), {"every_chat_is_there_once"})

    def test_step_that_raises(self) -> None:
        outcome = self.live((20, "no_such_verb"))
        self.assertEqual(outcome.violated(), {"the_world_goes_on"})


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
        self.assertTrue(any("is_shown_once" in line for line in lines))
        self.assertRegex(lines[-1], "^log [0-9a-f]{64}$")


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

"""What hurts deployed programs of the archive, rendezvous servers and slow readers is noticed."""

from operator import itemgetter
from typing import Any

from p2pchat.archive.codec import Type, notification
from p2pchat.archive.protocol import ArchiveProtocol
from p2pchat.chat import outbound
from p2pchat.chat.outbound import Outbound
from p2pchat.rendezvous import client
from p2pchat.rendezvous.pace import Pace
from tests.simulation.sabotage import QUIET_LIFE, SabotageCase, plan_of
from tests.simulation.world import manners
from tests.simulation.world.archive_programs import Introducing
from tests.simulation.world.manners import Manners
from tests.simulation.world.running import Outcome, run_plan


class OtherCase(SabotageCase):
    """Nodes live with one thing that is not theirs, and break what it relies on."""

    def hurt(self, *steps: tuple[Any, ...]) -> str:
        """Return what hurt a deployed program."""
        found = self.violations(*steps)
        return "\n".join(found.get("deployed_programs_live", []))

    def violations(self, *steps: tuple[Any, ...]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for violation in self.among(*steps).violations:
            found.setdefault(violation.name, []).append(violation.what)
        return found

    def among(self, *steps: tuple[Any, ...]) -> Outcome:
        return run_plan(plan_of(*sorted((*QUIET_LIFE, *steps), key=itemgetter(0))))


class SlowReaderTests(OtherCase):
    """Programs that take one line a read (2.2)."""

    def talk(self) -> str:
        far = (15.5, "weather", 0.3, 0, 0.3, 0.0, 0.05)
        said = [(16 + at / 10, "tell", 1, 0, 3) for at in range(5)]
        return self.hurt((1, "enter", "judging", 0), far, *said, (18, "publish", 1, "*"))

    def test_nothing_hurts_them_as_it_is(self) -> None:
        self.assertEqual(self.talk(), "")

    def test_several_lines_in_one_segment(self) -> None:
        self.patch(Outbound, "_pause_after", lambda *_: None)
        self.assertIn("lines in one segment", self.talk())

    def test_no_answer_is_awaited(self) -> None:
        pause = Outbound._pause_after

        def impatient(self: Outbound, message: Any, now: float) -> None:
            pause(self, message, now)
            self._quiet_until = self._gap_until

        self.patch(Outbound, "_pause_after", impatient)
        self.assertRegex(self.talk(), r"comes \d\.\d+ s too soon behind (SEND|PING)")

    def test_no_pause_behind_the_greeting(self) -> None:
        self.patch(outbound, "GAP_AFTER_HELLO_OK", outbound.GAP)
        self.assertRegex(self.talk(), r"comes 0\.09\d s too soon behind HELLO_OK")

    def test_no_pause_between_replies(self) -> None:
        self.patch(manners, "AFTER_A_LINE", 2 * outbound.GAP)
        self.assertRegex(self.talk(), r"comes 0\.00\d s too soon behind ")


class MannersTests(OtherCase):
    """One link, line by line."""

    def setUp(self) -> None:
        super().setUp()
        self.hurts: list[str] = []
        self.manners = Manners(self.hurts.append)

    def say(self, now: float, *lines: bytes) -> None:
        self.manners.said(now, b"".join(line + b"\n" for line in lines))

    def test_answer_ends_the_wait(self) -> None:
        self.say(1, b'{"type":"PING","msg_id":"a"}')
        self.manners.answered(b'{"type":"PONG","msg_id":"a"}\n')
        self.say(1.1, b'{"type":"PING","msg_id":"b"}')
        self.manners.answered(b'{"type":"PONG","msg_id":"a"}\n')
        self.assertEqual(self.hurts, [])
        self.say(2, b'{"type":"PING","msg_id":"c"}')
        self.assertEqual(self.hurts, ["PING comes 4.100 s too soon behind PING"])

    def test_wait_ends_by_itself(self) -> None:
        self.say(1, b'{"type":"SEND","msg_id":"a","require_ack":true}')
        self.say(6, b'{"type":"PING","msg_id":"b"}')
        self.assertEqual(self.hurts, [])

    def test_replies_hurry_ahead_of_a_goodbye_alone(self) -> None:
        self.say(1, b'{"type":"PING","msg_id":"a"}')
        self.say(1.1, b'{"type":"ACK","msg_id":"b"}')
        self.say(1.1, b'{"type":"PONG","msg_id":"b"}')
        self.say(1.2, b'{"type":"BYE","msg_id":"c"}')
        self.assertEqual(self.hurts, [])
        self.say(2, b'{"type":"PING","msg_id":"a"}')
        self.say(2.1, b'{"type":"ACK","msg_id":"b"}')
        self.say(2.2, b'{"type":"PING","msg_id":"c"}')
        self.assertEqual(self.hurts, ["ACK comes 4.900 s too soon behind PING"])

    def test_line_in_two_segments_is_one_line(self) -> None:
        self.manners.said(1, b'{"type":"PO')
        self.manners.said(1, b'NG","msg_id":"a"}\n')
        self.assertEqual(self.hurts, [])


class ReplicaTests(OtherCase):
    """Deployed programs of the archive (3.2 to 3.5)."""

    def test_archive_that_is_not_passed_on(self) -> None:
        """Whoever never asks has to be told."""
        self.patch(ArchiveProtocol, "push", lambda _: None)
        found = self.violations((1, "enter", "never-asking", 0))
        self.assertIn("others_hold_the_archive", found)

    def test_archive_that_is_not_asked_for_nor_taken(self) -> None:
        """What such a program mines has to come to everybody."""
        self.patch(ArchiveProtocol, "_arrived", lambda *_: None)
        found = self.violations((1, "enter", "replicating", 0))
        self.assertIn("others_hold_the_archive", found)

    def test_notification_that_nobody_wants(self) -> None:
        def notify(self: ArchiveProtocol) -> None:
            self._outgoing.owe(Type.NOTIFICATION, lambda: notification("good morning"))

        self.patch(ArchiveProtocol, "request_archive", notify)
        told = self.hurt((1, "enter", "notification-fearing", 0))
        self.assertIn("a notification: b'good morning'", told)

    def test_introduction_that_nobody_wants(self) -> None:
        init = ArchiveProtocol.__init__

        def introduced(self: ArchiveProtocol, *arguments: Any, **more: Any) -> None:
            init(self, *arguments, **{**more, "identify": True})

        self.patch(ArchiveProtocol, "__init__", introduced)
        self.assertIn("an identification", self.hurt((1, "enter", "replicating", 0)))

    def test_introduction_is_given_to_whom_it_is_due(self) -> None:
        taken: list[str] = []
        take = Introducing.take

        def noting(self: Introducing, message: Any) -> None:
            taken.append(message.kind.name)
            take(self, message)

        self.patch(Introducing, "take", noting)
        self.assertEqual(self.hurt((1, "enter", "introducing", 0)), "")
        self.assertIn("IDENTIFICATION", taken)


class RendezvousTests(OtherCase):
    """Servers that nodes must leave alone (1)."""

    def test_asked_again_though_it_blocks(self) -> None:
        self.patch(Pace, "blocked", lambda _: 5.0)
        self.assertRegex(
            self.hurt((0, "add_rendezvous", "blocking")), r"asked blocking 5\.\d s after"
        )

    def test_asked_too_often(self) -> None:
        self.patch(client, "MAX_REQUESTS", 1000)
        self.patch(Pace, "backoff", lambda _: 0.2)
        self.assertIn("asked nonsense 51 times", self.hurt((0, "add_rendezvous", "nonsense")))

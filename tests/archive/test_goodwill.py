"""How much patience is left with who sends archives that are worth nothing."""

from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.archive.goodwill import MAX_OFFENDERS, NEWCOMERS_A_MINUTE, PATIENCE, Goodwill
from p2pchat.events import ArchivePeerChanged
from tests.archive.examples import THOUSAND, branch, chats_of, joined, wire
from tests.archive.world import ARCHIVE_REQUEST, SOON, ArchiveCase, ScriptedLink

ALICE, BOB, CAROL = "10.0.0.1", "10.0.0.2", "10.0.0.3"
FIVE, SIX, SEVEN = (THOUSAND.truncated(height) for height in (5, 6, 7))


def spoilt() -> bytes:
    """Return an archive of a hundred chats whose last one is not valid."""
    chats = chats_of(THOUSAND.truncated(100))
    chats[-1] = chats[-1][:-1] + bytes([chats[-1][-1] ^ 1])
    return wire(joined(chats))


class GoodwillTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.goodwill = Goodwill()

    def offend(self, now: float, times: int = PATIENCE) -> float:
        """Offend so many times; return the pause that comes of it."""
        return [self.goodwill.offended("a", now) for _ in range(times)][-1]

    def test_some_are_forgiven(self) -> None:
        self.assertEqual(self.offend(0, PATIENCE - 1), 0)
        self.assertEqual(self.goodwill.paused("a", 0), 0)
        self.assertEqual(self.goodwill.offences("a"), PATIENCE - 1)

    def test_pauses_double_up_to_an_hour(self) -> None:
        pauses = [self.offend(10_000 * number) for number in range(8)]
        self.assertEqual(pauses, [60, 120, 240, 480, 960, 1920, 3600, 3600])

    def test_a_pause_ends(self) -> None:
        self.offend(0)
        self.assertEqual(self.goodwill.paused("a", 59), 1)
        self.assertEqual(self.goodwill.paused("a", 60), 0)
        self.assertEqual(self.offend(60, 1), 0)

    def test_only_those_in_a_row_count(self) -> None:
        for _ in range(10):
            self.offend(0, PATIENCE - 1)
            self.goodwill.behaved("a")
        self.assertEqual(self.goodwill.paused("a", 0), 0)
        self.assertEqual(self.goodwill.offences("a"), 10 * (PATIENCE - 1))

    def test_a_valid_one_makes_the_next_pause_a_short_one_again(self) -> None:
        self.assertEqual([self.offend(0), self.offend(100)], [60, 120])
        self.goodwill.behaved("a")
        self.assertEqual(self.offend(1000), 60)

    def test_what_was_under_way_neither_begins_a_pause_again_nor_makes_it_longer(self) -> None:
        self.offend(0)
        self.assertEqual([self.offend(number, 1) for number in range(30)], [0] * 30)
        self.assertEqual(self.goodwill.paused("a", 30), 30)
        self.assertEqual(self.goodwill.offences("a"), PATIENCE + 30)
        self.assertEqual(self.offend(60), 120)

    def test_newcomers_are_heard_so_many_times_a_minute(self) -> None:
        self.offend(0)
        for now in (0, 60, 121):
            heard = [self.goodwill.hears_newcomer("a", now + at) for at in range(20)]
            self.assertEqual(sum(heard), NEWCOMERS_A_MINUTE)
            self.assertTrue(heard[0])

    def test_of_nobody_else(self) -> None:
        self.offend(0)
        self.goodwill.behaved("b")
        self.assertEqual((self.goodwill.offences("b"), self.goodwill.paused("b", 0)), (0, 0))

    def test_it_does_not_remember_everybody(self) -> None:
        for number in range(MAX_OFFENDERS + 1):
            self.goodwill.offended(str(number), 0)
        self.assertEqual(self.goodwill.offences("0"), 0)
        self.assertEqual(self.goodwill.offences("1"), 1)


class OffenderCase(ArchiveCase):
    """There are links whose archives are worth nothing."""

    def setUp(self) -> None:
        super().setUp()
        self.alice = self.world.node(ALICE, archive=FIVE)

    def offend(self, link: ScriptedLink, times: int = PATIENCE) -> None:
        for _ in range(times):
            link.say(spoilt())
            self.run_for(SOON)

    def offences(self, host: str) -> tuple[int, bool]:
        """Return what is shown of a peer: how many, and whether it is paused."""
        (info,) = (info for info in self.alice.service.info().peers if info.address == host)
        return info.offences, info.paused > 0


class OffenderTests(OffenderCase):
    def test_its_archives_are_skipped_for_a_while(self) -> None:
        link = self.linked(self.alice, BOB)
        self.offend(link)
        self.assertEqual(self.offences(BOB), (3, True))
        link.say(wire(SIX))
        self.run_for(SOON)
        self.assertEqual(self.alice.height, 5)
        self.run_for(60)
        link.say(wire(SIX))
        self.run_for(SOON)
        self.assertEqual(self.alice.height, 6)
        self.assertEqual(self.offences(BOB), (3, False))

    def test_it_is_reported_once_a_pause(self) -> None:
        link = self.linked(self.alice, BOB)
        self.offend(link, 2 * PATIENCE)
        events = [event for event in self.alice.events if isinstance(event, ArchivePeerChanged)]
        self.assertEqual([event.state for event in events], ["connected", "paused"])
        self.assertIn("60 s", events[-1].reason)

    def test_also_if_they_all_come_at_once(self) -> None:
        link = self.linked(self.alice, BOB)
        with capturedLogs() as logged:
            link.say(spoilt() * 20)
            self.run_for(5)
        self.assertEqual(self.alice.reported(BOB), ["connected", "paused"])
        blamed = [event for event in logged if "is not valid" in (formatEvent(event) or "")]
        self.assertLessEqual(len(blamed), 5)

    def test_it_stays_and_is_served(self) -> None:
        link = self.linked(self.alice, BOB)
        self.offend(link)
        link.forget()
        link.say(bytes([ARCHIVE_REQUEST]))
        self.run_for(SOON)
        self.assertTrue(link.up)
        self.assertEqual(link.heights(), [5])

    def test_others_are_heard(self) -> None:
        self.offend(self.linked(self.alice, BOB))
        self.feed(self.alice, SIX)

    def test_hanging_up_before_its_end_does_not_help(self) -> None:
        """What is not valid counts when it is found, not when the archive ends."""
        for _ in range(PATIENCE):
            link = self.linked(self.alice, BOB, b"\x04\xff\xff\xff\xff" + spoilt()[5:])
            link.hang_up()
            self.run_for(SOON)
        link = self.linked(self.alice, BOB)
        self.assertEqual(self.offences(BOB), (3, True))

    def test_a_valid_archive_ends_the_row(self) -> None:
        link = self.linked(self.alice, BOB)
        self.offend(link, PATIENCE - 1)
        link.say(wire(SIX))
        self.offend(link, PATIENCE - 1)
        self.assertEqual(self.offences(BOB), (2 * PATIENCE - 2, False))

    def test_one_that_is_no_longer_than_ours_does_not_end_it(self) -> None:
        """It costs nothing to send the same one again and again, and is verified each time."""
        link = self.linked(self.alice, BOB)
        for _ in range(PATIENCE):
            link.say(wire(branch(4, length=1)))
            self.offend(link, 1)
        self.assertEqual(self.offences(BOB), (PATIENCE, True))

    def test_what_is_shorter_than_ours_or_as_long_and_valid_is_no_offence(self) -> None:
        link = self.linked(self.alice, BOB)
        shorter_and_wrong = joined(chats_of(FIVE)[3::-1])
        for archive in (shorter_and_wrong, branch(2, length=3)) * PATIENCE:
            link.say(wire(archive))
            self.run_for(SOON)
        self.assertEqual(self.offences(BOB), (0, False))

    def test_what_is_as_long_as_ours_and_not_valid_is_one(self) -> None:
        link = self.linked(self.alice, BOB)
        link.say(wire(joined(chats_of(FIVE)[::-1])))
        self.run_for(SOON)
        self.assertEqual(self.offences(BOB), (1, False))


class SharedAddressTests(OffenderCase):
    """Several programs behind one address: one of them offends."""

    def setUp(self) -> None:
        super().setUp()
        self.honest = self.linked(self.alice, CAROL)
        self.offender = self.linked(self.alice, CAROL)

    def assert_heard(self, link: ScriptedLink, expected: bool) -> None:
        link.say(wire(SIX))
        self.run_for(SOON)
        self.assertEqual(self.alice.height, 6 if expected else 5)

    def test_who_sent_something_valid_is_heard_on(self) -> None:
        self.honest.say(wire(FIVE))
        self.offend(self.offender)
        self.assertEqual(self.offences(CAROL), (3, True))
        self.assert_heard(self.honest, True)

    def test_also_if_it_was_adopted_or_a_part_of_ours(self) -> None:
        self.honest.say(wire(FIVE.truncated(1)))
        self.offend(self.offender)
        self.assert_heard(self.honest, True)
        self.honest.say(wire(SEVEN))
        self.run_for(SOON)
        self.assertEqual(self.alice.height, 7)

    def test_so_is_who_sent_nothing_yet(self) -> None:
        self.offend(self.offender)
        self.assert_heard(self.honest, True)
        self.assertTrue(self.offences(CAROL)[1])

    def test_and_a_new_link(self) -> None:
        self.offend(self.offender)
        self.assert_heard(self.linked(self.alice, CAROL), True)

    def test_but_only_so_many_of_them(self) -> None:
        """Else a new link for each archive would do instead of patience."""
        self.offend(self.offender)
        for _ in range(2 * NEWCOMERS_A_MINUTE):
            self.offend(self.linked(self.alice, CAROL), 1)
        self.assertEqual(self.offences(CAROL), (PATIENCE + NEWCOMERS_A_MINUTE, True))
        self.assert_heard(self.linked(self.alice, CAROL), False)

    def test_nor_does_it_help_to_prove_each_of_them(self) -> None:
        self.offend(self.offender)
        for _ in range(2 * NEWCOMERS_A_MINUTE):
            link = self.linked(self.alice, CAROL, wire(FIVE))
            self.offend(link, 1)
        self.assertEqual(self.offences(CAROL), (PATIENCE + NEWCOMERS_A_MINUTE, True))

    def test_a_newcomer_that_proved_itself_is_heard_on(self) -> None:
        self.offend(self.offender)
        self.honest.say(wire(FIVE) * (2 * NEWCOMERS_A_MINUTE))
        self.run_for(SOON)
        self.assert_heard(self.honest, True)

    def test_nothing_is_remembered_of_links_that_are_gone(self) -> None:
        self.offend(self.offender)
        self.offender.hang_up()
        self.run_for(SOON)
        self.assertEqual(self.alice.service._neighbours._offenders, set())

    def test_never_the_offender(self) -> None:
        self.offend(self.offender)
        self.assert_heard(self.offender, False)

    def test_nor_the_offender_though_it_was_honest_once(self) -> None:
        self.offender.say(wire(FIVE))
        self.offend(self.offender)
        self.assert_heard(self.offender, False)

"""The archive's service: what the user is told when something is in its way."""

from p2pchat.archive.storage import OwnRecord
from p2pchat.errors import RequestError
from p2pchat.identity import Address
from tests.archive.examples import THOUSAND, wire
from tests.archive.world import PORT, SOON, ArchiveCase

ALICE, BOB = "10.0.0.1", "10.0.0.2"


class TroubleTests(ArchiveCase):
    def test_chats_for_which_the_archive_has_no_room_any_more(self) -> None:
        """They are refused if that is known before, and otherwise wait, which is told once."""
        size = THOUSAND.truncated(6).size
        alice = self.world.node(ALICE, archive=THOUSAND.truncated(5), max_archive_bytes=size)
        link = self.linked(alice, BOB)
        alice.service._mining.stop()
        self.assertRaises(RequestError, alice.service.chat, "x" * 255)
        alice.service.chat("x")
        link.say(wire(THOUSAND.truncated(6)))
        self.run_for(SOON)
        self.assertEqual([chat.state for chat in alice.service.info().chats], ["mining"])
        (told,) = [text for text in alice.notices() if "full" in text]
        self.assertIn("1 of our chats", told)

    def test_those_that_an_earlier_run_left(self) -> None:
        """The user hears of them at the start, not only when the archive grows."""
        alice = self.world.node(ALICE, archive=THOUSAND.truncated(20), max_archive_bytes=1024)
        waits = OwnRecord(1, "x" * 255, "ab" * 8)
        alice.service._keeper._storage.save_own([waits])
        self.run_for(SOON)
        self.assertGreater(alice.archive.size, 1024)
        self.assertIn("1 of our chats", "".join(alice.notices()))

    def test_an_archive_that_is_no_news_compares_nothing(self) -> None:
        """Each of 1,000 empty archives once cost a comparison of all that we have."""
        alice = self.world.node(ALICE, archive=THOUSAND.truncated(5))
        link = self.linked(alice, BOB)
        looks: list[object] = []
        job = alice.service._replica.job
        alice.service._replica.job = lambda: looks.append(None) or job()
        link.say(wire(THOUSAND.truncated(0)) * 50)
        self.run_for(SOON)
        self.assertEqual(looks, [])
        link.say(wire(THOUSAND.truncated(6)))
        self.run_for(SOON)
        self.assertEqual(alice.service.archive.height, 6)
        self.assertNotEqual(looks, [])


class EarlyTests(ArchiveCase):
    """Before the archive is read nobody is dialled yet."""

    def test_whom_the_user_names_then_is_dialled_however_many_others_wait(self) -> None:
        bob = self.world.peer(BOB)
        alice = self.world.node(ALICE, max_peers=2)
        for number in range(3):
            alice.service.offered(Address(f"10.0.1.{number + 1}", PORT))
        alice.service.connect(BOB)
        self.run_for(SOON)
        self.assertEqual(bob.dialled_times, 1)

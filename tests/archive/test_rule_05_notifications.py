"""Rule 3.5: notifications are understood, and sent only to who sends them."""

from twisted.logger import capturedLogs, formatEvent

from tests.archive.examples import THOUSAND, chats_of, joined, wire
from tests.archive.world import (
    ARCHIVE,
    NOTIFICATION,
    PEER_LIST,
    PEER_REQUEST,
    SOON,
    ArchiveCase,
)

ALICE, BOB, CAROL = "10.0.0.1", "10.0.0.2", "10.0.0.3"
FIVE = THOUSAND.truncated(5)

#: What the reference server says of an archive that is not valid.
REFERENCE = b"i=77 chat=chat: b'prompt engineer' (digest mismatch)"


def notification(text: bytes) -> bytes:
    return bytes([NOTIFICATION, len(text)]) + text


def spoilt() -> bytes:
    """Return an archive of seven chats whose last one is not valid."""
    chats = chats_of(THOUSAND.truncated(7))
    chats[6] = chats[6][:-1] + bytes([chats[6][-1] ^ 1])
    return wire(joined(chats))


class HeardTests(ArchiveCase):
    def test_rule_05_the_reference_servers_is_understood(self) -> None:
        self.assertEqual(len(REFERENCE), 52)
        link = self.linked(self.world.node(ALICE), BOB, notification(REFERENCE) + b"\x01")
        self.assertTrue(link.up)
        self.assertEqual(link.kinds[-1], PEER_LIST)

    def test_rule_05_of_any_length_and_with_any_bytes(self) -> None:
        link = self.linked(self.world.node(ALICE), BOB, b"")
        for text in (b"", b"x", bytes(range(255)), b"\x01\x03\x04" * 85):
            link.forget()
            link.say(notification(text) + b"\x01")
            self.run_for(SOON)
            self.assertEqual(link.kinds, [PEER_LIST])

    def test_rule_05_one_a_second_is_logged_and_the_rest_counted(self) -> None:
        link = self.linked(self.world.node(ALICE), BOB)
        with capturedLogs() as logged:
            link.say(notification(b"first") + notification(b"more") * 1000)
            self.run_for(1.1)
            link.say(notification(b"last") * 3)
            self.run_for(0.5)
        lines = [formatEvent(event) or "" for event in logged]
        said = [line for line in lines if "says" in line]
        self.assertEqual(
            said,
            [
                f"[Archive] {BOB} says: first",
                f"[Archive] {BOB} says: last (1000 more were left out)",
            ],
        )

    def test_rule_05_it_is_not_answered(self) -> None:
        link = self.linked(self.world.node(ALICE), BOB, notification(REFERENCE))
        self.run_for(60)
        self.assertNotIn(NOTIFICATION, link.kinds)


class SentTests(ArchiveCase):
    def setUp(self) -> None:
        super().setUp()
        self.alice = self.world.node(ALICE, archive=FIVE)

    def test_rule_05_never_to_who_sent_none(self) -> None:
        links = self.linked(self.alice, BOB), self.dialled(self.alice, CAROL)
        for link in links:
            for _ in range(5):
                link.say(spoilt())
                self.run_for(SOON)
            self.assertTrue(link.up)
            self.assertNotIn(NOTIFICATION, link.kinds)

    def test_rule_05_who_sent_one_is_told_of_an_archive_that_is_not_valid(self) -> None:
        for link in (self.linked(self.alice, BOB), self.dialled(self.alice, CAROL)):
            link.say(notification(REFERENCE) + spoilt())
            self.run_for(SOON)
            (told,) = link.got(NOTIFICATION)
            length, text = told.body[0], told.body[1:]
            self.assertEqual(length, len(text))
            self.assertTrue(6 <= length <= 255)
            self.assertTrue(text.decode("ascii").isprintable())
            self.assertIn(b"7", text)

    def test_rule_05_only_on_that_link(self) -> None:
        """Another program may share its address."""
        told, other = self.linked(self.alice, BOB), self.linked(self.alice, BOB)
        told.say(notification(REFERENCE))
        other.say(spoilt())
        self.run_for(SOON)
        self.assertEqual(told.got(NOTIFICATION) + other.got(NOTIFICATION), [])

    def test_rule_05_not_of_what_is_not_longer_than_ours(self) -> None:
        link = self.linked(self.alice, BOB)
        link.say(notification(REFERENCE) + wire(FIVE) + wire(FIVE.truncated(2)))
        self.run_for(SOON)
        self.assertEqual(link.got(NOTIFICATION), [])

    def test_rule_05_ours_is_never_a_reason_to_close(self) -> None:
        link = self.linked(self.alice, BOB)
        link.say(notification(REFERENCE) + spoilt() + bytes([PEER_REQUEST, 3]))
        self.run_for(SOON)
        self.assertTrue(link.up)
        self.assertEqual(sorted(link.kinds[-3:]), [PEER_LIST, ARCHIVE, NOTIFICATION])

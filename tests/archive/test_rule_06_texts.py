"""Rule 3.6: our texts are plain ASCII, those of others any bytes."""

from p2pchat.archive.archive import Archive
from p2pchat.errors import RequestError
from tests.archive.examples import THOUSAND, mined, wire
from tests.archive.mined import easy_proof
from tests.archive.world import ARCHIVE, ARCHIVE_REQUEST, SOON, ArchiveCase

ALICE, BOB = "10.0.0.1", "10.0.0.2"

#: What nobody of us would write.
FOREIGN = b"", b"\x00\x01\x1b[31m", bytes(range(1, 256)), "reunião às 10".encode(), b"\xff"


class OursTests(ArchiveCase):
    def setUp(self) -> None:
        super().setUp()
        self.enterContext(easy_proof())
        self.alice = self.world.node(ALICE)
        self.run_for(SOON)

    def test_rule_06_printable_ascii_of_1_to_255_bytes(self) -> None:
        everything = bytes(range(0x20, 0x7F)).decode("ascii")
        for text in ("x", " ", "~" * 255, everything):
            self.alice.service.chat(text)
            self.run_for(SOON)
        self.assertEqual(self.alice.texts, ["x", " ", "~" * 255, everything])

    def test_rule_06_nothing_else_reaches_the_archive(self) -> None:
        for text in ("", "x" * 256, "a\nb", "a\x7fb", "a\x1fb", "reunião", "€", "a\0"):
            self.assertRaises(RequestError, self.alice.service.chat, text)
        self.run_for(5)
        self.assertEqual(self.alice.height, 0)


class TheirsTests(ArchiveCase):
    def setUp(self) -> None:
        super().setUp()
        self.enterContext(easy_proof())
        self.archive = mined(THOUSAND.truncated(3), *FOREIGN)
        self.alice = self.world.node(ALICE)
        self.link = self.linked(self.alice, BOB)
        self.link.say(wire(self.archive))
        self.run_for(SOON)

    def test_rule_06_a_valid_archive_is_valid_whatever_its_texts(self) -> None:
        self.assertEqual(self.alice.archive, self.archive)

    def test_rule_06_the_bytes_are_kept(self) -> None:
        self.link.forget()
        self.link.say(ARCHIVE_REQUEST)
        self.run_for(SOON)
        (answer,) = self.link.got(ARCHIVE)
        self.assertEqual(bytes([ARCHIVE]) + answer.body, wire(self.archive))

    def test_rule_06_all_that_is_no_text_is_shown_as_escapes(self) -> None:
        shown = self.alice.texts[3:]
        self.assertEqual(len(shown), len(FOREIGN))
        self.assertEqual(shown[3:], ["reunião às 10", "\\xff"])

    def test_rule_06_ours_go_on_top_of_them(self) -> None:
        self.alice.service.chat("plain")
        self.run_for(SOON)
        self.assertEqual(self.link.got(ARCHIVE)[-1].archive, self.alice.archive)
        self.assertEqual(self.alice.height, self.archive.height + 1)
        self.assertIsNot(self.alice.archive, Archive())

"""One chat: its parts, and the texts that may be ours (docs/protocols.md, 3.6)."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.archive.record import MAX_CHAT, OVERHEAD, PROOF, chat_size, check_text, head
from p2pchat.errors import RequestError
from tests.archive.examples import EXAMPLE, THOUSAND, chats_of


class Parts(SynchronousTestCase):
    def test_sizes_are_those_of_the_wire(self) -> None:
        self.assertEqual((OVERHEAD, MAX_CHAT), (33, 288))

    def test_the_head_is_what_a_chat_begins_with(self) -> None:
        for index, chat in enumerate(chats_of(EXAMPLE)):
            self.assertEqual(chat[:-32], head(EXAMPLE.chat(index).text))

    def test_the_size_is_told_by_the_first_byte_wherever_a_chat_begins(self) -> None:
        for index, chat in enumerate(chats_of(THOUSAND)):
            self.assertEqual(chat_size(THOUSAND.buffer, THOUSAND.offsets[index]), len(chat))

    def test_the_proof_is_what_published_archives_have(self) -> None:
        for _, chat in THOUSAND.newest(1000):
            self.assertTrue(chat.digest.startswith(PROOF))


class Texts(SynchronousTestCase):
    def refusal(self, text: str) -> str:
        return str(self.assertRaises(RequestError, check_text, text))

    @given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=255))
    def test_rule_6_printable_ascii_goes_as_it_is(self, text: str) -> None:
        self.assertEqual(check_text(text), text.encode("ascii"))

    @given(
        st.text("ab ~", max_size=300),
        st.characters(exclude_characters=[chr(code) for code in range(0x20, 0x7F)]),
        st.text(max_size=300),
    )
    def test_rule_6_anything_else_is_refused_with_its_place(
        self, before: str, wrong: str, after: str
    ) -> None:
        refusal = self.refusal(before + wrong + after)
        self.assertIn(f"character {len(before) + 1} ({wrong!a})", refusal)
        self.assertTrue(refusal.isprintable(), refusal)
        self.assertTrue(refusal.isascii())

    def test_rule_6_a_text_has_1_to_255_characters(self) -> None:
        for length in (1, 255):
            self.assertEqual(len(check_text("x" * length)), length)
        self.assertIn("no text", self.refusal(""))
        self.assertIn("256 characters; at most 255", self.refusal("x" * 256))

    def test_rule_6_the_ends_of_what_is_allowed(self) -> None:
        self.assertEqual(check_text(" ~"), b" ~")
        for wrong in ("\x1f", "\x7f", "\n", "\0", "\ud800", "\xa0"):
            self.refusal(wrong)

    def test_a_text_that_could_be_sent_is_offered(self) -> None:
        for text, offer in (
            ("reunião às 10", "reuniao as 10"),
            ("ﬁn\N{COMBINING ACUTE ACCENT}", "fin"),
            ("„Straße“ – ’n Smørrebrød…", '"Strasse" - \'n Smorrebrod...'),
            ("x" * 256, "x" * 255),
            ("日本", "??"),
            ("a\nb", "a?b"),
            ("x" * 300 + "é", "x" * 255),
            ("\N{COMBINING ACUTE ACCENT}", "?"),
        ):
            self.assertTrue(self.refusal(text).endswith(f"; try: {offer}"), text)

    @given(st.text(min_size=1))
    def test_what_is_offered_would_be_taken(self, text: str) -> None:
        try:
            check_text(text)
        except RequestError as error:
            _, separator, offer = str(error).partition("; try: ")
            if separator:
                check_text(offer)

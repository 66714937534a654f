"""The words of an earlier program as commands."""

import re

from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.ui.catalogue import COMMANDS
from p2pchat.ui.classic import slashed
from tests.ui.fakes import STATUS, FakeNode


class ClassicTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.node = FakeNode()

    def check(self, cases: dict[str, str]) -> None:
        for line, expected in cases.items():
            self.assertEqual(slashed(line, self.node), expected, line)

    def test_words_alone(self) -> None:
        self.check(
            {
                "help": "/help",
                "peers": "/archive",
                "hist": "/hist",
                "req": "/req",
                "val": "/val",
                "status": "/status",
                "debug": "/log DEBUG",
                "  hist ": "/hist",
                "\treq\t": "/req",
            }
        )

    def test_words_with_an_argument(self) -> None:
        self.check(
            {
                "chat hello": "/chat hello",
                "chat  a  b ": "/chat  a  b ",
                " chat\thello": "/chat hello",
                "chat chat": "/chat chat",
                "connect 127.0.0.3": "/connect 127.0.0.3",
                "help chat": "/help chat",
                " help  hist": "/help hist",
                "hist 5": "/hist 5",
                "hist  all ": "/hist all",
                "connect example.org:51511 ": "/connect example.org:51511 ",
            }
        )

    def test_what_needs_an_argument_and_has_none_becomes_a_mistake(self) -> None:
        self.check({"chat": "/chat ", "connect": "/connect ", "connect  ": "/connect  "})

    def test_everything_else_is_a_message_or_a_command_as_ever(self) -> None:
        lines = (
            *(
                "status report follows",
                "help me",
                "hist five",
                "hist 5 6",
                "debug off",
                "val?",
                "req\u2003x",
            ),
            *("connect me with bob", "chatter", "Chat with you later", "HELP", "Status"),
            *("", "  ", "/hist 5", "//hist", " /chat x", "/ chat", "hello"),
        )
        self.check({line: line for line in lines})

    def test_a_second_debug_goes_back(self) -> None:
        self.node.known_status = replace(STATUS, log_level="DEBUG")
        self.check({"debug": "/log INFO"})

    def test_help_lists_the_words(self) -> None:
        text = " ".join(COMMANDS["/help"].details)
        for word in (
            *("help", "peers", "hist", "req", "val", "status", "connect", "chat", "debug"),
        ):
            self.assertTrue(re.search(rf"\b{word}\b", text), word)
            self.assertNotEqual(slashed(word, self.node), word)

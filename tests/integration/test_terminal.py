"""A node as most people use it: in a terminal."""

import signal

from tests.integration.cases import NetworkCase
from tests.integration.nodes import Node
from tests.integration.programs import HERE, free_port
from tests.integration.terminal import TerminalSession

CTRL_C, CTRL_D, TAB = "\x03", "\x04", "\t"


class TerminalTests(NetworkCase):
    def open(self, *options: str) -> TerminalSession:
        """Start alice and wait for the prompt."""
        place = ("--bind", HERE, "--port", str(free_port()))
        options = ("p2pchat", "--name", "alice", "--no-archive", *place, *options)
        session = TerminalSession(self.home("alice"), *options)
        self.addCleanup(session.close)
        session.wait_for_line("alice@CIC listens on")
        session.wait_for_line("alice@CIC | 0 connected | 0 unread")
        session.wait_for_prompt("> ")
        return session

    def assert_left(self, session: TerminalSession, status: int) -> None:
        """It ended, the terminal is as it was, and no prompt is left."""
        self.assertEqual(session.wait_for_exit(), status, session.screen.lines)
        self.assertFalse(session.changed)
        self.assertEqual(session.screen.cursor_line, "")
        for line in session.screen.lines:
            self.assertRegex(line, r"^(\d\d:\d\d:\d\d .*)?$")

    def test_a_conversation(self) -> None:
        bob = self.start_ready("bob")
        session = self.open("--rendezvous", f"{HERE}:{self.rendezvous}")
        session.wait_for_line("+ bob@CIC")
        session.wait_for_line("alice@CIC | 1 connected")
        session.type("/he" + TAB)
        session.wait_for_prompt("> /help ")
        session.type("pub\r")
        session.wait_for_line("publish TEXT to all connected peers")
        session.type("/msg bo" + TAB)
        session.wait_for_prompt("> /msg bob ")
        session.type("olá   😀\r")
        session.wait_for_line("✓✓ → bob@CIC: olá   😀")
        self.assertEqual(bob.wait_for("message")["text"], "olá   😀")
        self.assert_prompt_survives(session, bob)
        session.type(CTRL_D)
        self.assert_left(session, 0)
        self.assertIn("goodbye", bob.wait_for("peer_down")["reason"])

    def assert_prompt_survives(self, session: TerminalSession, bob: Node) -> None:
        """Messages come while the user types: they are shown above, and nothing typed is lost."""
        session.type("half a")
        session.wait_for_prompt("bob@CIC> half a")
        for number in range(30):  # more than there is room for
            bob.deliver("alice", f"message {number}")
        session.wait_for_line("bob@CIC: message 29")
        session.wait_for_prompt("bob@CIC> half a")
        session.wait_for_line("alice@CIC | 1 connected | 30 unread")
        shown = [line for line in session.screen.lines if "bob@CIC: message" in line]
        self.assertEqual([line.split()[-1] for line in shown], [str(n) for n in range(30)])
        self.assertEqual(sum("half a" in line for line in session.screen.lines), 1)
        session.type(" line\r")
        self.assertEqual(bob.wait_for("message")["text"], "half a line")

    def test_leaving(self) -> None:
        for leave, status in (
            (lambda session: session.type("half a line" + CTRL_C), 0),
            (lambda session: session.process.send_signal(signal.SIGTERM), -signal.SIGTERM),
        ):
            session = self.open("--no-rendezvous")
            self.assertTrue(session.changed)
            leave(session)
            self.assert_left(session, status)

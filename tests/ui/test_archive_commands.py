"""Every command about the archive, and every mistake in one."""

from hypothesis import given
from twisted.internet.defer import Deferred, fail, succeed

from p2pchat.api import Verification
from p2pchat.errors import RequestError
from p2pchat.text import is_printable
from p2pchat.ui.archive_actions import Asked, Dialled
from p2pchat.ui.commands import Reply
from p2pchat.ui.status import archive_lines
from tests.ui.fake_archive import archive_info, archived, chat_info
from tests.ui.test_commands import TEXTS, CommandsCase
from tests.ui.test_views import HOSTILE

LINES = ("/chat hi", "/hist", "/archive", "/connect 127.0.0.3", "/req", "/val")


class MistakeTests(CommandsCase):
    def test_every_mistake_gets_one_line(self) -> None:
        hist = "usage: /hist [N|all]"
        number = "is neither all nor a number from 1 to 1000000; " + hist
        cases = {
            "/chat": "/chat: no text; usage: /chat TEXT",
            "/chat   ": "/chat: no text; usage: /chat TEXT",
            "/hist 0": f"/hist: 0 {number}",
            "/hist -1": f"/hist: -1 {number}",
            "/hist 1.5": f"/hist: 1.5 {number}",
            "/hist ٣": f"/hist: ٣ {number}",
            "/hist 1000001": f"/hist: 1000001 {number}",
            "/hist everything": f"/hist: everything {number}",
            "/hist 5 6": f"/hist: nothing is expected after 5; {hist}",
            "/archive x": "/archive: takes no argument; usage: /archive",
            "/connect": "/connect: no host; usage: /connect HOST",
            "/connect a b": "/connect: nothing is expected after a; usage: /connect HOST",
            "/req x": "/req: takes no argument; usage: /req",
            "/val x": "/val: takes no argument; usage: /val",
        }
        for text, error in cases.items():
            reply = self.run_line(text)
            self.assertEqual((reply.lines, reply.error, reply.data), ([error], error, None), text)
        self.assertEqual(self.node.archive.calls, [])

    def test_a_number_of_thousands_of_digits(self) -> None:
        self.assertIn("is neither all nor a number", self.run_line("/hist " + "9" * 5000).error)

    def test_what_the_archive_refuses_is_a_reply(self) -> None:
        self.node.archive.refusal = RequestError("no,\nnot that")
        for line in LINES:
            if line != "/archive":
                name = line.split()[0]
                self.assertEqual(self.run_line(line).error, f"{name}: no,\\x0anot that")

    def test_a_node_without_an_archive(self) -> None:
        self.node.known_archive = None
        for line in LINES:
            name = line.split()[0]
            self.assertEqual(
                self.run_line(line).error, f"{name}: this node runs without an archive"
            )

    def test_a_verification_that_is_refused_later(self) -> None:
        self.node.archive.verification = fail(RequestError("it is being read"))
        self.assertEqual(self.run_line("/val").error, "/val: it is being read")


class ChatTests(CommandsCase):
    def test_a_chat(self) -> None:
        reply = self.run_line("/chat hello")
        self.assertEqual(reply, Reply("/chat", ["⛓ hello"], chat_info("hello")))

    @given(TEXTS)
    def test_any_text_reaches_the_archive_as_typed(self, text: str) -> None:
        self.setUp()
        self.run_line(f"/chat {text}")
        self.assertEqual(self.node.archive.calls, [("chat", text)])


class HistoryTests(CommandsCase):
    def setUp(self) -> None:
        super().setUp()
        texts = [f"text {height}" for height in range(1, 106)]
        self.node.archive.chats = [
            archived(height, text, ours=height % 2 == 0) for height, text in enumerate(texts, 1)
        ]

    def test_the_newest_with_their_heights_and_which_are_ours(self) -> None:
        reply = self.run_line("/hist 8")
        self.assertEqual(reply.lines[:3], [" 98 * text 98", " 99   text 99", "100 * text 100"])
        self.assertEqual(reply.data, self.node.archive.chats[-8:])

    def test_how_many(self) -> None:
        cases = {
            "/hist": (20, 20),
            "/hist 3": (3, 3),
            "/hist 007": (7, 7),
            "/hist 1000000": (1_000_000, 105),
            "/hist all": (None, 105),
            "/HIST ALL": (None, 105),
        }
        for line, (asked, found) in cases.items():
            reply = self.run_line(line)
            self.assertEqual(self.node.archive.calls.pop(), ("history", asked))
            self.assertEqual((len(reply.lines), len(reply.data)), (found, found), line)

    def test_an_empty_archive_says_so(self) -> None:
        self.node.archive.chats = []
        reply = self.run_line("/hist")
        self.assertEqual((reply.lines, reply.data), (["the archive is empty"], []))
        self.node.archive.known_info = archive_info(loading=True)
        self.assertEqual(self.run_line("/hist").lines, ["the archive is still being read"])

    @given(HOSTILE)
    def test_nothing_hostile_is_shown(self, text: str) -> None:
        self.node.archive.chats = [archived(1, text), archived(2, text)]
        for line in self.run_line("/hist").lines:
            self.assertTrue(is_printable(line), line)


class NetworkTests(CommandsCase):
    def test_the_archive_at_a_glance(self) -> None:
        info = archive_info(height=12, size=900, chats=[chat_info("a\x1b[2J")])
        self.node.archive.known_info = info
        reply = self.run_line("/archive")
        self.assertEqual(reply.data, info)
        expected = [line.replace("\x1b", "\\x1b") for line in archive_lines(info)]
        self.assertEqual(reply.lines, expected)

    def test_connect_takes_a_host_with_or_without_a_port(self) -> None:
        for host in ("127.0.0.3", "example.org:51511"):
            reply = self.run_line(f"/connect {host} ")
            self.assertEqual(self.node.archive.calls.pop(), ("connect", host))
            self.assertEqual(reply.lines, [f"dialling {host}, and again until it answers"])
            self.assertEqual(reply.data, Dialled(host))

    def test_request(self) -> None:
        for count, line in (
            (2, "asked 2 peers for their archive"),
            (1, "asked 1 peer for their archive"),
            (0, "no peer to ask"),
        ):
            self.node.archive.asked = count
            reply = self.run_line("/req")
            self.assertEqual((reply.lines, reply.data), ([line], Asked(count)))

    def test_verification_is_awaited(self) -> None:
        self.node.archive.verification = Deferred()
        running = Deferred.fromCoroutine(self.commands.run("/val"))
        self.assertNoResult(running)
        found = Verification(height=12, seconds=0.204, invalid=None)
        self.node.archive.verification.callback(found)
        reply = self.successResultOf(running)
        self.assertEqual((reply.lines, reply.data), (["all 12 chats are valid (0.2 s)"], found))

    def test_verdicts(self) -> None:
        cases = {
            (1, None): "the only chat is valid (0.2 s)",
            (12, 7): "chat 7 of 12 is not valid (0.2 s)",
        }
        for (height, invalid), line in cases.items():
            found = Verification(height=height, seconds=0.2, invalid=invalid)
            self.node.archive.verification = succeed(found)
            reply = self.run_line("/val")
            self.assertEqual((reply.lines, reply.error), ([line], ""))

    def test_there_is_nothing_to_verify(self) -> None:
        found = Verification(height=0, seconds=0.0, invalid=None)
        for loading, line in (
            (False, "the archive is empty"),
            (True, "the archive is still being read"),
        ):
            self.node.archive.verification = succeed(found)
            self.node.archive.known_info = archive_info(loading=loading)
            self.assertEqual(self.run_line("/val").lines, [line])

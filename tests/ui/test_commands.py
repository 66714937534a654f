"""Every command, every mistake, and texts that stay as they were typed."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.api import RttInfo
from p2pchat.errors import RequestError
from p2pchat.text import is_printable
from p2pchat.ui.actions import LogLevel, PeerRtt, Published, Redialled, Sent
from p2pchat.ui.catalogue import COMMANDS
from p2pchat.ui.commands import Commands, Reply, parse
from p2pchat.ui.words import quoted
from tests.ui.fakes import STATUS, FakeNode, link, peer, surroundings

TEXTS = st.text().filter(lambda text: is_printable(text) and text.strip())


class CommandsCase(SynchronousTestCase):
    """A base with one node and its commands."""

    def setUp(self) -> None:
        self.node = FakeNode("bob@CIC", "carol@LAB", "carol@CIC")
        self.commands = Commands(self.node, surroundings())

    def run_line(self, text: str) -> Reply | None:
        return self.successResultOf(Deferred.fromCoroutine(self.commands.run(text)))


class MistakeTests(CommandsCase):
    def test_every_mistake_gets_one_line(self) -> None:
        slash = "//TEXT sends /TEXT"
        msg, pub = "usage: /msg PEER TEXT", "usage: /pub *|#NS TEXT"
        quotes = 'a name that begins with " ends with " and then a blank'
        cases = {
            "/mgs bob hi": f"unknown command /mgs: did you mean /msg PEER TEXT? {slash}",
            "/peer": f"unknown command /peer: did you mean /peers [*|#NS]? {slash}",
            "/CON": f"unknown command /CON: did you mean /conn? {slash}",
            "/xyzzy": f"unknown command /xyzzy: /help lists all. {slash}",
            "/": f"unknown command /: /help lists all. {slash}",
            "/\x1b[2J": f"unknown command /\\x1b[2J: /help lists all. {slash}",
            "  /usr/bin": f"unknown command /usr/bin: /help lists all. {slash}",
            "hello": "/msg: no partner yet: write /msg PEER TEXT first, "
            "then plain text goes there too; " + msg,
            "/msg": f"/msg: no peer and no text; {msg}",
            "/msg bob": f"/msg: no text for bob; {msg}",
            "/msg bob   ": f"/msg: no text for bob; {msg}",
            '/msg "bob hi': f"/msg: {quotes}; {msg}",
            "/msg dave hi": "/msg: 0 peers are called dave",
            "/msg carol hi": "/msg: 2 peers are called carol",
            "/pub": f"/pub: no target and no text; {pub}",
            "/pub *": f"/pub: no text for *; {pub}",
            "/pub CIC hi": f"/pub: CIC is neither * nor #namespace; {pub}",
            "/pub # hi": f"/pub: # is neither * nor #namespace; {pub}",
            "/peers CIC": "/peers: CIC is neither * nor #namespace; usage: /peers [*|#NS]",
            "/peers * x": "/peers: nothing is expected after *; usage: /peers [*|#NS]",
            "/conn x": "/conn: takes no argument; usage: /conn",
            "/rtt x": "/rtt: takes no argument; usage: /rtt",
            "/reconnect x": "/reconnect: takes no argument; usage: /reconnect",
            "/status x": "/status: takes no argument; usage: /status",
            "/quit now": "/quit: takes no argument; usage: /quit",
            "/log": "/log: choose DEBUG, INFO, WARNING or ERROR; usage: /log LEVEL",
            "/log loud": "/log: loud is no level: choose DEBUG, INFO, WARNING or ERROR; "
            "usage: /log LEVEL",
            "/log info debug": "/log: nothing is expected after info; usage: /log LEVEL",
            "/help mgs": f"/help: unknown command /mgs: did you mean /msg PEER TEXT? {slash}",
            "/help msg pub": "/help: nothing is expected after msg; usage: /help [COMMAND]",
        }
        for text, error in cases.items():
            reply = self.run_line(text)
            self.assertEqual((reply.lines, reply.error, reply.data), ([error], error, None), text)
        self.assertEqual(self.node.calls, [])

    def test_a_refusal_of_the_node_is_a_reply(self) -> None:
        self.node.refusal = RequestError("the queue of bob@CIC is full\n")
        reply = self.run_line("/msg bob hi")
        self.assertEqual(reply.error, "/msg: the queue of bob@CIC is full\\x0a")
        self.assertEqual(reply.command, "/msg")

    def test_the_command_of_a_mistake_is_what_was_typed(self) -> None:
        self.assertEqual(self.run_line("/mgs bob").command, "/mgs")

    def test_blank_lines_are_nothing(self) -> None:
        for text in ("", " ", "\t ", "\u2003"):
            self.assertIsNone(self.run_line(text))


class MessageTests(CommandsCase):
    def test_a_short_name_is_enough_where_it_is_unique(self) -> None:
        reply = self.run_line("/msg bob hi")
        self.assertEqual(self.node.calls, [("send", "bob@CIC", "hi")])
        self.assertEqual(reply, Reply("/msg", ["→ bob@CIC: hi"], Sent("m1", "bob@CIC")))
        self.run_line("/msg carol@LAB hi")
        self.assertEqual(self.node.calls[1], ("send", "carol@LAB", "hi"))

    def test_texts_stay_as_typed(self) -> None:
        for text in ("a  b", "  a", "a  ", "ação  😀", "/peers", '"a" b', "\\n", "日本 語"):
            self.run_line(f"/msg bob {text}")
            self.assertEqual(self.node.calls.pop(), ("send", "bob@CIC", text))

    @given(TEXTS)
    def test_any_printable_text_is_sent_unchanged(self, text: str) -> None:
        self.setUp()
        self.run_line(f"/msg bob {text}")
        self.assertEqual(self.node.calls, [("send", "bob@CIC", text)])

    @given(TEXTS)
    def test_plain_text_is_sent_unchanged(self, text: str) -> None:
        self.setUp()
        self.run_line("/msg bob hi")
        indent = len(text) - len(text.lstrip(" "))
        slash = "/" if text[indent] == "/" else ""
        self.run_line(text[:indent] + slash + text[indent:])
        self.assertEqual(self.node.calls[1:], [("send", "bob@CIC", text)])

    @given(TEXTS)
    def test_any_printable_text_is_published_unchanged(self, text: str) -> None:
        self.setUp()
        self.run_line(f"/pub #CIC {text}")
        self.assertEqual(self.node.calls, [("publish", "#CIC", text)])

    def test_plain_text_goes_to_the_last_partner(self) -> None:
        self.assertIsNone(self.commands.partner)
        self.run_line("/msg bob hi")
        self.run_line("/msg carol@CIC hi")
        self.run_line("/msg nobody hi")
        reply = self.run_line("and  you? ")
        self.assertEqual(self.node.calls[-1], ("send", "carol@CIC", "and  you? "))
        self.assertEqual(reply.command, "/msg")
        self.assertEqual(self.commands.partner, "carol@CIC")

    def test_two_slashes_send_one(self) -> None:
        self.run_line("/msg bob hi")
        for typed, text in (("//quit", "/quit"), ("  //a b", "  /a b"), ("///", "//")):
            self.run_line(typed)
            self.assertEqual(self.node.calls.pop(), ("send", "bob@CIC", text))

    def test_a_partner_with_blanks_in_the_name(self) -> None:
        self.node.known = [peer('anna "b" c@CIC')]
        name = quoted('anna "b" c')
        self.run_line(f"/msg {name}  hi")
        self.assertEqual(self.node.calls, [("send", 'anna "b" c@CIC', " hi")])

    def test_what_is_shown_is_harmless_and_what_is_sent_is_not_changed(self) -> None:
        reply = self.run_line("/msg bob a\x1b[2Jb")
        self.assertEqual(reply.lines, ["→ bob@CIC: a\\x1b[2Jb"])
        self.assertEqual(self.node.calls[0][2], "a\x1b[2Jb")

    def test_publish(self) -> None:
        reply = self.run_line("/pub * hi all")
        self.assertEqual(reply.lines, ["→ *: hi all (3 peers)"])
        self.assertEqual(reply.data, Published("m1", "*", 3))

    def test_publish_to_nobody_says_so(self) -> None:
        self.node.known = []
        reply = self.run_line('/pub "#my room" hi')
        self.assertEqual(
            reply.lines, ['→ "#my room": hi (nobody: no peer is connected in "#my room")']
        )


class NodeCommandTests(CommandsCase):
    def test_peers_waits_for_discovery_then_lists(self) -> None:
        self.node.discovery = Deferred()
        running = Deferred.fromCoroutine(self.commands.run("/peers"))
        self.assertNoResult(running)
        self.assertEqual(self.node.calls, [("discover",)])
        self.node.known.append(peer("dave@CIC", "stale", RttInfo(count=1, last=43.21)))
        self.node.discovery.callback(None)
        reply = self.successResultOf(running)
        self.assertEqual(reply.lines[0].split()[:3], ["peer", "state", "address"])
        self.assertEqual(len(reply.lines), 5)
        self.assertIn("43.2 ms", reply.lines[4])
        self.assertEqual(reply.data, self.node.known)

    def test_a_connected_peer_is_shown_where_its_link_is(self) -> None:
        bob = msgspec.structs.replace(peer("bob@CIC"), address="192.0.2.7:4002")
        self.node.known = [bob, peer("dave@CIC", "stale"), peer("eve@CIC")]
        addresses = [line.split()[2] for line in self.run_line("/peers").lines[1:]]
        self.assertEqual(addresses, ["192.0.2.7:4002", "127.0.0.1:4001", "127.0.0.1:4001"])

    def test_peers_of_a_namespace(self) -> None:
        self.assertEqual([one.peer_id for one in self.run_line("/peers #LAB").data], ["carol@LAB"])
        reply = self.run_line("/peers #none")
        self.assertEqual((reply.lines, reply.data), (["no peers found in #none"], []))

    def test_connections(self) -> None:
        self.node.known_links = []
        self.assertEqual(self.run_line("/conn").lines, ["no connections"])
        self.node.known_links = [link("bob@CIC")]
        reply = self.run_line("/conn")
        self.assertEqual(reply.data, self.node.known_links)
        self.assertEqual(
            reply.lines[1].split(maxsplit=5),
            ["bob@CIC", "out", "127.0.0.1:4001", "modern", "p2pchat/0.1.0", "1 min 15 s  0"],
        )

    def test_an_agent_with_control_characters_is_harmless(self) -> None:
        self.node.known_links = [msgspec.structs.replace(link("bob@CIC"), agent="x\x1b]0;y\x07")]
        self.assertIn("x\\x1b]0;y\\x07", self.run_line("/conn").lines[1])

    def test_round_trip_times(self) -> None:
        self.assertEqual(self.run_line("/rtt").lines, ["no round trip measured yet"])
        rtt = RttInfo(count=4, last=1.0, mean=2.0, p50=3.0, p95=4.0)
        self.node.known = [peer("bob@CIC"), peer("dave@CIC", rtt=rtt)]
        reply = self.run_line("/rtt")
        self.assertEqual(
            reply.lines,
            [
                "peer      last    mean    p50     p95     count",
                "dave@CIC  1.0 ms  2.0 ms  3.0 ms  4.0 ms  4",
            ],
        )
        self.assertEqual(reply.data, [PeerRtt("dave@CIC", rtt)])

    def test_reconnect_log_and_quit(self) -> None:
        reply = self.run_line("/reconnect")
        self.assertEqual((reply.lines, reply.data), (["dialling 2 peers"], Redialled(2)))
        reply = self.run_line("/log debug")
        self.assertEqual((reply.lines, reply.data), (["logging from DEBUG on"], LogLevel("DEBUG")))
        self.assertEqual(self.run_line("/quit").lines, ["leaving"])
        self.assertEqual(self.node.calls, [("reconnect",), ("set_log_level", "DEBUG"), ("leave",)])

    def test_status(self) -> None:
        reply = self.run_line("/status")
        self.assertEqual(reply.data, STATUS)
        self.assertEqual(
            reply.lines,
            [
                "alice@CIC, p2pchat 0.1.0, up 1 h 2 min",
                "listening on 0.0.0.0:4000",
                "3 peers, 1 link; under way: 0 handshakes, 2 messages",
                "rendezvous 127.0.0.1:8080, served by this node: answers, registered, 3 peers",
                "logging from INFO on to /tmp/p2pchat.log",
            ],
        )

    def test_commands_are_found_in_any_case(self) -> None:
        self.assertEqual(self.run_line("/PEERS").command, "/peers")


class HelpTests(CommandsCase):
    def test_help_lists_every_command(self) -> None:
        reply = self.run_line("/help")
        for entry, line in zip(COMMANDS.values(), reply.lines, strict=False):
            self.assertEqual(line.split("  ")[0], entry.usage)
            self.assertTrue(line.endswith(entry.summary))
        self.assertEqual([entry.command for entry in reply.data], list(COMMANDS))

    def test_help_explains_marks_and_slashes(self) -> None:
        text = "\n".join(self.run_line("/help").lines)
        for word in ("✓ sent", "✓✓ delivered", "✗ not delivered", "//TEXT"):
            self.assertIn(word, text)

    def test_help_for_one_command_with_or_without_its_slash(self) -> None:
        for name in ("msg", "/msg", "/MSG"):
            reply = self.run_line(f"/help {name}")
            self.assertEqual(reply.lines[0], "/msg PEER TEXT: send TEXT to one peer")
            self.assertIn("double quotes", "\n".join(reply.lines))

    def test_every_command_has_help(self) -> None:
        for name in COMMANDS:
            self.assertEqual(self.run_line(f"/help {name}").error, "")


class ParseTests(SynchronousTestCase):
    def test_parse(self) -> None:
        cases = {
            "/msg bob  hi": ("/msg", "bob  hi"),
            "/msg\tbob": ("/msg", "bob"),
            " /quit": ("/quit", ""),
            "/quit ": ("/quit", ""),
            "hi /quit": ("", "hi /quit"),
            "//x": ("", "/x"),
            "/a\u00a0b c": ("/a\u00a0b", "c"),
        }
        for text, expected in cases.items():
            self.assertEqual(parse(text), expected)

"""Nodes that find each other through the rendezvous that one of them serves, and talk."""

from tests.integration.cases import NetworkCase
from tests.integration.nodes import Node
from tests.integration.waiting import wait_until

#: What must arrive exactly as it was typed.
TEXTS = (
    "hi",
    "olá, coração: ÀÉÎõü ß — “ok”",
    "runs   of    blanks,  and at the end  ",
    "   indented\ttabbed",
    "😀 👩‍👩‍👧 🏳️‍🌈 日本語 עברית",
    '"quotes" \\ {"type":"BYE"} /quit # *',
    "x" * 30_000,
)


class ConversationTests(NetworkCase):
    def test_two_nodes_talk(self) -> None:
        alice, bob = self.start("alice"), self.start("bob", connection={"ack_timeout": 2})
        for node, other in ((alice, "bob@CIC"), (bob, "alice@CIC")):
            up = node.wait_for("peer_up", peer_id=other)
            self.assertTrue(up["modern"])
        for text in TEXTS:
            self.assert_arrives(alice, "bob", bob, text)
            self.assert_arrives(bob, "alice@CIC", alice, text)
        self.assert_plain_text_goes_to_the_partner(alice, bob)
        self.assert_unknown_names_are_told(alice)
        self.assertEqual(alice.ask("/quit")["lines"], ["leaving"])
        self.assertEqual(alice.wait_for_exit(), 0)
        self.assertIn("goodbye", bob.wait_for("peer_down", peer_id="alice@CIC")["reason"])
        self.assert_what_waits_is_told(bob)
        bob.end_input()
        self.assertEqual(bob.wait_for_exit(), 0)

    def assert_arrives(self, sender: Node, name: str, receiver: Node, text: str) -> None:
        """Send text to a peer; it must be shown unchanged, and both marks must come in order."""
        taken = sender.data(f"/msg {name} {text}")
        self.assertEqual(taken["to"], receiver.peer_id)
        for state in ("queued", "sent", "delivered"):
            sender.wait_for("delivery", to=receiver.peer_id, msg_id=taken["msg_id"], state=state)
        message = receiver.wait_for("message", msg_id=taken["msg_id"])
        self.assertEqual(message["text"], text)
        self.assertEqual((message["from"], message["to"]), (sender.peer_id, receiver.peer_id))
        self.assertEqual((message["kind"], message["relayed"]), ("send", False))
        states = [event["state"] for event in sender.events("delivery", msg_id=taken["msg_id"])]
        self.assertEqual(states, ["queued", "sent", "delivered"])

    def assert_what_waits_is_told(self, bob: Node) -> None:
        """A message to a peer that is gone waits for it."""
        sent = bob.data("/msg alice too late")
        self.assertTrue(sent["absent"])
        queued = bob.wait_for("delivery", msg_id=sent["msg_id"])
        self.assertEqual((queued["state"], queued["to"]), ("queued", "alice@CIC"))
        self.assertEqual([one["text"] for one in bob.data("/outbox")], ["too late"])

    def assert_plain_text_goes_to_the_partner(self, alice: Node, bob: Node) -> None:
        for typed, text in (("plain  text", "plain  text"), ("//not a command", "/not a command")):
            self.assertEqual(alice.data(typed)["to"], "bob@CIC")
            bob.wait_for("message", text=text)

    def assert_unknown_names_are_told(self, alice: Node) -> None:
        for line, fault in (
            ("/msg bbo hi", "did you mean bob@CIC?"),
            ("/msg alice hi", "alice is you"),
            ("/msg bob", "usage: /msg PEER TEXT"),
            ("/mgs bob hi", "did you mean /msg PEER TEXT?"),
        ):
            reply = alice.ask(line)
            self.assertIn(fault, reply["error"])
            self.assertEqual((len(reply["lines"]), reply["data"]), (1, None))


class CompanyTests(NetworkCase):
    """Three nodes in two namespaces."""

    def setUp(self) -> None:
        super().setUp()
        # the first is the one that serves the rendezvous, so that the others find all at once
        self.alice = self.start_ready("alice")
        self.bob = self.start("bob")
        self.carol = self.start("carol", "--namespace", "LAB")
        self.nodes = (self.alice, self.bob, self.carol)
        for node in self.nodes:
            for other in self.nodes:
                if other is not node:
                    node.wait_for("peer_up", peer_id=other.peer_id)

    def test_publications_and_commands(self) -> None:
        self.assert_published("*", (self.bob, self.carol))
        self.assert_published("#LAB", (self.carol,))
        self.assert_published("#CIC", (self.bob,))
        self.assert_published("#nobody", ())
        # whatever was not for them would have come before this
        self.assert_published("*", (self.bob, self.carol))
        shown = [[m["text"] for m in node.events("message")] for node in self.nodes]
        to_bob, to_carol = ["to  *", "to  #CIC", "to  *"], ["to  *", "to  #LAB", "to  *"]
        self.assertEqual(shown, [[], to_bob, to_carol])
        self.assertEqual(self.alice.events("delivery"), [])
        self.assertIn("/pub", self.alice.ask("/pub LAB hi")["error"])
        self.check_lists()
        self.check_status()
        self.check_log_level()
        self.check_help()

    def assert_published(self, target: str, receivers: tuple[Node, ...]) -> None:
        published = self.alice.data(f"/pub {target} to  {target}")
        self.assertEqual(published["to"], target)
        self.assertEqual(published["peers"], len(receivers))
        for node in receivers:
            message = node.wait_for("message", msg_id=published["msg_id"])
            self.assertEqual(
                (message["from"], message["to"], message["kind"], message["text"]),
                ("alice@CIC", target, "pub", f"to  {target}"),
            )

    def check_lists(self) -> None:
        alice = self.alice
        self.assertEqual(_ids(alice.data("/peers")), {"bob@CIC", "carol@LAB"})
        self.assertEqual(_ids(alice.data("/peers #LAB")), {"carol@LAB"})
        self.assertEqual(alice.data("/peers #none"), [])
        links = alice.data("/conn")
        self.assertEqual(_ids(links), {"bob@CIC", "carol@LAB"})
        for link in links:
            self.assertTrue(link["modern"])
            self.assertTrue(link["agent"].startswith("p2pchat/"))
        peers = wait_until(lambda: _if_all_measured(alice), "a round trip to each peer")
        for peer in peers:
            self.assertGreater(peer["rtt"]["last"], 0)
            self.assertGreaterEqual(peer["rtt"]["p95"], peer["rtt"]["p50"])
        self.assertEqual(alice.data("/reconnect"), {"peers": 0})

    def check_help(self) -> None:
        alice = self.alice
        commands = {entry["command"] for entry in alice.data("/help")}
        self.assertLessEqual({"/peers", "/msg", "/pub", "/conn", "/rtt", "/reconnect"}, commands)
        self.assertLessEqual({"/log", "/status", "/quit", "/help"}, commands)
        self.assertIn("/pub *|#NS TEXT", alice.ask("/help pub")["lines"][0])

    def check_status(self) -> None:
        status = self.alice.data("/status")
        self.assertEqual((status["peer_id"], status["port"]), ("alice@CIC", self.alice.port))
        self.assertEqual((status["peers"], status["links"], status["pending"]), (2, 2, 0))
        [server] = status["rendezvous"]
        self.assertEqual(server["address"], f"127.0.0.1:{self.rendezvous}")
        self.assertTrue(server["registered"])
        self.assertEqual(server["serving"], not self.registry)
        [server] = self.bob.data("/status")["rendezvous"]
        self.assertTrue(server["registered"])
        self.assertFalse(server["serving"])

    def check_log_level(self) -> None:
        """Texts of messages are in the log at DEBUG only, and never on the console."""
        self.alice.deliver("bob", "a secret")
        self.assertEqual(self.alice.data("/log debug"), {"level": "DEBUG"})
        self.alice.deliver("bob", "no secret")
        self.assertIn("[Router] SEND bob@CIC", self.alice.log)
        self.assertIn("no secret", self.alice.log)
        self.assertNotIn("a secret", self.alice.log)
        self.assertIn("PONG from bob@CIC, RTT: ", self.alice.log)
        self.assertIn("error", self.alice.ask("/log loud"))


def _ids(found: list[dict[str, object]]) -> set[object]:
    return {entry["peer_id"] for entry in found}


def _if_all_measured(node: Node) -> list[dict[str, dict[str, float]]]:
    measured = node.data("/rtt")
    return measured if len(measured) == 2 else []

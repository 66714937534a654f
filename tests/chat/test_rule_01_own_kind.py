"""Rule 2.1: only the field `agent` in a peer's own HELLO or HELLO_OK makes it one of our kind."""

from p2pchat.events import PeerUp
from tests.chat.cases import ChatCase, ChatNode


class OwnKind(ChatCase):
    def modern_of(self, node: ChatNode) -> list[bool]:
        return [event.modern for event in node.reported(PeerUp)]

    def test_rule_01_our_hello_and_hello_ok_carry_agent(self) -> None:
        node, peer = self.node(), self.legacy()
        self.dial(node, peer)
        hello = peer.link.lines[0].message
        self.assertEqual(hello["type"], "HELLO")
        self.assertRegex(hello["agent"], r"^p2pchat/\d")
        hello_ok = self.dialled_by(node, self.legacy("eve")).lines[0].message
        self.assertEqual(hello_ok["type"], "HELLO_OK")
        self.assertRegex(hello_ok["agent"], r"^p2pchat/\d")

    def test_rule_01_our_introduction_has_every_field_of_the_table(self) -> None:
        node = self.node()
        hello_ok = self.dialled_by(node, self.legacy()).lines[0].message
        del hello_ok["agent"]
        self.assertEqual(
            hello_ok,
            {
                "type": "HELLO_OK",
                "peer_id": "alice@CIC",
                "version": "1.0",
                "features": ["ack", "metrics"],
                "ttl": 1,
            },
        )

    def test_rule_01_two_nodes_know_each_other(self) -> None:
        alice, bob = self.node("alice"), self.node("bob")
        self.dial(alice, bob)
        self.assertEqual((self.modern_of(alice), self.modern_of(bob)), ([True], [True]))

    def test_rule_01_a_peer_that_echoes_version_and_features_is_legacy(self) -> None:
        node, echo = self.node(), self.legacy(answers={"PING", "BYE"})
        node.discovers(echo)
        self.run_for(2.1)
        hello = echo.link.lines[0].message
        echo.link.say_hello_ok(version=hello["version"], features=hello["features"])
        self.run_for(0.1)
        self.assertEqual(self.modern_of(node), [False])

    def test_rule_01_any_agent_counts_whatever_its_version(self) -> None:
        node, peer = self.node(), self.legacy()
        peer.introduction.update(agent="p2pchat/99.9", version="7.0", features=[])
        self.dialled_by(node, peer)
        self.assertEqual(self.modern_of(node), [True])

"""Somebody else uses our name: the user is told, and only then."""

from p2pchat.chat.contacts import FORGET_AFTER
from p2pchat.events import Notice
from tests.chat.cases import ChatCase, ChatNode


def warnings(node: ChatNode) -> list[str]:
    return [event.text for event in node.reported(Notice) if event.level == "warning"]


class Namesake(ChatCase):
    def test_the_second_of_a_name_is_told(self) -> None:
        alice, first, second = self.node("alice"), self.node("bob"), self.node("bob")
        self.dial(first, alice)
        self.dial(second, alice)
        self.run_for(10)
        self.assertEqual(second.connected, [])
        (warning,) = warnings(second)
        self.assertIn("alice@CIC says it is connected to bob@CIC already", warning)
        self.assertIn("--name", warning)
        self.assertEqual(warnings(first) + warnings(alice), [])
        self.assertEqual(alice.connected, ["bob@CIC"])
        # once is enough
        self.dial(second, alice)
        self.run_for(10)
        self.assertEqual(len(warnings(second)), 1)

    def test_dialling_at_once_is_no_reason(self) -> None:
        alice, bob = self.node("alice"), self.node("bob")
        alice.discovers(bob)
        bob.discovers(alice)
        self.run_for(20)
        self.assertEqual(alice.connected, ["bob@CIC"])
        self.assertEqual(warnings(alice) + warnings(bob), [])


class Forgetting(ChatCase):
    def test_who_left_is_forgotten_at_a_later_discovery(self) -> None:
        alice, bob, carol = self.node("alice"), self.node("bob"), self.node("carol")
        self.dial(alice, bob)
        bob.leaves()
        self.run_for(FORGET_AFTER - 10)
        alice.discovers(carol)
        self.run_for(20)
        self.assertIsNotNone(alice.chat.find(bob.peer_id))
        alice.discovers(carol)
        self.assertIsNone(alice.chat.find(bob.peer_id))
        self.assertEqual(alice.connected, ["carol@CIC"])

"""Rule 2.11: what is never sent, whatever the user types and peers say."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from p2pchat.errors import RequestError
from tests.chat.cases import ChatCase, ChatNode
from tests.chat.scripted import ScriptedLink, ScriptedPeer


class NeverSent(ChatCase):
    def up(self) -> tuple[ChatNode, ScriptedPeer, ScriptedLink]:
        node, peer = self.node(), self.legacy()
        return node, peer, self.dialled_by(node, peer)

    def check(self, link: ScriptedLink) -> None:
        """Check every line that was ever written on a link."""
        for _, data in link.node_end.written:
            self.assertTrue(data.strip(), "a blank line")
            content = json.loads(data.decode("utf-8", errors="strict"))
            self.assertIsInstance(content, dict)
            self.assertEqual(content.get("ttl", 1), 1)
            if content["type"] in ("SEND", "PUB"):
                self.assertIsInstance(content["payload"], str)
                self.assertIs(type(content["require_ack"]), bool)
                content["payload"].encode("utf-8", errors="strict")

    def test_rule_11_half_a_character_is_refused_with_a_reason(self) -> None:
        node, peer, link = self.up()
        for attempt in (
            lambda: node.sends(peer, "a\ud800b"),
            lambda: node.chat.publish("*", "\udfff"),
        ):
            error = self.assertRaises(RequestError, attempt)
            self.assertIn("surrogate", str(error))
        self.run_for(1)
        self.assertEqual((link.got("SEND"), link.got("PUB"), node.chat.pending), ([], [], 0))

    def test_rule_11_a_message_that_is_too_long_is_refused_with_its_length(self) -> None:
        node, peer, _ = self.up()
        for attempt in (
            lambda: node.sends(peer, "x" * 40_000),
            lambda: node.chat.publish("*", "x" * 40_000),
        ):
            self.assertIn("bytes", str(self.assertRaises(RequestError, attempt)))
        self.assertEqual(node.chat.pending, 0)

    def test_rule_11_in_a_conversation_with_everything_in_it(self) -> None:
        node, peer, link = self.up()
        for text in ("", " ", "\n", "\x00", "{}", "\u2028", "é🙂", '"\\'):
            node.sends(peer, text)
            node.chat.publish("*", text)
        link.send(type="SEND", msg_id="1", payload="x", ttl=0)
        link.send(type="PING", msg_id="\ud800x".encode("utf-8", "replace").decode(), ttl=0)
        link.write(b"\n\n")
        self.run_for(1)
        link.send(type="BYE", msg_id="9", ttl=0)
        self.run_for(1)
        self.assertEqual(link.types[-1], "BYE_OK")
        self.check(link)

    def test_rule_11_on_a_dialled_link_that_is_refused(self) -> None:
        node, peer = self.node(), self.legacy()
        peer.introduction["peer_id"] = "somebody@else"
        self.dial(node, peer)
        self.check(peer.link)

    @settings(deadline=None, max_examples=30)
    @given(st.lists(st.text(st.characters(), max_size=20), max_size=5))
    def test_rule_11_for_any_text(self, texts: list[str]) -> None:
        self.setUp()
        node, peer, link = self.up()
        sent = []
        for text in texts:
            try:
                node.sends(peer, text)
                sent.append(text)
            except RequestError:
                self.assertTrue(any(0xD800 <= ord(char) <= 0xDFFF for char in text))
        self.run_for(1)
        self.assertEqual([message["payload"] for message in link.got("SEND")], sent)
        self.check(link)
        self.tearDown()

"""Rules 2.12 and 2.13: hostile text in what is reported and logged; relayed messages."""

from twisted.logger import capturedLogs, formatEvent

from p2pchat.events import MessageReceived, PeerDown
from p2pchat.text import is_printable
from tests.chat.cases import ChatCase

HOSTILE = "\x1b[2J\r\n\u202eevil\x9b"


class HostileText(ChatCase):
    def test_rule_12_nothing_hostile_is_logged_or_said_in_reasons(self) -> None:
        node = self.node()
        with capturedLogs() as events:
            bob, eve, joe = self.legacy("bob"), self.legacy("eve"), self.legacy("joe")
            bob.introduction["agent"] = HOSTILE
            link = self.dialled_by(node, bob)
            link.send(type="SEND", msg_id=HOSTILE, src=HOSTILE, payload=HOSTILE)
            link.send(type=HOSTILE)
            link.send(type="SEND", msg_id=5, payload=HOSTILE)
            link.write(HOSTILE.encode() + b"\n")
            self.run_for(0.1)
            link.send(type="BYE", msg_id="9", reason=HOSTILE)
            eve.introduction["peer_id"] = HOSTILE + "@CIC"
            self.dialled_by(node, eve)
            joe.answers.remove("HELLO")
            node.discovers(joe)
            self.run_for(2.1)
            joe.link.send(type="HELLO_REJECT", reason=HOSTILE)
            self.run_for(0.1)
        lines = [formatEvent(event) for event in events]
        self.assertGreater(len(lines), 5)
        for line in lines:
            self.assertTrue(is_printable(line), repr(line))
        for down in node.reported(PeerDown):
            self.assertTrue(is_printable(down.reason), repr(down.reason))

    def test_rule_12_the_body_of_a_message_is_not_in_the_log_above_debug(self) -> None:
        node = self.node()
        with capturedLogs() as events:
            link = self.dialled_by(node, self.legacy())
            link.send(type="SEND", msg_id="1", payload="our secret")
            node.chat.publish("*", "our secret")
            self.run_for(0.1)
        for event in events:
            if event["log_level"].name != "debug":
                self.assertNotIn("our secret", formatEvent(event))

    def test_rule_12_the_event_carries_the_text_as_it_came(self) -> None:
        node = self.node()
        link = self.dialled_by(node, self.legacy())
        link.send(type="SEND", msg_id="1", payload=HOSTILE)
        self.run_for(0.1)
        self.assertEqual(node.texts, [HOSTILE], "views make it visible; programs get it unharmed")

    def test_rule_12_a_reason_in_a_reply_to_hostile_input_is_harmless(self) -> None:
        node, eve = self.node(), self.legacy("eve")
        eve.introduction["peer_id"] = HOSTILE + "@CIC"
        link = self.dialled_by(node, eve)
        self.assertTrue(is_printable(link.lines[-1].message["reason"]))


class Relayed(ChatCase):
    def relay(self, **fields: object) -> list[MessageReceived]:
        node = self.node()
        link = self.dialled_by(node, self.legacy())
        other = self.dialled_by(node, self.legacy("eve"))
        message = {"msg_id": "1", "src": "far@away", "dst": "alice@CIC", "payload": "hi", "ttl": 3}
        for _ in range(2):
            link.send(**{"type": "RELAY", **message, **fields})
        self.run_for(1)
        self.assertEqual(set(link.types + other.types), {"HELLO_OK", "PING"})
        return node.reported(MessageReceived)

    def test_rule_13_for_us_it_is_shown_once_and_marked_as_relayed(self) -> None:
        (event,) = self.relay()
        self.assertEqual((event.source, event.text), ("far@away", "hi"))
        self.assertTrue(event.relayed)

    def test_rule_13_for_others_it_is_neither_shown_nor_forwarded(self) -> None:
        self.assertEqual(self.relay(dst="eve@CIC"), [])

    def test_rule_13_a_message_of_the_link_itself_is_not_relayed(self) -> None:
        node = self.node()
        link = self.dialled_by(node, self.legacy())
        link.send(type="SEND", msg_id="1", payload="hi")
        self.run_for(0.1)
        (event,) = node.reported(MessageReceived)
        self.assertFalse(event.relayed)

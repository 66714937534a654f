"""Rule 2.3: what deployed programs write, however they write it, is understood."""

from p2pchat.events import MessageReceived
from tests.chat.cases import ChatCase
from tests.chat.scripted import ScriptedLink


class Leniency(ChatCase):
    def setUp(self) -> None:
        super().setUp()
        self.alice = self.node()
        self.bob = self.legacy()

    def up(self) -> ScriptedLink:
        return self.dialled_by(self.alice, self.bob)

    def received(self) -> list[MessageReceived]:
        self.run_for(0.1)
        return self.alice.reported(MessageReceived)

    def test_rule_03_carriage_return_before_the_newline(self) -> None:
        link = self.up()
        link.write(b'{"type":"SEND","msg_id":"1","payload":"hi"}\r\n')
        self.assertEqual([event.text for event in self.received()], ["hi"])

    def test_rule_03_keys_in_any_order_and_type_last(self) -> None:
        link = self.up()
        link.write(b'{"payload":"hi","ttl":1,"msg_id":"1","type":"SEND"}\n')
        self.assertEqual([event.text for event in self.received()], ["hi"])

    def test_rule_03_missing_fields(self) -> None:
        link = self.up()
        link.send(type="SEND", msg_id="1", payload="no ttl, src, dst, require_ack")
        link.send(type="PING", msg_id="2")
        link.send(type="PUB", msg_id="3", payload="no dst")
        texts = [event.text for event in self.received()]
        self.assertEqual(texts, ["no ttl, src, dst, require_ack", "no dst"])
        self.assertEqual([m["msg_id"] for m in link.got("ACK")], ["1"], "asked for unless denied")
        self.assertEqual([m["msg_id"] for m in link.got("PONG")], ["2"])

    def test_rule_03_a_send_that_wants_no_ack_gets_none(self) -> None:
        link = self.up()
        link.send(type="SEND", msg_id="1", payload="hi", require_ack=False)
        self.assertEqual([event.text for event in self.received()], ["hi"])
        self.assertEqual(link.got("ACK"), [])

    def test_rule_03_any_timestamp(self) -> None:
        link = self.up()
        for number, timestamp in enumerate(
            ["2025-01-01T12:00:00Z", "2025-01-01T12:00:00.123456", "2025-01-01T12:00:00+02:00",
             1735732800.25, 1735732800, None, ""]
        ):  # fmt: skip
            link.send(type="PING", msg_id=str(number), timestamp=timestamp)
        self.run_for(0.5)
        self.assertEqual([m["msg_id"] for m in link.got("PONG")], list("0123456"))

    def test_rule_03_fields_that_do_not_belong(self) -> None:
        link = self.up()
        link.send(type="PING", msg_id="1", src="x", dst="y", payload=5, nonsense=[{}])
        self.run_for(0.1)
        self.assertEqual([m["msg_id"] for m in link.got("PONG")], ["1"])

    def test_rule_03_publication_to_a_bare_namespace(self) -> None:
        link = self.up()
        for number, dst in enumerate(["CIC", "#CIC", "*"]):
            link.send(type="PUB", msg_id=str(number), dst=dst, payload="hi")
        received = [(event.to, event.kind) for event in self.received()]
        self.assertEqual(received, [("#CIC", "pub"), ("#CIC", "pub"), ("*", "pub")])

    def test_rule_03_the_same_publication_under_another_id_for_each_receiver(self) -> None:
        link = self.up()
        other = self.dialled_by(self.alice, self.legacy("eve"))
        link.send(type="PUB", msg_id="1", dst="*", payload="hi")
        other.send(type="PUB", msg_id="2", dst="*", payload="hi")
        sources = [event.source for event in self.received()]
        self.assertEqual(sorted(sources), ["bob@CIC", "eve@CIC"])

    def test_rule_03_a_ping_in_the_read_that_brings_hello_ok(self) -> None:
        self.bob.answers = {"BYE"}
        self.alice.discovers(self.bob)
        self.run_for(2.1)
        self.bob.link.write(
            b'{"type":"HELLO_OK","peer_id":"bob@CIC"}\n{"type":"PING","msg_id":"1"}\n'
        )
        self.run_for(6)
        self.assertEqual([m["msg_id"] for m in self.bob.link.got("PONG")], ["1"])

    def test_rule_03_a_ping_and_a_message_in_the_read_that_brings_hello(self) -> None:
        link = self.bob.dial(self.alice.address, hello=False)
        self.run_for(0.01)
        link.write(
            b'{"type":"HELLO","peer_id":"bob@CIC"}\n{"type":"PING","msg_id":"1"}\n'
            b'{"type":"SEND","msg_id":"2","payload":"hi"}\n'
        )
        self.assertEqual([event.text for event in self.received()], ["hi"])
        self.run_for(1)
        self.assertEqual(link.types[0], "HELLO_OK")
        self.assertEqual(sorted(link.types[1:]), ["ACK", "PING", "PONG"])

    def test_rule_03_several_lines_in_one_read_and_one_line_in_many(self) -> None:
        link = self.up()
        lines = b"".join(
            b'{"type":"SEND","msg_id":"%d","payload":"%d"}\n' % (number, number)
            for number in range(4)
        )
        link.write(lines[:100])
        for byte in lines[100:]:
            link.write(bytes([byte]))
        self.assertEqual([event.text for event in self.received()], ["0", "1", "2", "3"])
        self.assertEqual([m["msg_id"] for m in link.got("ACK")], ["0", "1", "2", "3"])

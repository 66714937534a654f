"""Rule 2.5: a SEND that comes again is shown once and acknowledged every time; ours are resent
only if they were not acknowledged."""

from tests.chat.cases import ChatCase

RESENT_AFTER = (5, 15, 35)


class Duplicates(ChatCase):
    def setUp(self) -> None:
        super().setUp()
        self.alice = self.node()
        self.bob = self.legacy()

    def test_rule_05_shown_once_and_acknowledged_every_time(self) -> None:
        link = self.dialled_by(self.alice, self.bob)
        start = self.world.now
        for delay in (0, *RESENT_AFTER):
            self.run_for(start + delay - self.world.now)
            link.send(type="SEND", msg_id="1", payload="hi")
        self.run_for(0.1)
        self.assertEqual(self.alice.texts, ["hi"])
        self.assertEqual([m["msg_id"] for m in link.got("ACK")], ["1"] * 4)

    def test_rule_05_twice_in_one_read(self) -> None:
        link = self.dialled_by(self.alice, self.bob)
        link.write(b'{"type":"SEND","msg_id":"1","payload":"hi"}\n' * 2)
        self.run_for(0.1)
        self.assertEqual((self.alice.texts, len(link.got("ACK"))), (["hi"], 2))

    def test_rule_05_on_a_new_link_too(self) -> None:
        link = self.dialled_by(self.alice, self.bob)
        link.send(type="SEND", msg_id="1", payload="hi")
        self.run_for(0.1)
        link.transport.cut()
        again = self.dialled_by(self.alice, self.bob)
        again.send(type="SEND", msg_id="1", payload="hi")
        self.run_for(0.1)
        self.assertEqual((self.alice.texts, len(again.got("ACK"))), (["hi"], 1))

    def test_rule_05_the_same_id_from_another_peer_is_another_message(self) -> None:
        for name in ("eve", "joe"):
            link = self.dialled_by(self.alice, self.legacy(name))
            link.send(type="SEND", msg_id="1", payload=name)
        self.run_for(0.1)
        self.assertEqual(self.alice.texts, ["eve", "joe"])

    def test_rule_05_ours_are_resent_only_if_they_were_not_acknowledged(self) -> None:
        link = self.dialled_by(self.alice, self.bob)
        acknowledged = self.alice.sends(self.bob, "1")
        self.run_for(0.1)
        link.answers.remove("SEND")
        lost = self.alice.sends(self.bob, "2")
        self.run_for(0.1)
        link.transport.cut()
        again = self.dialled_by(self.alice, self.bob)
        self.run_for(1)
        self.assertEqual([m["msg_id"] for m in again.got("SEND")], [lost])
        self.assertEqual(self.alice.states(acknowledged), ["queued", "sent", "delivered"])
        self.assertEqual(self.alice.states(lost), ["queued", "sent", "delivered"])

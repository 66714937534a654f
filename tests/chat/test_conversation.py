"""Messages to one peer: delivered, or not delivered with the reason; nothing is lost silently."""

from p2pchat.errors import RequestError
from p2pchat.events import DeliveryChanged, MessageReceived
from p2pchat.identity import PeerId
from tests.chat.cases import ChatCase

ACK_TIMEOUT = 5.0


class Delivered(ChatCase):
    def test_a_message_between_two_nodes(self) -> None:
        alice, bob = self.node("alice"), self.node("bob")
        self.dial(alice, bob)
        msg_id = alice.sends(bob, "olá 🙂")
        self.assertEqual(alice.chat.pending, 1)
        self.run_for(0.1)
        self.assertEqual(alice.states(msg_id), ["sent", "delivered"])
        (event,) = bob.reported(MessageReceived)
        shown = (event.msg_id, event.source, event.to, event.text, event.kind)
        self.assertEqual(shown, (msg_id, "alice@CIC", "bob@CIC", "olá 🙂", "send"))
        self.assertEqual(alice.chat.pending, 0)

    def test_a_message_to_a_legacy_peer_has_every_field(self) -> None:
        node, peer = self.node(), self.legacy()
        link = self.dialled_by(node, peer)
        msg_id = node.sends(peer, "hi")
        self.run_for(0.1)
        self.assertEqual(
            link.got("SEND"),
            [
                {
                    "type": "SEND",
                    "msg_id": msg_id,
                    "src": "alice@CIC",
                    "dst": "bob@CIC",
                    "payload": "hi",
                    "require_ack": True,
                    "ttl": 1,
                }
            ],
        )
        self.assertEqual(node.states(msg_id), ["sent", "delivered"])

    def test_an_answer_to_a_legacy_peer_has_every_field(self) -> None:
        node = self.node()
        link = self.dialled_by(node, self.legacy())
        link.send(type="SEND", msg_id="its own", payload="hi")
        self.run_for(0.1)
        (ack,) = link.got("ACK")
        self.assertRegex(ack.pop("timestamp"), r"^2025-01-01T00:00:00\.\d{3}Z$")
        self.assertEqual(ack, {"type": "ACK", "msg_id": "its own", "ttl": 1})

    def test_many_in_order(self) -> None:
        alice, bob = self.node("alice"), self.node("bob")
        self.dial(alice, bob)
        ids = [alice.sends(bob, str(number)) for number in range(2000)]
        self.run_for(5)
        self.assertEqual(bob.texts, [str(number) for number in range(2000)])
        delivered = [e.msg_id for e in alice.reported(DeliveryChanged) if e.state == "delivered"]
        self.assertEqual(delivered, ids)


class NotDelivered(ChatCase):
    def setUp(self) -> None:
        super().setUp()
        self.alice, self.bob = self.node(), self.legacy()

    def test_without_ack_it_fails_after_the_timeout_with_a_reason(self) -> None:
        link = self.dialled_by(self.alice, self.bob)
        link.answers.discard("SEND")
        msg_id = self.alice.sends(self.bob, "hi")
        self.run_for(ACK_TIMEOUT - 0.01)
        self.assertEqual(self.alice.states(msg_id), ["sent"])
        self.run_for(0.1)
        self.assertEqual(self.alice.states(msg_id), ["sent", "failed"])
        self.assertEqual(self.alice.failure(msg_id), "no ACK within 5 s")
        self.assertEqual(self.alice.chat.pending, 0)

    def test_the_timeout_comes_from_the_configuration(self) -> None:
        node = self.node("zoe", connection={"ack_timeout": 1})
        link = self.dialled_by(node, self.bob)
        link.answers.discard("SEND")
        msg_id = node.sends(self.bob, "hi")
        self.run_for(1.1)
        self.assertEqual(node.failure(msg_id), "no ACK within 1 s")

    def test_a_late_ack_is_told_once(self) -> None:
        link = self.dialled_by(self.alice, self.bob)
        link.answers.discard("SEND")
        msg_id = self.alice.sends(self.bob, "hi")
        self.run_for(ACK_TIMEOUT + 1)
        for _ in range(3):
            link.send(type="ACK", msg_id=msg_id)
        self.run_for(1)
        self.assertEqual(self.alice.states(msg_id), ["sent", "failed", "delivered"])

    def test_an_ack_from_another_peer_is_nothing(self) -> None:
        link = self.dialled_by(self.alice, self.bob)
        eve = self.dialled_by(self.alice, self.legacy("eve"))
        link.answers.discard("SEND")
        msg_id = self.alice.sends(self.bob, "hi")
        self.run_for(0.1)
        eve.send(type="ACK", msg_id=msg_id)
        self.run_for(ACK_TIMEOUT)
        eve.send(type="ACK", msg_id=msg_id)
        self.run_for(1)
        self.assertEqual(self.alice.states(msg_id), ["sent", "failed"])

    def test_to_a_known_peer_without_a_link_it_waits_and_then_fails(self) -> None:
        self.bob.stop_listening()
        self.alice.discovers(self.bob)
        msg_id = self.alice.sends(self.bob, "hi")
        self.run_for(ACK_TIMEOUT - 0.01)
        self.assertEqual(self.alice.states(msg_id), [])
        self.run_for(0.1)
        self.assertEqual(self.alice.failure(msg_id), "not connected within 5 s")

    def test_it_leaves_when_the_link_comes_up_in_time(self) -> None:
        self.alice.discovers(self.bob)
        ids = [self.alice.sends(self.bob, str(number)) for number in range(3)]
        self.run_for(3)
        self.assertEqual([m["msg_id"] for m in self.bob.link.got("SEND")], ids)
        self.assertEqual(self.alice.states(ids[-1]), ["sent", "delivered"])

    def test_to_an_unknown_peer_it_is_refused(self) -> None:
        error = self.assertRaises(
            RequestError, self.alice.chat.send, PeerId("no\x1bbody@CIC"), "hi"
        )
        self.assertIn("no\\x1bbody@CIC", str(error))
        self.assertEqual(self.alice.events, [])

    def test_a_queued_message_waits_as_long_as_its_link_lives(self) -> None:
        link = self.dialled_by(self.alice, self.bob)
        link.answers.discard("SEND")
        ids = [self.alice.sends(self.bob, str(number)) for number in range(4)]
        self.run_for(4 * ACK_TIMEOUT + 1)
        for msg_id in ids:
            self.assertEqual(self.alice.states(msg_id), ["sent", "failed"])


class LostLinks(ChatCase):
    def setUp(self) -> None:
        super().setUp()
        self.alice, self.bob = self.node(), self.legacy()
        self.link = self.dialled_by(self.alice, self.bob)
        self.link.answers.discard("SEND")

    def test_sent_again_under_the_same_id_when_another_link_comes_up_in_time(self) -> None:
        msg_id = self.alice.sends(self.bob, "hi")
        self.run_for(0.1)
        self.link.transport.cut()
        self.run_for(ACK_TIMEOUT - 1)
        again = self.dialled_by(self.alice, self.bob)
        self.assertEqual([m["msg_id"] for m in again.got("SEND")], [msg_id])
        self.assertEqual(self.alice.states(msg_id), ["sent", "delivered"])

    def test_otherwise_it_fails_with_a_reason(self) -> None:
        msg_id = self.alice.sends(self.bob, "hi")
        self.run_for(0.1)
        self.link.transport.cut()
        self.run_for(ACK_TIMEOUT + 1)
        self.assertEqual(self.alice.states(msg_id), ["sent", "failed"])
        self.assertIn("link was lost", self.alice.failure(msg_id))
        again = self.dialled_by(self.alice, self.bob)
        self.run_for(1)
        self.assertEqual(again.got("SEND"), [], "what failed is not sent after all")

    def test_messages_still_in_the_queue_move_too_and_keep_their_order(self) -> None:
        ids = [self.alice.sends(self.bob, str(number)) for number in range(5)]
        self.run_for(0.1)
        self.link.transport.cut()
        again = self.dialled_by(self.alice, self.bob)
        self.run_for(1)
        self.assertEqual([m["msg_id"] for m in again.got("SEND")], ids)

    def test_two_nodes_neither_lose_nor_double_a_message(self) -> None:
        alice, bob = self.node("ann"), self.node("bea")
        self.dial(alice, bob)
        ids = []
        for number in range(60):
            ids.append(alice.sends(bob, str(number)))
            if number % 20 == 10:
                next(
                    c for c in reversed(self.world.connections) if not c.client.closed
                ).client.cut()
            self.run_for(0.1)
        self.run_for(10)
        self.assertEqual(bob.texts, [str(number) for number in range(60)])
        for msg_id in ids:
            self.assertEqual(alice.states(msg_id), ["sent", "delivered"])


class Publications(ChatCase):
    def test_to_all_and_to_one_namespace(self) -> None:
        node = self.node()
        here = self.dialled_by(node, self.legacy("here"))
        other = self.legacy("other")
        other.introduction["peer_id"] = "other@UNB"
        there = self.dialled_by(node, other)
        self.legacy("absent")
        for target, count in (("*", 2), ("#CIC", 1), ("#UNB", 1), ("#NOBODY", 0)):
            self.assertEqual(node.chat.publish(target, target)[1], count)
        self.run_for(0.1)
        self.assertEqual([m["dst"] for m in here.got("PUB")], ["*", "#CIC"])
        self.assertEqual([m["dst"] for m in there.got("PUB")], ["*", "#UNB"])

    def test_it_has_every_field_and_one_id_for_all(self) -> None:
        node = self.node()
        links = [self.dialled_by(node, self.legacy(name)) for name in ("bob", "eve")]
        msg_id, _ = node.chat.publish("#CIC", "hi")
        self.run_for(0.1)
        for link in links:
            self.assertEqual(
                link.got("PUB"),
                [
                    {
                        "type": "PUB",
                        "msg_id": msg_id,
                        "src": "alice@CIC",
                        "dst": "#CIC",
                        "payload": "hi",
                        "require_ack": False,
                        "ttl": 1,
                    }
                ],
            )

    def test_it_is_shown_as_one_and_not_acknowledged(self) -> None:
        alice, bob = self.node("alice"), self.node("bob")
        self.dial(alice, bob)
        alice.chat.publish("#CIC", "hi")
        self.run_for(0.1)
        (event,) = bob.reported(MessageReceived)
        self.assertEqual((event.kind, event.to, event.source), ("pub", "#CIC", "alice@CIC"))
        self.assertEqual(alice.reported(DeliveryChanged), [])

    def test_it_is_not_passed_on(self) -> None:
        node = self.node()
        speaker = self.dialled_by(node, self.legacy("speaker"))
        other = self.dialled_by(node, self.legacy("other"))
        speaker.send(type="PUB", msg_id="1", dst="*", payload="hi")
        self.run_for(1)
        self.assertEqual((node.texts, other.got("PUB")), (["hi"], []))

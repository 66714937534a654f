"""Messages to one peer: stored, and sent until they are delivered or given up with a reason."""

import itertools

from p2pchat.events import DeliveryChanged, MessageReceived
from tests.chat.cases import ChatCase
from tests.chat.scripted import ScriptedLink

ACK_TIMEOUT = 5.0
DAY = 86_400.0


class Delivered(ChatCase):
    def test_a_message_between_two_nodes(self) -> None:
        alice, bob = self.node("alice"), self.node("bob")
        self.dial(alice, bob)
        msg_id = alice.sends(bob, "olá 🙂")
        self.assertEqual(alice.chat.pending, 1)
        self.run_for(0.1)
        self.assertEqual(alice.states(msg_id), ["queued", "sent", "delivered"])
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
        self.assertEqual(node.states(msg_id), ["queued", "sent", "delivered"])

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
        ids = [alice.sends(bob, str(number)) for number in range(1000)]
        self.run_for(5)
        self.assertEqual(bob.texts, [str(number) for number in range(1000)])
        delivered = [e.msg_id for e in alice.reported(DeliveryChanged) if e.state == "delivered"]
        self.assertEqual(delivered, ids)


class NotDelivered(ChatCase):
    def setUp(self) -> None:
        super().setUp()
        self.alice, self.bob = self.node(), self.legacy()

    def silent(self, *, modern: bool) -> ScriptedLink:
        """Return a link to a peer that answers no SEND."""
        if modern:
            self.bob.introduction["agent"] = "p2pchat/9"
        link = self.dialled_by(self.alice, self.bob)
        link.answers.discard("SEND")
        return link

    def test_without_ack_our_own_kind_gets_it_again_under_the_same_id(self) -> None:
        link = self.silent(modern=True)
        msg_id = self.alice.sends(self.bob, "hi")
        self.run_for(60)
        sent = [line for line in link.lines if line.type == "SEND"]
        self.assertEqual({line.message["msg_id"] for line in sent}, {msg_id})
        pauses = [b.time - a.time for a, b in itertools.pairwise(sent)]
        for pause, expected in zip(pauses, [5, 10, 20], strict=True):
            self.assertApproximates(pause, expected, 0.01)
        link.answers.add("SEND")
        self.run_for(60)
        self.assertEqual(self.alice.states(msg_id), ["queued", "sent", "delivered"])
        self.assertEqual(len(link.got("SEND")), len(sent) + 1)

    def test_other_programs_show_it_twice_so_they_do_not(self) -> None:
        link = self.silent(modern=False)
        msg_id = self.alice.sends(self.bob, "hi")
        self.run_for(1000)
        self.assertEqual([m["msg_id"] for m in link.got("SEND")], [msg_id])
        self.assertEqual(self.alice.states(msg_id), ["queued", "sent"])
        self.assertEqual(self.alice.chat.pending, 1)

    def test_the_timeout_comes_from_the_configuration(self) -> None:
        self.alice = self.node("zoe", connection={"ack_timeout": 1})
        link = self.silent(modern=True)
        self.alice.sends(self.bob, "hi")
        self.run_for(0.9)
        self.assertEqual(len(link.got("SEND")), 1)
        self.run_for(0.2)
        self.assertEqual(len(link.got("SEND")), 2)

    def test_a_late_ack_is_told_once(self) -> None:
        link = self.silent(modern=False)
        msg_id = self.alice.sends(self.bob, "hi")
        self.run_for(ACK_TIMEOUT + 1)
        for _ in range(3):
            link.send(type="ACK", msg_id=msg_id)
        self.run_for(1)
        self.assertEqual(self.alice.states(msg_id), ["queued", "sent", "delivered"])

    def test_an_ack_from_another_peer_is_nothing(self) -> None:
        self.silent(modern=False)
        eve = self.dialled_by(self.alice, self.legacy("eve"))
        msg_id = self.alice.sends(self.bob, "hi")
        self.run_for(0.1)
        eve.send(type="ACK", msg_id=msg_id)
        self.run_for(ACK_TIMEOUT)
        eve.send(type="ACK", msg_id=msg_id)
        self.run_for(1)
        self.assertEqual(self.alice.states(msg_id), ["queued", "sent"])

    def test_a_queued_message_waits_as_long_as_its_link_lives(self) -> None:
        link = self.silent(modern=False)
        ids = [self.alice.sends(self.bob, str(number)) for number in range(4)]
        self.run_for(4 * ACK_TIMEOUT + 1)
        self.assertEqual([m["msg_id"] for m in link.got("SEND")], ids)
        for msg_id in ids:
            self.assertEqual(self.alice.states(msg_id), ["queued", "sent"])


class Absent(ChatCase):
    def setUp(self) -> None:
        super().setUp()
        self.alice, self.bob = self.node(), self.legacy(listens=False)

    def test_to_a_peer_that_is_away_it_waits_for_days(self) -> None:
        self.alice.discovers(self.bob)
        msg_id = self.alice.sends(self.bob, "hi")
        self.run_for(6 * DAY)
        self.assertEqual(self.alice.states(msg_id), ["queued"])
        link = self.dialled_by(self.alice, self.bob)
        self.assertEqual([m["msg_id"] for m in link.got("SEND")], [msg_id])
        self.assertEqual(self.alice.states(msg_id), ["queued", "sent", "delivered"])

    def test_but_not_longer_than_the_configuration_says(self) -> None:
        alice = self.node("ann", outbox={"max_days": 2})
        msg_id = alice.sends(self.bob, "hi")
        self.run_for(2 * DAY)
        self.assertEqual(alice.states(msg_id), ["queued"])
        self.run_for(120)
        self.assertEqual(alice.states(msg_id), ["queued", "failed"])
        self.assertEqual(alice.failure(msg_id), "no confirmation within 2 days")
        self.assertEqual(self.dialled_by(alice, self.bob).got("SEND"), [])

    def test_to_one_that_nobody_ever_saw_too(self) -> None:
        ids = [self.alice.sends(self.bob, str(number)) for number in range(3)]
        self.assertEqual(self.alice.chat.pending, 3)
        link = self.dialled_by(self.alice, self.bob)
        self.run_for(1)
        self.assertEqual([m["msg_id"] for m in link.got("SEND")], ids)

    def test_it_leaves_when_the_link_comes_up(self) -> None:
        self.bob.listen()
        self.alice.discovers(self.bob)
        ids = [self.alice.sends(self.bob, str(number)) for number in range(3)]
        self.run_for(3)
        self.assertEqual([m["msg_id"] for m in self.bob.link.got("SEND")], ids)
        self.assertEqual(self.alice.states(ids[-1]), ["queued", "sent", "delivered"])

    def test_the_next_life_sends_what_the_last_one_left_and_dials_whom_it_knew(self) -> None:
        self.bob.listen()
        self.dial(self.alice, self.bob)
        self.bob.link.transport.cut()
        self.bob.stop_listening()
        self.run_for(1)
        msg_id = self.alice.sends(self.bob, "good night")
        self.alice.leaves()
        self.run_for(10)
        self.bob.listen()
        again = self.node(history=self.alice.history)
        self.run_for(5)
        self.assertEqual([m["msg_id"] for m in self.bob.links[-1].got("SEND")], [msg_id])
        self.assertEqual(again.states(msg_id), ["sent", "delivered"])
        again.events.clear()  # it was sent by its earlier life

    def test_what_is_withdrawn_in_time_never_leaves(self) -> None:
        first, second = self.alice.sends(self.bob, "1"), self.alice.sends(self.bob, "2")
        self.assertTrue(self.alice.cancels(first))
        self.assertFalse(self.alice.cancels(first))
        self.assertEqual(self.alice.failure(first), "withdrawn")
        link = self.dialled_by(self.alice, self.bob)
        self.run_for(1)
        self.assertEqual([m["msg_id"] for m in link.got("SEND")], [second])


class LostLinks(ChatCase):
    def setUp(self) -> None:
        super().setUp()
        self.alice, self.bob = self.node(), self.legacy()
        self.link = self.dialled_by(self.alice, self.bob)
        self.link.answers.discard("SEND")

    def test_sent_again_under_the_same_id_when_another_link_comes_up(self) -> None:
        msg_id = self.alice.sends(self.bob, "hi")
        self.run_for(0.1)
        self.link.transport.cut()
        self.run_for(DAY)
        again = self.dialled_by(self.alice, self.bob)
        self.assertEqual([m["msg_id"] for m in again.got("SEND")], [msg_id])
        self.assertEqual(self.alice.states(msg_id), ["queued", "sent", "delivered"])

    def test_but_not_on_any_number_of_links(self) -> None:
        msg_id, links = self.alice.sends(self.bob, "hi"), [self.link]
        self.bob.answers.discard("SEND")
        for _ in range(5):
            self.run_for(0.1)
            links[-1].transport.cut()
            self.run_for(1)
            links.append(self.dialled_by(self.alice, self.bob))
        self.assertEqual([len(link.got("SEND")) for link in links], [1, 1, 1, 1, 0, 0])
        self.assertEqual(self.alice.states(msg_id), ["queued", "sent", "failed"])
        self.assertIn("never confirmed", self.alice.failure(msg_id))

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
            self.assertEqual(alice.states(msg_id), ["queued", "sent", "delivered"])


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

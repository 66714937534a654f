"""A node that talks before its history is open: nothing is lost, no link dies, nothing hangs."""

from twisted.internet.defer import Deferred

from p2pchat.chat.closing import LEAVE_TIMEOUT
from p2pchat.errors import RequestError
from p2pchat.events import PeerUp
from tests.at_once import at_once
from tests.chat.cases import ChatCase


class EarlyTalk(ChatCase):
    def setUp(self) -> None:
        super().setUp()
        self.alice, self.bob = self.node(opens=False), self.legacy()
        self.link = self.dialled_by(self.alice, self.bob)

    def test_a_message_is_acknowledged_and_shown_when_it_opens(self) -> None:
        self.link.send(type="SEND", msg_id="1", payload="hi")
        self.run_for(3)
        self.assertEqual((self.link.got("ACK"), self.alice.texts), ([], []))
        self.alice.open()
        self.run_for(1)
        self.assertEqual([ack["msg_id"] for ack in self.link.got("ACK")], ["1"])
        self.assertEqual(self.alice.texts, ["hi"])

    def test_links_live_meanwhile(self) -> None:
        self.link.send(type="SEND", msg_id="1", payload="hi")
        self.link.send(type="PING", msg_id="2")
        self.run_for(120)
        self.assertEqual([pong["msg_id"] for pong in self.link.got("PONG")], ["2"])
        self.assertIsNone(self.link.lost)

    def test_what_is_sent_goes_out_when_it_opens(self) -> None:
        sent = Deferred.fromCoroutine(self.alice.chat.send(self.bob.peer_id, "hi"))
        self.run_for(3)
        self.assertNoResult(sent)
        self.alice.open()
        msg_id = at_once(sent)
        self.alice.sent.append(msg_id)
        self.run_for(1)
        self.assertEqual(self.alice.states(msg_id), ["queued", "sent", "delivered"])

    def test_who_came_meanwhile_is_remembered(self) -> None:
        self.alice.open()
        (known,) = at_once(self.alice.history.peers())
        self.assertEqual(known.peer_id, self.bob.peer_id)

    def test_leaving_waits_for_nothing(self) -> None:
        sent = Deferred.fromCoroutine(self.alice.chat.send(self.bob.peer_id, "hi"))
        self.link.send(type="SEND", msg_id="1", payload="hi")
        self.run_for(0.1)
        self.alice.leaves()
        self.failureResultOf(sent, RequestError)
        self.run_for(LEAVE_TIMEOUT / 2)
        assert self.alice.left is not None
        self.successResultOf(self.alice.left)
        self.alice.open()
        self.assertEqual((self.link.got("ACK"), self.alice.texts), ([], []))
        self.assertEqual(len(self.alice.reported(PeerUp)), len(self.alice.events))

    def test_of_two_nodes_of_our_kind_one_gets_all_of_it_once(self) -> None:
        carl = self.node("carl")
        self.dial(carl, self.alice)
        ids = [carl.sends(self.alice, str(number)) for number in range(3)]
        self.run_for(20)
        self.alice.open()
        self.run_for(60)
        self.assertEqual(self.alice.texts, ["0", "1", "2"])
        self.assertEqual({carl.states(one)[-1] for one in ids}, {"delivered"})

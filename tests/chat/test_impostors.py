"""Somebody uses the name of a peer that is connected: it gets neither its link nor its voice."""

from p2pchat.chat.switchboard import PROBE_TIMEOUT, SIMULTANEOUS
from p2pchat.events import PeerDown
from tests.chat.cases import ChatCase
from tests.chat.scripted import POLITE

MODERN = {"agent": "p2pchat/0.0"}


class Impostors(ChatCase):
    """alice has dialled an honest modern peer of a larger id, so an accepted link would win."""

    def setUp(self) -> None:
        super().setUp()
        self.zed = self.node("zed")
        self.amy = self.legacy("amy")
        self.amy.introduction |= MODERN
        self.dial(self.zed, self.amy)
        self.honest = self.amy.link
        self.run_for(SIMULTANEOUS)

    def impostor(self, **introduction: str) -> object:
        peer = self.legacy("amy", listens=False)
        peer.introduction |= introduction
        return peer

    def assert_honest_one_stays(self) -> None:
        self.assertIsNone(self.honest.lost)
        self.assertEqual(self.zed.reported(PeerDown), [])
        msg_id = self.zed.sends(self.amy, "secret")
        self.run_for(0.5)
        self.assertEqual([m["msg_id"] for m in self.honest.got("SEND")], [msg_id])
        self.assertEqual(self.zed.states(msg_id), ["queued", "sent", "delivered"])

    def test_a_late_link_of_the_other_direction_is_not_both_dialling_at_once(self) -> None:
        link = self.impostor(**MODERN).dial(self.zed.address)
        self.run_for(1)
        self.assertEqual(link.types, ["HELLO_REJECT", "BYE"])
        self.assert_honest_one_stays()

    def test_claiming_to_be_of_another_kind_helps_nothing(self) -> None:
        link = self.impostor().dial(self.zed.address)
        self.run_for(1)
        self.assertEqual(link.types, ["HELLO_REJECT", "BYE"])
        self.assert_honest_one_stays()

    def test_what_is_said_behind_hello_is_neither_shown_nor_acknowledged(self) -> None:
        link = self.impostor(**MODERN).dial(self.zed.address)
        self.run_for(0.05)
        link.send(type="SEND", msg_id="1", src="amy@CIC", dst="zed@CIC", payload="I am amy")
        self.run_for(2)
        link.send(type="SEND", msg_id="2", src="amy@CIC", dst="zed@CIC", payload="really")
        self.run_for(2)
        self.assertEqual(self.zed.texts, [])
        self.assertEqual(link.got("ACK"), [])

    def test_what_an_honest_newcomer_said_meanwhile_is_not_lost(self) -> None:
        self.honest.answers.clear()  # it has crashed; this is its second life
        link = self.impostor(**MODERN).dial(self.zed.address)
        self.run_for(0.05)
        link.send(type="SEND", msg_id="1", src="amy@CIC", dst="zed@CIC", payload="I am back")
        self.run_for(PROBE_TIMEOUT - 0.1)
        self.assertEqual(self.zed.texts, [])
        self.run_for(0.6)
        self.assertEqual(self.zed.texts, ["I am back"])
        self.assertEqual([m["msg_id"] for m in link.got("ACK")], ["1"])

    def test_leaving_while_it_waits_for_a_decision(self) -> None:
        self.honest.answers.clear()
        link = self.impostor(**MODERN).dial(self.zed.address)
        self.run_for(PROBE_TIMEOUT - 0.01)
        link.send(type="BYE", msg_id="1", src="amy@CIC", dst="zed@CIC", reason="")
        self.run_for(5)
        self.assertIsNotNone(link.lost)
        self.assertIsNotNone(self.honest.lost)

    def test_flooding_while_it_waits_costs_only_one_read(self) -> None:
        self.honest.answers.clear()
        link = self.impostor(**MODERN).dial(self.zed.address)
        self.run_for(0.1)
        for number in range(1000):
            link.send(type="SEND", msg_id=str(number), payload="x" * 1000)
        self.run_for(1)
        self.assertEqual(self.zed.texts, [])
        self.run_for(30)
        self.assertEqual(len(self.zed.texts), 1000)


class Bounds(ChatCase):
    def test_a_peer_that_comes_and_goes_and_confirms_nothing(self) -> None:
        alice = self.node(outbox={"legacy_retries": 2})
        bob = self.legacy(answers=POLITE - {"SEND"})
        link = self.dialled_by(alice, bob)
        msg_id = alice.sends(bob, "hello?")
        for _ in range(5):
            self.run_for(3)
            link.close()
            self.run_for(0.1)
            link = self.dialled_by(alice, bob)
        self.assertEqual(alice.states(msg_id), ["queued", "sent", "failed"])
        self.assertEqual(sum(len(link.got("SEND")) for link in bob.links), 3)

    def test_reconnect_dials_no_more_than_the_limit(self) -> None:
        alice = self.node(limits={"max_dialled_peers": 3})
        peers = [self.legacy(f"p{number}", listens=False) for number in range(20)]
        for peer in peers:
            alice.discovers(peer)
        self.assertEqual(alice.chat.reconnect(), 6)  # twice the room for our own namespace
        self.run_for(1)
        self.assertEqual(len(self.world.dials), 6)

    def test_peers_that_were_reached_leave_room_to_dial_others(self) -> None:
        alice = self.node(limits={"max_dialled_peers": 1})
        peers = [self.legacy(f"p{number}") for number in range(6)]
        for peer in peers:
            self.dial(alice, peer)
        self.assertEqual(len(alice.connected), 6)

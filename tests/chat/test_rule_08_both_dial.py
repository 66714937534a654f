"""Rule 2.8: both dial at once, in every order in which the lines of two handshakes can come."""

from collections.abc import Iterator
from itertools import product

from p2pchat.chat.dialer import FIRST_PAUSE
from p2pchat.events import PeerDown
from tests.chat.cases import ChatCase, ChatNode
from tests.chat.scripted import ScriptedLink
from tests.chat.world import World

#: How long a line takes that comes soon, and one that comes behind all that come soon.
SOON, LATER = 0.001, 0.3

Latencies = tuple[float, float, float, float]


def orders() -> Iterator[Latencies]:
    """Each of the lines HELLO and HELLO_OK of both links, soon or later."""
    yield from product((SOON, LATER), repeat=4)


class Modern(ChatCase):
    def meet(self, latencies: Latencies) -> tuple[ChatNode, ChatNode]:
        """Let two new nodes dial each other at the same time."""
        self.world = World()
        self.nodes.clear()
        ann, bob = self.node("ann"), self.node("bob")
        a, b = ann.address.host, bob.address.host
        self.world.latencies[a, b] = latencies[:2]
        self.world.latencies[b, a] = latencies[2:]
        for node, other in ((ann, bob), (bob, ann)):
            node.discovers(other)
            node.chat.reconnect()
        self.run_for(0.002)
        self.assertEqual(len(self.world.connections), 2)
        return ann, bob

    def check_end(self) -> None:
        """Check this round as at the end of a test, and begin another one."""
        super().tearDown()
        self.nodes.clear()

    def test_rule_08_the_link_that_the_smaller_id_dialled_stays_in_all_orders(self) -> None:
        for latencies in orders():
            ann, bob = self.meet(latencies)
            self.run_for(10)
            self.assertEqual((ann.connected, bob.connected), (["bob@CIC"], ["ann@CIC"]))
            (of_ann,), (of_bob,) = ann.chat.link_infos(), bob.chat.link_infos()
            self.assertEqual((of_ann.direction, of_bob.direction), ("out", "in"), latencies)
            open_ones = [c for c in self.world.connections if not c.client.closed]
            self.assertEqual(len(open_ones), 1)
            self.assertEqual(len(self.world.dials), 2, "nobody dials again")
            self.check_end()

    def test_rule_08_the_other_link_gets_bye_duplicate(self) -> None:
        ann, _ = self.meet((SOON, SOON, SOON, SOON))
        self.run_for(10)
        (other,) = (c for c in self.world.connections if c.client.closed)
        self.assertEqual(other.server.host.port, ann.address.port)
        said = b"".join(data for _, data in other.server.written)
        self.assertIn(b'"type":"BYE"', said)
        self.assertIn(b'"reason":"duplicate"', said)

    def test_rule_08_each_message_sent_meanwhile_arrives_once(self) -> None:
        for latencies in orders():
            ann, bob = self.meet(latencies)
            sent: list[tuple[ChatNode, str]] = []
            for number in range(20):
                sent += [(ann, ann.sends(bob, f"{number}")), (bob, bob.sends(ann, f"{number}"))]
                self.run_for(0.1)
            self.run_for(5)
            self.assertEqual(sorted(ann.texts), sorted(map(str, range(20))), latencies)
            self.assertEqual(sorted(bob.texts), sorted(map(str, range(20))), latencies)
            for node, msg_id in sent:
                self.assertEqual(node.states(msg_id), ["queued", "sent", "delivered"])
            self.check_end()

    def test_rule_08_nobody_is_reported_down_meanwhile(self) -> None:
        for latencies in orders():
            ann, bob = self.meet(latencies)
            self.run_for(10)
            for node in (ann, bob):
                self.assertEqual(node.reported(PeerDown), [], latencies)
            self.check_end()

    def test_rule_08_after_it_either_side_may_lose_the_link_and_they_meet_again(self) -> None:
        for latencies in orders():
            ann, bob = self.meet(latencies)
            self.run_for(10)
            (link,) = (c for c in self.world.connections if not c.client.closed)
            link.client.cut()
            self.run_for(10)
            self.assertEqual((ann.connected, bob.connected), (["bob@CIC"], ["ann@CIC"]))
            self.check_end()


class Duplicate(ChatCase):
    """BYE `duplicate` on the only link that we have: the one that stays may be nearly up."""

    def setUp(self) -> None:
        super().setUp()
        self.alice, self.bob = self.node(), self.legacy(answers={"PING", "SEND", "BYE"})
        self.bob.introduction["agent"] = "p2pchat/9"

    def say_duplicate(self) -> None:
        accepted = self.dialled_by(self.alice, self.bob)
        accepted.send(type="BYE", msg_id="9", reason="duplicate")
        self.run_for(1)

    def test_rule_08_bye_duplicate_ahead_of_hello_ok_is_no_absence(self) -> None:
        self.alice.discovers(self.bob)
        self.alice.chat.reconnect()
        self.say_duplicate()
        self.assertEqual(self.alice.reported(PeerDown), [])
        self.bob.links[1].say_hello_ok()
        self.run_for(1)
        self.assertEqual(self.alice.connected, ["bob@CIC"])
        self.assertEqual(len(self.alice.events), 1)

    def test_rule_08_but_if_hello_ok_never_comes_the_peer_is_gone(self) -> None:
        self.alice.discovers(self.bob)
        self.alice.chat.reconnect()
        self.say_duplicate()
        self.run_for(10)
        self.assertEqual(len(self.alice.reported(PeerDown)), 1)

    def test_rule_08_bye_duplicate_without_another_link_is_an_absence(self) -> None:
        self.say_duplicate()
        self.assertEqual(len(self.alice.reported(PeerDown)), 1)


class Legacy(ChatCase):
    def both_links(self) -> tuple[ScriptedLink, ScriptedLink]:
        """Let the node and a legacy peer dial each other; return our link and its link."""
        self.alice, self.bob = self.node(), self.legacy()
        self.alice.discovers(self.bob)
        self.alice.chat.reconnect()
        accepted = self.bob.dial(self.alice.address)
        self.run_for(1)
        dialled, accepted = sorted(self.bob.links, key=lambda link: link is accepted)
        return dialled, accepted

    def test_rule_08_legacy_both_links_stay_and_are_read(self) -> None:
        dialled, accepted = self.both_links()
        self.run_for(60)
        for number, link in enumerate((dialled, accepted)):
            self.assertIsNone(link.lost)
            link.send(type="SEND", msg_id=str(number), payload=str(number))
            self.run_for(0.1)
            self.assertEqual([m["msg_id"] for m in link.got("ACK")], [str(number)])
        self.assertEqual(self.alice.texts, ["0", "1"])
        self.assertEqual(len(self.alice.chat.link_infos()), 2)
        self.assertEqual([event.peer_id for event in self.alice.events[:1]], ["bob@CIC"])

    def test_rule_08_legacy_in_all_orders(self) -> None:
        for latencies in orders():
            self.world = World()
            self.nodes.clear()
            self.peers.clear()
            bob_ip = "10.0.1.1"
            self.world.latencies["10.0.0.1", bob_ip] = latencies[:2]
            self.world.latencies[bob_ip, "10.0.0.1"] = latencies[2:]
            dialled, accepted = self.both_links()
            self.run_for(10)
            self.assertEqual((dialled.lost, accepted.lost), (None, None), latencies)
            self.assertEqual(len(self.alice.chat.link_infos()), 2)
            self.tearDown()
            self.nodes.clear()
            self.peers.clear()

    def test_rule_08_legacy_written_to_the_link_that_carried_data_last(self) -> None:
        links = self.both_links()
        for number, link in enumerate([*links, *links]):
            link.send(type="PUB", msg_id=str(number), payload="x")
            self.run_for(0.1)
            msg_id = self.alice.sends(self.bob, "hi")
            self.run_for(0.1)
            self.assertEqual(link.got("SEND")[-1]["msg_id"], msg_id)

    def test_rule_08_legacy_one_link_lost_is_not_the_peer_lost(self) -> None:
        dialled, accepted = self.both_links()
        dialled.transport.cut()
        self.run_for(10)
        self.assertEqual(self.alice.connected, ["bob@CIC"])
        self.assertEqual(self.alice.reported(PeerDown), [])
        msg_id = self.alice.sends(self.bob, "hi")
        self.run_for(0.1)
        self.assertEqual(accepted.got("SEND")[0]["msg_id"], msg_id)

    def test_rule_08_a_new_peer_is_dialled_after_half_a_second_to_two(self) -> None:
        node = self.node()
        peers = [self.legacy(f"peer{number}") for number in range(40)]
        for peer in peers:
            node.discovers(peer)
        self.run_for(3)
        times = sorted(dial.time for dial in self.world.dials)
        self.assertEqual(FIRST_PAUSE, (0.5, 2.0))
        self.assertEqual(len(times), 40)
        self.assertGreaterEqual(times[0], 0.5)
        self.assertLess(times[0], 0.8)
        self.assertGreater(times[-1], 1.7)
        self.assertLessEqual(times[-1], 2.0 + 0.001)

    def test_rule_08_a_peer_is_not_dialled_while_it_is_dialling_us(self) -> None:
        node, peer = self.node(), self.legacy()
        link = peer.dial(node.address, hello=False)
        self.run_for(0.1)
        node.discovers(peer)
        self.run_for(2.1)
        self.assertEqual(len(self.world.dials), 1)
        link.say_hello()
        self.run_for(10)
        self.assertEqual(len(self.world.dials), 1)
        self.assertEqual(node.connected, ["bob@CIC"])

    def test_rule_08_a_silent_connection_does_not_keep_us_from_dialling_for_ever(self) -> None:
        node, peer = self.node(), self.legacy()
        node.discovers(peer)
        for _ in range(12):
            peer.dial(node.address, hello=False)
            self.run_for(1)
        self.assertIn(peer.address, [dial.address for dial in self.world.dials])

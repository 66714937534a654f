"""Where a peer is dialled: all its addresses in a round, this very host, and from where."""

from p2pchat.identity import Address
from tests.chat.cases import ChatCase, ChatNode


class Candidates(ChatCase):
    def test_a_round_tries_every_address_newest_first(self) -> None:
        node, peer = self.node(), self.legacy()
        for ip in ("10.9.0.1", "10.9.0.2"):
            node.chat.discovered([(peer.peer_id, Address(ip, 4000))])
        self.run_for(2.1)
        self.assertEqual([d.address.host for d in self.world.dials], ["10.9.0.2", "10.9.0.1"])

    def test_the_first_that_answers_ends_the_round(self) -> None:
        node, peer = self.node(), self.legacy()
        node.discovers(peer)
        node.chat.discovered([(peer.peer_id, Address("10.9.0.2", 4000))])
        self.run_for(2.5)
        self.assertEqual(node.connected, ["bob@CIC"])
        hosts = [dial.address.host for dial in self.world.dials]
        self.assertEqual(hosts, ["10.9.0.2", peer.address.host])

    def test_our_own_public_address_may_be_this_very_host(self) -> None:
        node = self.node()
        neighbour = self.legacy(ip=node.address.host, listens=False)
        neighbour.address = Address(node.address.host, 4001)
        neighbour.listen()
        node.chat.set_public_ips(["203.0.113.7"])
        node.chat.discovered([(neighbour.peer_id, Address("203.0.113.7", 4001))])
        self.run_for(3)
        hosts = [dial.address for dial in self.world.dials]
        self.assertEqual(hosts, [Address("203.0.113.7", 4001), Address("127.0.0.1", 4001)])
        self.assertEqual(node.connected, ["bob@CIC"])

    def test_another_public_address_is_not_this_host(self) -> None:
        node = self.node()
        node.chat.set_public_ips(["203.0.113.7"])
        node.chat.discovered([(self.legacy().peer_id, Address("203.0.113.8", 4001))])
        self.run_for(3)
        self.assertEqual([dial.address.host for dial in self.world.dials], ["203.0.113.8"])

    def test_an_address_where_somebody_else_answers_does_not_end_the_round(self) -> None:
        node, peer, stranger = self.node(), self.legacy(), self.legacy("stranger")
        node.discovers(peer)
        node.chat.discovered([(peer.peer_id, stranger.address)])
        self.run_for(10)
        self.assertEqual(node.connected, ["bob@CIC"])

    def test_an_address_where_nobody_speaks_does_not_end_the_round(self) -> None:
        node, peer, mute = self.node(), self.legacy(), self.legacy("mute", answers=())
        node.discovers(peer)
        node.chat.discovered([(peer.peer_id, mute.address)])
        self.run_for(10)
        self.assertEqual(node.connected, ["bob@CIC"])

    def test_a_black_hole_is_given_up_after_the_handshake_timeout(self) -> None:
        node, peer = self.node(), self.legacy()
        hole = Address("10.9.0.9", 4000)
        self.world.black_holes.add(hole)
        node.discovers(peer)
        node.chat.discovered([(peer.peer_id, hole)])
        self.run_for(10)
        first, second = self.world.dials
        self.assertApproximates(second.time - first.time, 5.0, 0.01)
        self.assertEqual(node.connected, ["bob@CIC"])

    def test_we_ourselves_are_not_dialled(self) -> None:
        node = self.node()
        node.discovers(node)
        self.run_for(10)
        self.assertEqual((self.world.dials, node.chat.known_ids()), ([], []))

    def test_a_node_with_a_bind_address_dials_from_it(self) -> None:
        node, peer = self.node(peer={"bind": "10.0.0.1"}), self.legacy()
        self.dial(node, peer)
        self.assertEqual(self.world.dials[0].source, "10.0.0.1")
        self.assertEqual(node.connected, ["bob@CIC"])


class Crowd(ChatCase):
    def test_only_so_many_peers_are_dialled_those_of_our_namespace_twice_as_many(self) -> None:
        node = self.node(limits={"max_dialled_peers": 5})
        for namespace in ("ELSEWHERE", "CIC"):
            for number in range(30):
                peer = self.legacy(f"{namespace}{number}", listens=False)
                peer.peer_id = peer.peer_id.replace("@CIC", f"@{namespace}")
                node.discovers(peer)
        self.run_for(2.1)
        dialled = {dial.address.host for dial in self.world.dials}
        by_ip = {peer.address.host: peer.peer_id for peer in self.peers}
        namespaces = [by_ip[ip].rpartition("@")[2] for ip in dialled]
        self.assertEqual((namespaces.count("ELSEWHERE"), namespaces.count("CIC")), (5, 5))

    def test_no_more_are_dialled_when_all_links_are_lost_at_once(self) -> None:
        node = self.node(limits={"max_dialled_peers": 2})
        peers = [self.legacy(f"peer{number}") for number in range(8)]
        for peer in peers:
            self.dial(node, peer)
        self.assertEqual(len(node.connected), 8)
        for peer in peers:
            peer.stop_listening()
            peer.links[-1].close()
        self.run_for(0.5)
        self.assertEqual(self.dialled(node), 4)

    def test_who_was_linked_is_dialled_before_who_never_was(self) -> None:
        for dials_us in (False, True):
            node = self.node(name=f"node{dials_us}", limits={"max_dialled_peers": 1})
            friend = self.legacy(f"friend{dials_us}")
            link = self.dialled_by(node, friend) if dials_us else None
            self.dial(node, friend)
            for number in range(2):
                node.discovers(self.legacy(f"ghost{dials_us}{number}", listens=False))
            self.assertEqual(self.dialled(node), 2)
            (link or friend.links[-1]).close()
            self.run_for(0.5)
            self.assertEqual(self.dialled(node), 2)
            self.run_for(5)
            self.assertEqual(node.connected, [friend.peer_id])

    def dialled(self, node: ChatNode) -> int:
        return node.chat._contacts.dialer.count

    def test_known_peers_are_bounded(self) -> None:
        node = self.node(limits={"max_known_peers": 10})
        for number in range(50):
            node.discovers(self.legacy(f"peer{number}", listens=False))
        self.assertEqual(len(node.chat.known_ids()), 10)

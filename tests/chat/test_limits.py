"""How many may come in: in all, from one address, and without having said who they are."""

from tests.chat.cases import ChatCase, ChatNode
from tests.chat.scripted import ScriptedLink


class Limits(ChatCase):
    def silent(self, node: ChatNode, count: int, ip: str = "10.0.9.9") -> list[ScriptedLink]:
        """Open so many connections from one address that never say anything."""
        crowd = self.legacy("crowd", listens=False, ip=ip)
        return [crowd.dial(node.address, hello=False) for _ in range(count)]

    def speaker(self, node: ChatNode, name: str, ip: str = "10.0.9.9") -> ScriptedLink:
        return self.dialled_by(node, self.legacy(name, listens=False, ip=ip))

    def test_200_silent_connections_keep_out_nobody_from_the_same_address(self) -> None:
        node = self.node()
        self.silent(node, 200)
        self.run_for(0.1)
        self.assertLessEqual(node.chat.handshakes, 64)
        link = self.speaker(node, "honest")
        self.assertEqual(link.types[:1], ["HELLO_OK"])
        self.assertEqual(node.connected, ["honest@CIC"])

    def test_all_at_one_instant_the_bound_on_silent_ones_holds(self) -> None:
        node = self.node(limits={"max_handshakes_per_ip": 10})
        self.silent(node, 200)
        self.run_for(0.0011)
        self.assertEqual(node.chat.handshakes, 10)

    def test_the_oldest_silent_one_is_told_why_it_must_go(self) -> None:
        node = self.node(limits={"max_handshakes_per_ip": 2})
        first, second, third = self.silent(node, 3)
        self.run_for(0.1)
        self.assertEqual(first.types, ["HELLO_REJECT"])
        self.assertIn("too many", first.lines[0].message["reason"])
        self.assertIsNotNone(first.lost)
        self.assertEqual((second.lost, third.lost), (None, None))

    def test_silent_ones_of_another_address_stay(self) -> None:
        node = self.node(limits={"max_handshakes_per_ip": 2})
        others = self.silent(node, 2, ip="10.0.9.8")
        self.silent(node, 10)
        self.run_for(0.1)
        self.assertEqual([link.lost for link in others], [None, None])

    def test_silent_ones_are_gone_after_the_deadline(self) -> None:
        node = self.node()
        links = self.silent(node, 50)
        self.run_for(5.2)
        self.assertEqual(node.chat.handshakes, 0)
        self.assertNotIn(None, [link.lost for link in links])

    def test_links_of_one_address_are_bounded(self) -> None:
        node = self.node(limits={"max_links_per_ip": 3})
        links = [self.speaker(node, f"peer{number}") for number in range(5)]
        self.assertEqual([link.lost is None for link in links], [True, True, True, False, False])
        self.assertEqual(links[-1].types, [])
        elsewhere = self.speaker(node, "elsewhere", ip="10.0.9.8")
        self.assertIsNone(elsewhere.lost)
        links[0].close()
        self.run_for(0.1)
        self.assertIsNone(self.speaker(node, "later").lost)

    def test_links_in_all_are_bounded(self) -> None:
        node = self.node(limits={"max_links": 3})
        links = [self.speaker(node, f"peer{n}", ip=f"10.0.8.{n}") for n in range(5)]
        self.assertEqual([link.lost is None for link in links], [True, True, True, False, False])
        self.assertEqual(len(node.connected), 3)

    def test_links_that_we_dialled_are_not_counted_among_them(self) -> None:
        node = self.node(limits={"max_links": 1})
        self.dial(node, self.legacy("dialled"))
        self.speaker(node, "accepted")
        self.assertEqual(node.connected, ["accepted@CIC", "dialled@CIC"])

"""A node and the deployed programs of the archive, each as a fake, and those that mean it harm.

Whoever is at the node, its archive and that of an honest peer become the same through it.
"""

from collections.abc import Iterator
from typing import TypeVar

from tests.integration import archive_hostile as hostile
from tests.integration import archive_kinds as kinds
from tests.integration.archive_cases import ArchiveCase, published, texts_of, wait_for_texts
from tests.integration.archive_chain import grown
from tests.integration.archive_links import Kind
from tests.integration.archive_peers import HonestPeer, PlainPeer
from tests.integration.nodes import Node
from tests.integration.waiting import wait_until

#: An address that is written the wrong way round is one of this machine, too.
NODE, HONEST, OTHER, PROBE, ODD = (f"127.{number}.0.127" for number in range(1, 6))

KINDS = (
    PlainPeer,
    kinds.NeverAsking,
    kinds.SilentWhileEmpty,
    kinds.TakingAnything,
    kinds.NotificationFearing,
    kinds.Notifying,
    kinds.Introducing,
    kinds.Reversing,
)

VILLAINS = (
    hostile.Stalling,
    hostile.StallingInAList,
    hostile.Endless,
    hostile.EndlessList,
    hostile.Truncating,
    hostile.Dripping,
    hostile.Hasty,
    hostile.Deaf,
)

Villain = TypeVar("Villain", bound=PlainPeer)

#: What a node may grow by while it is attacked, in bytes: less than what it is sent.
ROOM = 8 << 20


class KindCase(ArchiveCase):
    def assert_unharmed(self, node: Node, *listed: str) -> None:
        """Check that it answers somebody new, listing who is there."""
        link = self.link(NODE, PROBE)
        link.ask_peers()
        addresses = link.wait_for(Kind.PEER_LIST).addresses
        self.assertLessEqual({*listed}, {*addresses})
        self.assertFalse({NODE, PROBE} & {*addresses})
        link.ask_archive()
        self.assertEqual(len(link.wait_for(Kind.ARCHIVE_RESPONSE).chain), len(texts_of(node)))
        link.close()

    def assert_talk(self, node: Node, *peers: PlainPeer) -> None:
        """Have everybody say something, which everybody must hear."""
        for peer in peers:
            text = f"{peer.name}, {len(peer.own)}"
            peer.say(text)
            for other in peers:
                other.wait_for(text)
            wait_for_texts(node, text)
        text = f"the node to {peers[-1].name}, {len(peers[-1].own)}"
        chat_id = node.data(f"/chat {text}")["chat_id"]
        for peer in peers:
            peer.wait_for(text)
        node.wait_for("chat", chat_id=chat_id, state="archived")

    def assert_content(self, *peers: PlainPeer) -> None:
        for peer in peers:
            self.assertEqual(peer.violations, [], peer.name)


class KindTests(KindCase):
    """Each program gets on with a node, whoever dials; and so do others through it."""

    def setUp(self) -> None:
        super().setUp()
        self.honest = self.peer(PlainPeer, HONEST)
        self.node = self.start_archive("alice", NODE, HONEST)

    def odd_peers(self, *hosts: str) -> Iterator[PlainPeer]:
        for number, program in enumerate(KINDS):
            peer = program(f"127.5.{number}.127", self.port, *hosts)
            try:
                yield peer
            finally:
                peer.close()

    def test_programs_that_we_dial(self) -> None:
        for peer in self.odd_peers():
            self.node.data(f"/connect {peer.address}")
            self.assertEqual(peer.next_link().host, NODE)
            self.assert_sociable(peer)

    def test_programs_that_dial_us(self) -> None:
        for peer in self.odd_peers(NODE):
            self.assert_sociable(peer)

    def test_programs_that_dial_us_while_we_dial_them(self) -> None:
        for peer in self.odd_peers(NODE):
            self.node.data(f"/connect {peer.address}")
            self.assert_sociable(peer)

    def assert_sociable(self, peer: PlainPeer) -> None:
        self.assert_talk(self.node, self.honest, peer)
        self.assert_unharmed(self.node, HONEST, peer.address)
        self.assert_content(self.honest, peer)
        self.assert_talk(self.node, self.honest, peer)
        self.node.wait_for("archive_peer", address=peer.address, state="connected")


class EmptyTests(KindCase):
    """Nobody has anything yet."""

    def test_nothing_unasked_and_no_answer_needed(self) -> None:
        quiet = (kinds.NeverAsking, kinds.SilentWhileEmpty, kinds.TakingAnything)
        peers = [self.peer(program, f"127.5.{number}.127") for number, program in enumerate(quiet)]
        node = self.start_archive("alice", NODE, *(peer.address for peer in peers))
        links = [peer.next_link() for peer in peers]
        for link in links:
            for _ in range(5):  # longer than the time a message may take
                link.wait_for(Kind.ARCHIVE_REQUEST)
            self.assertFalse(link.ended)
        self.assert_talk(node, *peers)
        self.assert_content(*peers)

    def test_what_a_program_has_is_not_thrown_away(self) -> None:
        peer = self.peer(kinds.TakingAnything, ODD)
        peer.adopt(grown((), "a", "b"))
        node = self.start_archive("alice", NODE, ODD)
        wait_for_texts(node, "a", "b")
        self.assertEqual(peer.texts, ["a", "b"])
        self.assert_content(peer)


class GossipTests(KindCase):
    def test_everything_is_asked_for_at_once(self) -> None:
        """Whether we dial or are dialled, and long before it is time to ask again."""
        dialled, dialling = self.peer(PlainPeer, HONEST), self.peer(PlainPeer, OTHER)
        seldom = {"peer_request_interval": 3600, "archive_request_interval": 3600}
        self.start_archive("alice", NODE, HONEST, **seldom)
        for link in (dialled.next_link(), dialling.dial(NODE)):
            link.wait_for(Kind.PEER_REQUEST)
            link.wait_for(Kind.ARCHIVE_REQUEST)

    def test_who_is_listed_is_dialled_from_our_address(self) -> None:
        """The other is known to the honest one, and the node only to that."""
        honest, other = self.peer(PlainPeer, HONEST), self.peer(PlainPeer, OTHER, HONEST)
        wait_until(lambda: honest.neighbours, "the other")
        node = self.start_archive("alice", NODE, HONEST)
        self.assertEqual(other.next_link().host, NODE)
        self.assert_unharmed(node, HONEST, OTHER)
        self.assert_content(honest, other)

    def test_addresses_that_nobody_has(self) -> None:
        """One writes them the wrong way round; nothing is said of them, and all goes on."""
        other = self.peer(PlainPeer, OTHER)
        odd = self.peer(kinds.Reversing, ODD, OTHER)
        wait_until(lambda: odd.neighbours, "the other")
        node = self.start_archive("alice", NODE, ODD)
        link = odd.next_link()
        for _ in range(3):
            link.wait_for(Kind.PEER_REQUEST)
        self.assert_talk(node, other, odd)
        self.assert_content(odd)
        wait_until(lambda: node.data("/archive")["connecting"] == 0, "an end of dialling")
        self.assertEqual(node.events("notice"), [])

    def test_honest_peers_find_everybody(self) -> None:
        honest = self.peer(HonestPeer, HONEST)
        other = self.peer(HonestPeer, OTHER)
        node = self.start_archive("alice", NODE, HONEST, OTHER)
        wait_until(lambda: OTHER in honest.neighbours, "each other by the node's lists")
        self.assert_talk(node, honest, other)
        self.assert_content(honest, other)

    def test_all_mine_at_the_same_time(self) -> None:
        """No program loses a chat to a race, for ours are mined again, and so are theirs."""
        honest = self.peer(HonestPeer, HONEST)
        other = self.peer(HonestPeer, OTHER, HONEST)
        node = self.start_archive("alice", NODE, HONEST, OTHER)
        wanted = []
        for number in range(5):
            for peer in (honest, other):
                peer.say(f"{peer.address} {number}")
            node.data(f"/chat alice {number}")
            wanted += [f"{HONEST} {number}", f"{OTHER} {number}", f"alice {number}"]
        for peer in (honest, other):
            peer.wait_for(*wanted)
        wait_for_texts(node, *wanted)
        self.assertEqual(sorted(texts_of(node)), sorted(wanted))
        self.assert_content(honest, other)


class NotificationTests(KindCase):
    def test_who_sends_notifications_is_told_of_what_is_invalid(self) -> None:
        peer = self.peer(kinds.Notifying, ODD, NODE)
        self.start_archive("alice", NODE)
        wait_until(lambda: peer.links, "a link")
        peer.links[0].wait_for(Kind.NOTIFICATION)
        self.assert_content(peer)


class HostileTests(KindCase):
    """Peers that mean harm, or are broken: the node works on, and the honest ones through it."""

    def setUp(self) -> None:
        super().setUp()
        self.honest, self.other = self.peer(PlainPeer, HONEST), self.peer(PlainPeer, OTHER, NODE)
        self.honest.adopt(published())
        self.node = self.start_archive("alice", NODE, HONEST, max_archive_bytes=1 << 20)
        wait_until(lambda: len(self.other.chain) == 1000, "the archive of the honest peer")
        self.memory = self.node.memory

    def assert_withstood(self, villain: PlainPeer) -> None:
        self.assert_talk(self.node, self.honest, self.other)
        self.assert_unharmed(self.node, HONEST, OTHER)
        self.assertLess(self.node.memory, self.memory + ROOM, villain.name)
        self.assert_content(self.honest, self.other)

    def attack(self, program: type[Villain]) -> Villain:
        """Have a villain that dials the node and is dialled by it; return when it is."""
        villain = self.peer(program, ODD, NODE)
        self.node.data(f"/connect {ODD}")
        wait_until(lambda: any(link.dialled for link in villain.links), "its own link")
        wait_until(lambda: any(not link.dialled for link in villain.links), "the node's link")
        return villain

    def assert_hung_up(self, villain: PlainPeer) -> None:
        """Wait until the node has hung up on its links of both kinds."""
        for link in villain.links:
            link.wait_for_end()

    def test_an_archive_of_four_billion_chats_that_never_comes(self) -> None:
        villain = self.attack(hostile.Stalling)
        self.assert_withstood(villain)
        self.assert_hung_up(villain)

    def test_a_list_of_four_billion_addresses_that_never_comes(self) -> None:
        villain = self.attack(hostile.StallingInAList)
        self.assert_withstood(villain)
        self.assert_hung_up(villain)

    def test_an_archive_without_end(self) -> None:
        villain = self.attack(hostile.Endless)
        self.assert_withstood(villain)
        self.assert_hung_up(villain)

    def test_a_list_without_end(self) -> None:
        self.assert_withstood(self.attack(hostile.EndlessList))

    def test_an_archive_that_ends_in_the_middle(self) -> None:
        self.assert_withstood(self.attack(hostile.Truncating))

    def test_a_byte_a_second(self) -> None:
        self.assert_withstood(self.attack(hostile.Dripping))

    def test_who_never_reads(self) -> None:
        villain = self.attack(hostile.Deaf)
        self.assert_withstood(villain)
        self.assert_hung_up(villain)

    def test_who_connects_and_closes(self) -> None:
        """It is dialled again with an introduction in front, once and never again (3.4)."""
        villain = self.peer(hostile.Hasty, ODD, NODE)
        self.node.data(f"/connect {ODD}")
        self.assert_withstood(villain)
        begun = [villain.first_bytes.take(lambda _: True, "a link") for _ in range(4)]
        self.assertEqual([byte == b"\0" for byte in begun], [False, True, False, False])
        self.assert_withstood(villain)

    def test_all_of_them_at_once(self) -> None:
        villains = [
            self.peer(program, f"127.5.{number}.127", NODE)
            for number, program in enumerate(VILLAINS)
        ]
        for villain in villains:
            self.node.data(f"/connect {villain.address}")
        wait_until(lambda: all(villain.links for villain in villains), "all of them")
        for villain in villains:
            self.assert_withstood(villain)

"""Real nodes share an archive: mining at the same time, killed, cut off from each other, back."""

import json
from collections.abc import Sequence
from pathlib import Path

from tests.integration.archive_cases import ArchiveCase, published, texts_of, wait_for_texts
from tests.integration.archive_chain import Chain, is_valid, split, texts
from tests.integration.nodes import Node
from tests.integration.programs import HERE, free_port
from tests.integration.waiting import wait_until

#: Where the nodes of a test are, and what they are called.
PLACES = {
    name: f"127.0.0.{number}"
    for number, name in enumerate(("alice", "bob", "carol", "dave", "erin"), 2)
}

#: How long a crowd may take to agree, in seconds: lost races are run again, on a busy machine.
AGREEMENT = 90.0


def stored(home: Path) -> Chain:
    """Read the archive's file of the only node that lives here."""
    return split(data_file(home, "archive.bin").read_bytes())


def data_file(home: Path, name: str) -> Path:
    return next(home.rglob(name))


def forget_peers(home: Path) -> None:
    """Let the node that lives here try nobody of an earlier run."""
    for path in home.rglob("history.db*"):
        path.unlink()


class NodesCase(ArchiveCase):
    def start_at(self, name: str, *others: str) -> Node:
        """Start a node on its place that dials these by name."""
        return self.start_archive(name, PLACES[name], *(PLACES[other] for other in others))

    def say(self, node: Node, *texts: str) -> list[int]:
        """Enter chats; return their ids."""
        return [node.data(f"/chat {text}")["chat_id"] for text in texts]

    def wait_for_states(self, node: Node, chat_ids: Sequence[int], state: str) -> None:
        for chat_id in chat_ids:
            node.wait_for("chat", AGREEMENT, chat_id=chat_id, state=state)

    def assert_agreed(self, nodes: Sequence[Node], wanted: Sequence[str]) -> None:
        """Wait until all have the same archive, with each text once and nothing else."""

        def is_so() -> bool:
            archives = [node.data("/archive") for node in nodes]
            waiting = [chat for one in archives for chat in one["chats"] if not chat["height"]]
            same = len({one["tip"] for one in archives}) == 1
            return same and not waiting and archives[0]["height"] >= len(wanted)

        wait_until(is_so, f"{len(wanted)} chats everywhere", AGREEMENT)
        for node in nodes:
            self.assertEqual(sorted(texts_of(node)), sorted(wanted), node.home.name)
            self.assertIsNone(node.data("/val")["invalid"])

    def assert_stored(self, nodes: Sequence[Node], wanted: Sequence[str]) -> None:
        """End the nodes; their files must hold the same, and be valid by a plain reading."""
        self.quit(nodes)
        files = {stored(node.home) for node in nodes}
        self.assertEqual(len(files), 1)
        for chain in files:
            self.assertTrue(is_valid(chain))
            self.assertEqual(sorted(texts(chain)), sorted(wanted))

    def quit(self, nodes: Sequence[Node]) -> None:
        for node in nodes:
            node.ask("/quit")
        for node in nodes:
            self.assertEqual(node.wait_for_exit(), 0)


class PairTests(NodesCase):
    def test_two_nodes_share_chats_and_restarts_keep_them(self) -> None:
        alice, bob = self.start_at("alice"), self.start_at("bob", "alice")
        self.wait_for_states(alice, self.say(alice, "from alice"), "confirmed")
        self.wait_for_states(bob, self.say(bob, "from bob", "bob again"), "confirmed")
        wanted = ["from alice", "from bob", "bob again"]
        self.assert_agreed([alice, bob], wanted)
        self.assertEqual(texts_of(alice), wanted)
        self.assert_stored([alice, bob], wanted)
        bob = self.start_at("bob", "alice")
        self.assertEqual(texts_of(bob), wanted)  # nobody else is there
        self.assertEqual(bob.wait_for("archive")["source"], "file")
        alice = self.start_at("alice")
        self.say(alice, "after all")
        self.assert_agreed([alice, bob], [*wanted, "after all"])

    def test_a_peer_named_as_soon_as_possible(self) -> None:
        """The archive may still be being read then."""
        self.say(self.start_at("alice"), "from alice")
        options = ("--archive-bind", PLACES["bob"], "--archive-port", str(self.port))
        place = ("--bind", HERE, "--port", str(free_port()), "--no-rendezvous")
        bob = self.start_in(self.home("bob"), "--name", "bob", *place, *options)
        bob.data(f"/connect {PLACES['alice']}")
        wait_for_texts(bob, "from alice")

    def test_peers_of_the_live_chat_share_their_archives(self) -> None:
        """Discovery of one protocol feeds the other: HELLO tells who has an archive."""
        nodes = []
        for name in ("alice", "bob"):
            place = ("--bind", PLACES[name], "--archive-port", str(self.port))
            nodes.append(self.start_ready(name, *place))
        alice, bob = nodes
        bob.discover(alice.peer_id)
        alice.wait_for("peer_up", peer_id=bob.peer_id)
        self.say(alice, "from alice")
        self.say(bob, "from bob")
        self.assert_agreed(nodes, ["from alice", "from bob"])


class CrowdTests(NodesCase):
    def start_all(self) -> dict[str, Node]:
        """Start five nodes, each of which knows one other."""
        names = list(PLACES)
        return {
            name: self.start_at(name, *names[number - 1 : number])
            for number, name in enumerate(names)
        }

    def test_five_nodes_mine_at_the_same_time(self) -> None:
        nodes = self.start_all()
        wanted = []
        for number in range(6):
            for name, node in nodes.items():
                self.say(node, f"{name} {number}")
                wanted.append(f"{name} {number}")
        self.assert_agreed([*nodes.values()], wanted)
        self.assert_stored([*nodes.values()], wanted)

    def test_one_is_killed_in_the_middle_and_comes_back(self) -> None:
        nodes = self.start_all()
        said = {name: [f"{name} {number}" for number in range(20)] for name in PLACES}
        for node, chats in zip(nodes.values(), said.values(), strict=True):
            self.say(node, *chats)
        carol = nodes.pop("carol")
        own = wait_until(lambda: _own(carol, said["carol"][-1]), "Carol's chats in her file")
        carol.wait_for("chat", state="archived")
        carol.kill()
        reported = {event["text"] for event in carol.events("chat", state="archived")}
        self.assertLessEqual(reported, {*texts(stored(carol.home))} | {*own})
        others = [text for name, chats in said.items() if name != "carol" for text in chats]
        for node in nodes.values():
            wait_for_texts(node, *others)
        nodes["carol"] = self.start_at("carol", "bob")
        self.assert_agreed([*nodes.values()], [*others, *said["carol"]])
        self.assert_stored([*nodes.values()], [*others, *said["carol"]])


def _own(node: Node, last: str) -> list[str]:
    """Return the texts in a node's file of its own chats, as soon as this one is there."""
    lines = [line for path in node.home.rglob("archive-own.jsonl") for line in path.open()]
    kept = [str(json.loads(line)["text"]) for line in lines]
    return kept if last in kept else []


class PartitionTests(NodesCase):
    def test_one_half_grows_more(self) -> None:
        self.assert_no_chat_is_lost(3, 7)

    def test_both_halves_grow_alike(self) -> None:
        self.assert_no_chat_is_lost(4, 4)

    def assert_no_chat_is_lost(self, *growths: int) -> None:
        """Have two pairs that were together grow apart, each so much, and meet again."""
        pairs = (("alice", "bob"), ("carol", "dave"))
        together = [self.start_at("alice"), self.start_at("bob", "alice")]
        together += [self.start_at("carol", "bob"), self.start_at("dave", "carol")]
        wanted = ["in the beginning", "there was one"]
        for text in wanted:
            self.say(together[0], text)
        self.assert_agreed(together, wanted)
        self.quit(together)
        for node in together:
            forget_peers(node.home)
        halves = []
        for pair, growth in zip(pairs, growths, strict=True):
            half = [self.start_at(pair[0]), self.start_at(pair[1], pair[0])]
            apart = [f"{name} {number}" for name in pair for number in range(growth)]
            for node in half:
                self.say(node, *(text for text in apart if text.startswith(node.home.name)))
            self.assert_agreed(half, ["in the beginning", "there was one", *apart])
            wanted += apart
            halves.append(half)
        halves[0][1].data(f"/connect {PLACES['carol']}")
        self.assert_agreed([*halves[0], *halves[1]], wanted)
        self.assert_stored([*halves[0], *halves[1]], wanted)


class OneMachineTests(NodesCase):
    """Three nodes without addresses of their own: one has the port, the others link to it."""

    def test_the_port_is_shared_and_taken_over(self) -> None:
        nodes = {name: self.start_archive(name, "") for name in ("alice", "bob", "carol")}
        alice, bob, carol = nodes.values()
        self.assertEqual(self.ports(nodes), {"alice": self.port, "bob": 0, "carol": 0})
        for node in (bob, carol):
            said = node.wait_for("notice", level="info")["text"]
            self.assertIn(f"port {self.port} is in use", said)
        self.assertEqual(alice.events("notice"), [])
        wanted = self.assert_all_share(nodes, [])
        alice.kill()
        del nodes["alice"]
        wait_until(lambda: self.port in self.ports(nodes).values(), "another one with the port")
        self.assertEqual(sorted(self.ports(nodes).values()), [0, self.port])
        heir = bob if self.ports(nodes)["bob"] else carol
        heir.wait_for("notice", text=f"the archive's port {self.port} is ours now")
        wanted = self.assert_all_share(nodes, wanted)
        nodes["alice"] = self.start_archive("alice", "")
        self.assertEqual(self.ports(nodes)["alice"], 0)
        self.assert_all_share(nodes, wanted)

    def ports(self, nodes: dict[str, Node]) -> dict[str, int]:
        return {name: node.data("/archive")["port"] for name, node in nodes.items()}

    def assert_all_share(self, nodes: dict[str, Node], before: list[str]) -> list[str]:
        """Have each say something; return all that was ever said."""
        new = [f"{name} {len(before)}" for name in nodes]
        for node, text in zip(nodes.values(), new, strict=True):
            self.say(node, text)
        self.assert_agreed([*nodes.values()], [*before, *new])
        return [*before, *new]


class PendingTests(NodesCase):
    """What waits to be mined when a node ends is mined when it is back."""

    wanted = tuple(f"chat {number}" for number in range(100))

    def test_after_a_kill(self) -> None:
        alice = self.busy_node()
        wait_until(lambda: _own(alice, self.wanted[-1]), "her chats in her file")
        alice.kill()
        self.assert_mined_in_the_end(alice)

    def test_after_a_signal(self) -> None:
        alice = self.busy_node()
        alice.terminate()
        alice.wait_for_exit()
        self.assert_mined_in_the_end(alice)

    def busy_node(self) -> Node:
        """Start a node that has a lot to mine, all entered at once."""
        alice = self.start_at("alice")
        alice.enter("\n".join(f"/chat {text}" for text in self.wanted))
        alice.wait_for("chat", state="mining", text=self.wanted[-1])
        alice.wait_for("chat", state="archived")
        return alice

    def assert_mined_in_the_end(self, alice: Node) -> None:
        reported = [event["text"] for event in alice.events("chat", state="archived")]
        mined = texts(stored(alice.home))
        self.assertEqual(mined[: len(reported)], reported)
        self.assertLess(len(mined), len(self.wanted))
        alice = self.start_at("alice")
        self.assert_agreed([alice], self.wanted)
        self.assertEqual(texts_of(alice), [*self.wanted])


class DamageTests(NodesCase):
    """A file that is not what it should be: the user is told, and what is valid of it is used."""

    def test_garbage_in_the_file(self) -> None:
        whole = b"".join(published())
        place = len(b"".join(published()[:500])) + 5
        changed = whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
        bob = self.start_at("bob", "alice")
        self.quit([self.start_at("alice")])
        alice = self.start_damaged(whole + b"\xff" * 10, "ends in the middle of chat 1001", 1000)
        self.say(alice, "as good as new")
        self.assert_agreed([alice, bob], [*texts(published()), "as good as new"])
        for data, complaint, left in (
            (whole[:-20], "ends in the middle of chat 1000", 999),
            (changed, "has an invalid chat, number 501 of 1000", 500),
            (b"What is this? " * 100, "has an invalid chat, number 1 of ", 0),
        ):
            self.quit([alice])
            alice = self.start_damaged(data, complaint, left)
            self.assert_agreed([alice, bob], [*texts(published()), "as good as new"])

    def start_damaged(self, data: bytes, complaint: str, left: int) -> Node:
        """Start Alice's node, which finds this in its file and can use so many chats of it."""
        home = self.home("alice")
        data_file(home, "lock").with_name("archive.bin").write_bytes(data)
        alice = self.start_at("alice")
        notice = alice.wait_for("notice", level="warning")["text"]
        self.assertIn(f"archive.bin {complaint}", notice)
        self.assertIn(f"; {left} chats are left", notice)
        self.assertIn(data, [bad.read_bytes() for bad in home.rglob("archive.bin.bad*")])
        return alice

"""Archives on a simulated network: races, partitions, crashes, full disks; no chat is lost."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.api import ArchivePeerInfo
from p2pchat.config import Archive as Settings
from p2pchat.events import ArchiveGrew, Notice
from p2pchat.history import Bounds
from p2pchat.store.memory import MemoryHistory
from tests.archive.mined import easy_proof
from tests.at_once import at_once
from tests.simulation.archives import (
    ArchiveNode,
    all_equal,
    check_nothing_lost,
    check_stopped,
    have_same_height,
    is_quiet,
    make_archives,
    texts,
)
from tests.simulation.network import Network
from tests.simulation.nodes import START, SimulatedNode, make_nodes

#: Times of a network on which many mine at the same moment; in seconds.
SLOW = {"thread_time": (0.0, 0.3), "latency": (0.2, 0.3)}


class ArchiveCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.enterContext(easy_proof())

    def start(self, seed: int, count: int, **conditions: object) -> None:
        """Start nodes that know the next one and the first one, and let them find each other."""
        self.network = Network(seed, **conditions)
        peers = {number: {number % count + 1, 1} - {number} for number in range(1, count + 1)}
        self.nodes = make_archives(self.network, count, peers)
        for node in self.nodes:
            node.start()

    def meet(self, seed: int, count: int, **conditions: object) -> None:
        self.start(seed, count, **conditions)
        self.network.run_until(
            lambda: all(len(node.linked_to()) == count - 1 for node in self.nodes), 60
        )

    def settle(self, nodes: list[ArchiveNode] | None = None, limit: float = 120) -> None:
        """Let time pass until all hold the same and nobody has anything to do."""
        nodes = nodes or self.nodes
        self.network.run_until(lambda: is_quiet(nodes) and all_equal(nodes), limit)

    def partition(self, *names: int) -> None:
        """Separate these from all others, by their numbers."""
        left = {f"10.0.0.{number}" for number in names}
        self.network.partition(left, {node.ip for node in self.nodes} - left)

    def finish(self) -> None:
        """Check what must hold in the end, then let all leave."""
        check_nothing_lost(self.nodes)
        for node in self.nodes:
            node.stop()
        self.network.advance(10)
        check_stopped(self.network, self.nodes)
        self.assertEqual(self.network.errors, [], f"seed {self.network.seed}")


class RaceTests(ArchiveCase):
    """Several mine at the same moment."""

    def test_ten_nodes_with_chats_of_their_own(self) -> None:
        self.meet(1, count=10, thread_time=(0.0, 0.3))
        for number in range(2):
            for node in self.nodes:
                node.post(f"{node.name} {number}")
        self.settle()
        self.network.advance(20)
        self.assertEqual(self.nodes[0].archive.height, 20)
        for node in self.nodes:
            for number in range(2):
                self.assertEqual(node.states(f"{node.name} {number}")[-1], "confirmed")
        self.finish()

    def test_ten_nodes_that_mine_faster_than_they_hear_of_each_other(self) -> None:
        """Each mines all its chats before it learns of another's; then they take turns."""
        self.meet(1, count=10, thread_time=(0.0, 0.002), latency=(0.001, 0.005))
        for number in range(3):
            for node in self.nodes:
                node.post(f"{node.name} {number}")
        self.settle(limit=3)
        self.assertEqual(self.nodes[0].archive.height, 30)
        for node in self.nodes:
            for number in range(3):
                states = node.states(f"{node.name} {number}")
                self.assertLessEqual(states.count("displaced"), 4)
        self.finish()

    def test_ties_end(self) -> None:
        for seed in range(30):
            self.meet(seed, count=2 + seed % 3, **SLOW)
            for node in self.nodes:
                node.post(f"{node.name}")
            self.settle(limit=30)
            self.finish()

    def test_authors_that_know_each_other_through_a_third_only(self) -> None:
        for seed in range(10):
            self.start(seed, count=3, **SLOW)
            self.network.partition([self.nodes[0].ip], [self.nodes[1].ip])
            self.network.advance(30)
            self.assertNotIn(self.nodes[1].ip, self.nodes[0].linked_to())
            for node in self.nodes[:2]:
                node.post(node.name)
            self.settle(limit=30)
            self.finish()

    def test_tie_that_no_author_sees_ends_with_the_next_chat(self) -> None:
        """In a line of four the two in the middle keep what they have, as everybody must."""
        self.start(3, count=4, latency=(0.01, 0.02))
        one, two, three, four = (node.ip for node in self.nodes)
        self.network.partition([one], [three, four])
        self.network.partition([two], [four])
        self.network.advance(30)
        self.nodes[0].post("left")
        self.nodes[3].post("right")
        self.network.advance(30)
        self.assertEqual([node.archive.height for node in self.nodes], [1, 1, 1, 1])
        self.assertEqual(texts(self.nodes[1].archive), ["left"])
        self.assertEqual(texts(self.nodes[2].archive), ["right"])
        self.nodes[1].post("next")
        self.settle(limit=30)
        self.assertEqual(self.nodes[3].states("right")[-1], "confirmed")
        self.finish()

    def test_author_of_the_rival_is_gone(self) -> None:
        for seed in range(10):
            self.meet(seed, count=3, **SLOW)
            gone, author, _ = self.nodes
            gone.post("gone")
            author.post("here")
            self.network.run_until(
                lambda gone=gone, author=author: gone.archive.height and author.archive.height, 10
            )
            self.network.advance(0.3)  # time for both to reach the third
            gone.crash()
            self.settle(self.nodes[1:], limit=60)
            check_nothing_lost(self.nodes[1:])
            gone.start()
            self.settle(limit=60)
            self.finish()


class LossTests(ArchiveCase):
    """Networks that part, processes that end, disks that are full."""

    def test_two_halves_grow_and_meet_again(self) -> None:
        for seed in range(3):
            self.meet(seed, count=6, thread_time=(0.0, 0.2))
            self.partition(1, 2, 3)
            for number in range(3):
                for node in self.nodes:
                    node.post(f"{node.name} {number}")
                self.network.advance(2)
            self.settle(self.nodes[:3])
            self.settle(self.nodes[3:])
            self.assertFalse(all_equal(self.nodes))
            self.network.heal()
            self.settle()
            self.finish()
            events = [event for node in self.nodes for event in node.events]
            grown = [event for event in events if isinstance(event, ArchiveGrew)]
            self.assertGreaterEqual(max(event.dropped for event in grown), 9)

    def test_what_was_reported_survives_a_crash_of_everybody(self) -> None:
        self.meet(2, count=3, thread_time=(0.0, 0.1))
        for node in self.nodes:
            for number in range(3):
                node.post(f"{node.name} {number}")
        self.network.run_until(lambda: any(node.promised for node in self.nodes), 30)
        for node in self.nodes:
            node.crash()
        for node in self.nodes:
            node.start()
        self.settle()
        self.finish()

    def test_crash_at_any_moment_of_a_chats_life(self) -> None:
        for tenths in range(1, 13):
            self.meet(4, count=3, thread_time=(0.1, 0.4))
            author, *others = self.nodes
            author.post("mine")
            others[0].post("other")
            self.network.advance(tenths / 10)
            author.crash()
            self.network.advance(2)
            others[1].post("third")
            self.network.advance(5)
            author.start()
            self.settle()
            if tenths > 8:  # a write under way, and ours behind it
                self.assertIn("mine", author.posted)
            self.finish()

    def test_chat_before_the_disk_is_read_survives_leaving_at_once(self) -> None:
        self.network = Network(1, thread_time=(0.5, 0.6))
        self.nodes = make_archives(self.network, 1, {})
        (node,) = self.nodes
        for number in range(3):
            node.start()
            node.post(f"early {number}")
            node.stop()
        node.start()
        self.network.advance(10)
        self.assertEqual(texts(node.archive), ["early 0", "early 1", "early 2"])
        self.finish()

    def test_full_disk_keeps_nothing_from_others_and_promises_nothing(self) -> None:
        self.meet(8, count=3)
        author = self.nodes[0]
        author.disk.full = True
        author.post("mine")
        self.network.advance(30)
        self.assertTrue(all_equal(self.nodes))
        self.assertEqual(author.promised, set())
        self.assertEqual(len([e for e in author.events if isinstance(e, Notice)]), 1)
        author.disk.full = False
        self.network.advance(10)
        self.assertEqual(author.promised, {"mine"})
        self.finish()

    def test_newcomer_with_a_long_archive_of_its_own(self) -> None:
        self.meet(9, count=4)
        self.partition(4)
        for number in range(40):
            self.nodes[3].post(f"alone {number}")
        self.nodes[0].post("together")
        self.settle([self.nodes[3]])
        self.settle(self.nodes[:3])
        self.network.heal()
        self.settle()
        self.assertEqual(self.nodes[0].archive.height, 41)
        self.finish()


class ChurnTests(ArchiveCase):
    """Some simulated minutes in which everything happens."""

    def test_no_chat_is_lost(self) -> None:
        for seed, conditions in enumerate(({}, {"latency": (0.1, 0.4)}, {"thread_time": (0, 3)})):
            self.churn(seed, count=6, times=30, **conditions)
            self.network.run_until(
                lambda: is_quiet(self.nodes) and have_same_height(self.nodes), limit_seconds=300
            )
            self.network.advance(30)
            check_nothing_lost(self.nodes)
            self.settle(limit=60)
            self.finish()

    def test_no_chat_of_eight_nodes_is_lost(self) -> None:
        """Each has several of its own behind all that it had while the network failed."""
        self.churn(10, count=8, times=25)
        for node in self.nodes:
            for number in range(3):
                node.post(f"{node.name} at last {number}")
        self.settle(limit=300)
        self.network.advance(30)
        self.assertGreater(self.nodes[0].archive.height, 30)
        self.finish()

    def test_same_seed_same_log(self) -> None:
        digests = []
        for seed in (6, 6, 7):
            self.churn(seed, count=4, times=20)
            digests.append(self.network.digest)
        self.assertEqual(digests[0], digests[1])
        self.assertNotEqual(digests[0], digests[2])

    def churn(self, seed: int, count: int, times: int, **conditions: object) -> None:
        times_of_all = {"thread_time": (0.0, 0.5), "resets": 0.003, "chunking": 0.5}
        self.start(seed, count, **(times_of_all | conditions))
        for _ in range(times):
            self.network.advance(self.network.random.uniform(0.1, 4))
            self._stir()
        self.network.heal()
        self.network.conditions.resets = 0.0
        for node in self.nodes:
            node.disk.full = False
            if node.service is None:
                node.start()

    def _stir(self) -> None:
        """Let one of the things happen that happen to networks, or somebody say something."""
        random = self.network.random
        node, chance = random.choice(self.nodes), random.random()
        if node.service is None:
            node.start()
        elif chance < 0.1:
            node.crash()
        elif chance < 0.13:
            node.stop()
        elif chance < 0.18:
            node.disk.full = not node.disk.full
        elif chance < 0.24:
            self.network.heal()
        elif chance < 0.3:
            numbers = range(1, len(self.nodes) + 1)
            self.partition(*random.sample(numbers, random.randint(1, len(numbers) // 2)))
        else:
            for author in random.sample(self.nodes, random.randint(1, 3)):
                if author.service is not None:
                    author.post(f"{author.name} {self.network.clock.now:.3f}")


class RealProofTests(ArchiveCase):
    """With the proof of work that all the world wants."""

    def setUp(self) -> None:
        """Make nothing easy."""

    def test_four_nodes(self) -> None:
        self.meet(5, count=4, **SLOW)
        for node in self.nodes:
            node.post(node.name)
        self.settle()
        for node in self.nodes:
            self.assertTrue(node.archive.chat(3).digest.startswith(b"\0\0"))
        self.finish()


class WholeNodeTests(SynchronousTestCase):
    """Nodes that know each other by the live chat alone."""

    def test_one_protocol_finds_peers_for_the_other(self) -> None:
        self.enterContext(easy_proof())
        network = Network(3)
        nodes = make_nodes(network, 4, archive=Settings())
        for node in nodes:
            node.start()
        network.run_until(lambda: all(len(archive_peers(node)) == 3 for node in nodes), 60)
        for node in nodes:
            node.running.archive.chat(f"by {node.name}")
        network.run_until(lambda: [written(node) for node in nodes] == [WRITTEN] * 4, 60)
        nodes[3].crash()
        network.advance(90)
        nodes[3].start()  # with nothing remembered
        network.run_until(lambda: written(nodes[3]) == WRITTEN, 60)
        for node in nodes:
            node.stop()
        self.assertEqual(network.errors, [])

    def test_peers_of_an_earlier_run_are_tried_again(self) -> None:
        self.enterContext(easy_proof())
        network = Network(4)
        first, second, third = make_nodes(network, 3, archive=Settings())
        first.start()  # serves the rendezvous, by which the others meet
        second.start()
        third.start()
        network.run_until(lambda: third.ip in remembered(second), 60)
        for node in (first, second, third):
            node.crash()
        third.history = None  # it remembers nobody
        second.history = history_with(second, at_once(second.history.archive_peers()))
        third.start()
        second.start()
        network.run_until(lambda: len(archive_peers(third)) == 1, 60)


WRITTEN = ["by n1", "by n2", "by n3", "by n4"]


def archive_peers(node: SimulatedNode) -> list[ArchivePeerInfo]:
    return node.running.archive.info().peers


def remembered(node: SimulatedNode) -> list[str]:
    """Return whom a node would try again after a restart."""
    assert node.history is not None
    return at_once(node.history.archive_peers())


def history_with(node: SimulatedNode, archive_peers: list[str]) -> MemoryHistory:
    """Make a history that remembers peers of the archive and nothing else."""
    history = MemoryHistory(Clock(), node.peer_id, Bounds(), lambda: START)
    at_once(history.open())
    for host in archive_peers:
        at_once(history.archive_peer_seen(host, START))
    at_once(history.close())
    return history


def written(node: SimulatedNode) -> list[str]:
    """Return what stands in a node's archive, sorted."""
    return sorted(chat.text for chat in node.running.archive.history(None))

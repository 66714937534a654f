"""A world: machines, nodes and strangers on one simulated network, to which a plan happens."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from gc import collect
from typing import Any, NamedTuple

from p2pchat.archive.archive import Archive
from p2pchat.events import Event
from p2pchat.identity import PeerId
from p2pchat.rendezvous.registry import MemoryRegistry
from p2pchat.rendezvous.server import RendezvousFactory
from tests.simulation.connection import StreamSocket
from tests.simulation.network import Network
from tests.simulation.world import invariants
from tests.simulation.world.archive_programs import REPLICATING
from tests.simulation.world.archive_strangers import ArchiveLink
from tests.simulation.world.deployed import DEPLOYED
from tests.simulation.world.inhabitant import (
    ABSENT,
    RENDEZVOUS,
    SECOND_RENDEZVOUS,
    Inhabitant,
)
from tests.simulation.world.odd_rendezvous import OddServer
from tests.simulation.world.plans import Plan, Step
from tests.simulation.world.publications import Publications
from tests.simulation.world.strangers import CHAT, Link, Stranger

#: Seconds that a mended world has until nothing is under way any more, and that it stays so.
LONGEST_SETTLING = 1800.0
QUIET = 30.0

#: How often a world is looked at that settles or leaves, in seconds.
LOOK = 5.0

#: What strangers do on their links, but for those that are broken peers of the archive.
LINKS: dict[str, Link] = {**CHAT, **DEPLOYED, **REPLICATING}

#: How many violations of one kind are noted.
MAX_NOTED = 5


class Violation(NamedTuple):
    """An invariant, by its function's name, that did not hold at that time."""

    name: str
    time: float
    what: str

    def __str__(self) -> str:
        return f"{self.time:.2f} s: {self.name}: {self.what}"


class World:
    """What a plan happens to. `said` tells who said each text, and to whom.

    `tamper` is called with each node that was started, for tests of the invariants.
    """

    def __init__(
        self, plan: Plan, *, log_lines: int = 0, tamper: Callable[[Inhabitant], None] | None = None
    ) -> None:
        self.plan = plan
        self.network = Network(plan.seed, log_lines=log_lines, window=16_384)
        self.nodes: dict[int, Inhabitant] = {}
        self.strangers: list[Stranger] = []
        self.said: dict[str, tuple[str, str]] = {}
        self.publications = Publications()
        self.checked: dict[int, Archive] = {}
        self.forgotten: list[StreamSocket] = []
        self.errors_seen = 0
        self.fullest: dict[str, float] = defaultdict(float)
        self.violations: list[Violation] = []
        self.counts: Counter[str] = Counter()
        self._by_id: dict[str, Inhabitant] = {}
        self._tamper = tamper
        self._servers: tuple[str, ...] = (f"{RENDEZVOUS}:8080",)
        self._odd = False
        self.start_rendezvous()

    # From the outside

    def live(self) -> list[Violation]:
        """Let the whole plan happen, mend everything, let it settle, and stop all nodes."""
        for step in self.plan.steps:
            self.network.advance(max(0.0, step.at - self.network.clock.now))
            self.perform(step)
            self._check(invariants.AT_ANY_MOMENT)
        self.network.advance(max(0.0, 60 * self.plan.minutes - self.network.clock.now))
        self._mend()
        self._settle()
        self._check(invariants.AT_ANY_MOMENT + invariants.AT_THE_END)
        self._say_last_words()
        self._settle()
        self._check(invariants.AT_ANY_MOMENT + invariants.AFTER_THE_LAST_WORDS)
        self._leave()
        return self.violations

    def perform(self, step: Step) -> None:
        """Let one step happen; without effect where it makes no sense."""
        self.network.trace(f"step {step}")
        self.counts[step.verb] += 1
        args: list[Any] = list(step.args)
        if step.verb in _OF_A_NODE:
            node = self._node(args[0], make=step.verb == "start")
            if node is None:
                return
            args[0] = node
        if step.verb in _SPEAKING:
            args.append(step.number)
        getattr(self, step.verb)(*args)

    # What the invariants look at

    def honest(self, peer_id: str) -> Inhabitant | None:
        """Return the node of that name."""
        return self._by_id.get(peer_id)

    def is_node(self, ip: str) -> bool:
        """Tell whether a node is there, and not a stranger."""
        return any(node.ip == ip for node in self.nodes.values())

    def archives(self) -> Iterator[Archive]:
        """Yield the archive of each node that runs."""
        return (held for node in self.nodes.values() if (held := node.held_archive) is not None)

    def tips(self) -> Iterator[tuple[int, str]]:
        """Yield the height and the tip of each of them."""
        return ((archive.height, archive.tip) for archive in self.archives())

    def acknowledged(self, node_id: str, stranger: str, msg_id: str) -> None:
        """A node told a stranger that it has a message; then it is on its disk."""
        node = self.honest(node_id)
        if node is not None and node.disk.received(stranger, msg_id) is None:
            self._note("is_stored_when_promised", f"{node} acknowledged {msg_id!r} of {stranger}")

    def judge(self, peer_id: str) -> Stranger | None:
        """Return the deployed program of that name, if it is one that answers honestly."""
        judges = (one for one in self.strangers if one.kind in DEPLOYED)
        return next((one for one in judges if one.peer_id == peer_id), None)

    def hurt(self, what: str) -> None:
        """Note what a deployed program could not live with."""
        self._note("deployed_programs_live", what)

    # The verbs of plans

    def start(self, node: Inhabitant) -> None:
        if node.state == ABSENT:
            node.servers = self._servers
            node.start()
            if self._tamper is not None:
                self._tamper(node)

    def crash(self, node: Inhabitant) -> None:
        node.crash()

    def move(self, node: Inhabitant, port: int) -> None:
        node.port = port  # from its next start on

    def stop(self, node: Inhabitant) -> None:
        node.stop()

    def drift(self, node: Inhabitant, rate: float) -> None:
        node.drift = rate

    def set_clock(self, node: Inhabitant, seconds: float) -> None:
        node.ahead += seconds

    def say(self, node: Inhabitant, to: int, count: int, *rest: int) -> None:
        """Say texts, of that length at the least; the number of the step comes last."""
        *length, number = rest
        other = self._node(to)
        if other is None or other is node:
            return
        for at in range(count):
            self._say(node, other, f"{node} to {other}, {number}.{at}".ljust(*length or [0], "."))

    def tell(self, node: Inhabitant, stranger: int, count: int, number: int) -> None:
        """Say something to a deployed program, by its number."""
        other = self.judge(f"x{stranger}@CIC")
        for at in range(count if other is not None else 0):
            node.say(PeerId(other.peer_id), f"{node} to {other.name}, {number}.{at}")

    def publish(self, node: Inhabitant, target: str, number: int) -> None:
        self._publish(node, target, f"{node} to {target}, {number}")

    def chat(self, node: Inhabitant, count: int, number: int) -> None:
        for at in range(count):
            node.post(f"{node} chats {number}.{at}")

    def part(self, *numbers: int) -> None:
        left = [f"10.0.0.{number}" for number in numbers]
        left += [one.ip for one in self.strangers if (one.number + len(numbers)) % 2]
        right = {node.ip for node in self.nodes.values()} | {s.ip for s in self.strangers}
        self.network.partition(left, (right | {RENDEZVOUS, SECOND_RENDEZVOUS}) - set(left))

    def heal(self) -> None:
        self.network.heal()

    def cut(self, which: float) -> None:
        connections = self.network.connections()
        if connections:
            self.network.cut(connections[int(which * len(connections))])

    def forget(self, which: float) -> None:
        connections = self.network.connections()
        if connections:
            connection = connections[int(which * len(connections))]
            self.forgotten.append(connection)
            self.network.half_open(connection)

    def weather(
        self, latency: float, bandwidth: int, chunking: float, resets: float, slowest: float
    ) -> None:
        conditions = self.network.conditions
        conditions.latency = (latency / 10, latency)
        conditions.bandwidth = (bandwidth / 2, bandwidth) if bandwidth else None
        conditions.chunking, conditions.resets = chunking, resets
        conditions.thread_time = (0.0, slowest)

    def shelter(self, node: Inhabitant, answer: Any) -> None:
        self.network.shelter(node.ip, answer)

    def unshelter(self, node: Inhabitant) -> None:
        self.network.shelter(node.ip, "")

    def fill_disk(self, node: Inhabitant) -> None:
        node.disk.full = True

    def free_disk(self, node: Inhabitant) -> None:
        node.disk.full = False

    def stop_rendezvous(self) -> None:
        self.network.crash(RENDEZVOUS)

    def start_rendezvous(self) -> None:
        """Have a good server, which knows nobody, unless there is one."""
        if self._odd:
            self.stop_rendezvous()
        self._odd = False
        host = self.network.host(RENDEZVOUS)
        if not host.getReaders():
            host.listenTCP(8080, RendezvousFactory(host, MemoryRegistry(host.seconds)))

    def spoil_rendezvous(self, kind: str) -> None:
        """Have an odd server in the place of the good one."""
        self.stop_rendezvous()
        self._odd = True
        self._listen_oddly(RENDEZVOUS, kind)

    def add_rendezvous(self, kind: str) -> None:
        """Have an odd server beside the other one, which nodes know that are started from now."""
        self._listen_oddly(SECOND_RENDEZVOUS, kind)
        self._servers = (f"{SECOND_RENDEZVOUS}:8080", f"{RENDEZVOUS}:8080")

    def _listen_oddly(self, ip: str, kind: str) -> None:
        host = self.network.host(ip)
        host.listenTCP(8080, OddServer(self, host, kind))

    def enter(self, kind: str, number: int) -> None:
        self.strangers.append(Stranger(self, kind, number, LINKS.get(kind, ArchiveLink)))

    # Within

    def _node(self, number: int, *, make: bool = False) -> Inhabitant | None:
        if number not in self.nodes and make:
            node = self.nodes[number] = Inhabitant(
                self.network, number, self.plan.nodes, self._heard
            )
            self._by_id[str(node.peer_id)] = node
            node.left = self._left
        return self.nodes.get(number)

    def _say(self, node: Inhabitant, other: Inhabitant, text: str) -> None:
        self.said[text] = str(node.peer_id), str(other.peer_id)
        node.say(other.peer_id, text)

    def _publish(self, node: Inhabitant, target: str, text: str) -> None:
        self.said[text] = str(node.peer_id), target
        self.publications.made(self, node, text, target)

    def _say_last_words(self) -> None:
        """Let everybody say something to everybody, and to all, and chat."""
        self.network.trace("last words")
        for node in self.nodes.values():
            for other in self.nodes.values():
                if other is not node:
                    self._say(node, other, invariants.last_text(node, str(other)))
            self._publish(node, "*", invariants.last_text(node, "*"))
            node.post(invariants.last_text(node, "chat"))

    def _heard(self, node: Inhabitant, event: Event) -> None:
        for invariant in invariants.AT_EVENTS:
            for what in invariant(self, node, event):
                self._note(invariant.__name__, what)

    def _left(self, node: Inhabitant) -> None:
        for invariant in invariants.WHEN_LEFT:
            for what in invariant(self, node):
                self._note(invariant.__name__, what)

    def _check(self, all_of: tuple[Callable[["World"], Iterator[str]], ...]) -> None:
        for invariant in all_of:
            for what in invariant(self):
                self._note(invariant.__name__, what)

    def _note(self, name: str, what: str) -> None:
        self.network.trace(f"VIOLATION {name}: {what}")
        if sum(violation.name == name for violation in self.violations) < MAX_NOTED:
            self.violations.append(Violation(name, self.network.clock.now, what))

    def _mend(self) -> None:
        """End all trouble; strangers stay, and clocks go on being wrong."""
        self.network.trace("mend")
        self.heal()
        self.weather(0.03, 0, 0.3, 0.0, 0.001)
        self.start_rendezvous()
        for node in self.nodes.values():
            node.disk.full = False
            self.unshelter(node)

    def _settle(self) -> None:
        """Run until nothing is under way and stays so for a while."""
        end = self.network.clock.now + LONGEST_SETTLING
        quiet_since = None
        while self.network.clock.now < end:
            for node in self.nodes.values():
                if node.state == ABSENT:
                    self.start(node)
            self.network.advance(LOOK)
            self._check(invariants.AT_ANY_MOMENT)
            if not self._is_quiet():
                quiet_since = None
            elif quiet_since is None:
                quiet_since = self.network.clock.now
            elif self.network.clock.now >= quiet_since + QUIET:
                return

    def _is_quiet(self) -> bool:
        looks = (
            *(invariants.nobody_is_away, invariants.nothing_waits),
            invariants.others_hold_the_archive,
            *(invariants.all_hold_one_archive, invariants.everybody_is_connected),
            invariants.no_link_is_dead,
        )
        return not any(problem for look in looks for problem in look(self))

    def _leave(self) -> None:
        for node in self.nodes.values():
            node.stop()
        for _ in range(4):
            self.network.advance(LOOK)
            self._check(invariants.AT_ANY_MOMENT)
        with self.network.watching():
            collect()  # a Deferred tells of its unhandled error when it goes
        self._check(invariants.AT_ANY_MOMENT)
        self._check(invariants.WHEN_ALL_LEFT)


_OF_A_NODE = frozenset(
    (
        *("start", "crash", "move", "stop", "drift", "set_clock", "say", "tell", "publish", "chat"),
        *("shelter", "unshelter", "fill_disk", "free_disk"),
    )
)

_SPEAKING = frozenset(("say", "tell", "publish", "chat"))

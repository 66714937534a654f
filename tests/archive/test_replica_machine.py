"""Replicas that mine, send each other their archives and restart, in any order.

Whatever happens, each holds a valid archive that never gets shorter, and no chat is lost or stands
in an archive twice; left in peace they come to hold the same.
"""

from collections import Counter
from collections.abc import Iterator

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.archive.archive import Archive
from p2pchat.archive.incoming import Incoming
from p2pchat.archive.kernel import first_invalid
from p2pchat.archive.own import look_up
from p2pchat.archive.replica import Job, Replica, Turn
from p2pchat.archive.storage import MemoryStorage
from tests.archive.mined import arriving, code_for, easy_proof, mark_of, new_replica, texts

NODES = 4

#: More than enough rounds of exchanging for all to hold the same.
MAX_ROUNDS = 200

nodes = st.integers(0, NODES - 1)


class Model:
    """A replica with its storage, and what it can be held to."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.storage = MemoryStorage()
        self.replica = new_replica()
        self.posted: list[str] = []
        #: Chats in the archive that is stored.
        self.promised: set[str] = set()
        self._count = 0
        self._height = 0
        self._checked: Archive | None = None

    @property
    def archive(self) -> Archive:
        return self.replica.archive

    def post(self) -> None:
        self._count += 1
        text = f"{self.name}{self._count}"
        self.replica.own.add(text.encode("ascii"), mark_of(text))
        self.posted.append(text)

    def find_code(self, job: Job) -> bytes:
        return code_for(job.base.prefix_for(job.chat.text), job.chat.start)

    def mine(self) -> bool:
        """Mine what is to be mined next; tell whether there was anything."""
        job = self.replica.job()
        if job is not None:
            change = self.replica.mined(job, self.find_code(job))
            assert change is not None
            assert job.chat in change.moved
        return job is not None

    def received(self, peer: "Model", incoming: Incoming) -> None:
        """Take an archive as ArchiveService does."""
        if incoming.useful:
            self.replica.received(incoming)
        self.replica.own.confirmed(peer.name, self.replica.common(incoming))

    def save(self, own: bool, archive: bool) -> None:
        """Store what there is; only what is stored altogether is promised."""
        if own:
            self.storage.save_own(self.replica.own.records())
        if archive:
            self.storage.replace(self.archive)
        if own and archive:
            own_chats = self.replica.own
            self.promised |= {chat.text.decode() for chat in own_chats if chat.height}

    def restart(self) -> None:
        """Begin again from what is stored; what was not is forgiven."""
        loaded = self.storage.load()
        self.replica = new_replica()
        self.replica.load(loaded.archive)
        self.replica.own.restore(look_up(loaded.own, loaded.archive))
        stored = {record.text for record in loaded.own} | self.promised
        self.posted = [text for text in self.posted if text in stored]
        self._height = 0

    def check(self) -> None:
        if self._checked is not self.archive:
            self._check_archive(self.archive)
            self._checked = self.archive
        waiting = {chat.text.decode() for chat in self.replica.own.waiting}
        held = set(texts(self.archive))
        assert not waiting & held, "what is in the archive waits to be mined"
        assert set(self.posted) == waiting | (set(self.posted) & held), "a chat is lost"
        for chat in self.replica.own:
            if chat.height is not None:
                assert self.archive.chat(chat.height - 1).text == chat.text

    def _check_archive(self, archive: Archive) -> None:
        assert archive.height >= self._height, "it has become shorter"
        self._height = archive.height
        assert first_invalid(archive.buffer, archive.offsets, 0, archive.height) is None
        assert max(Counter(texts(archive)).values(), default=0) <= 1, "a chat stands in it twice"


class Transfer:
    """An archive on its way from one to another, in pieces, over whatever else happens."""

    def __init__(self, source: Model, target: Model) -> None:
        self.source, self.target = source, target
        self.data = bytes(source.archive.view())
        self.incoming = target.replica.incoming(source.archive.height)
        self._replica = target.replica

    def carry(self, size: int, verify: int) -> bool:
        """Let the next bytes arrive, and verify some of those that are there; False at the end."""
        if self.target.replica is not self._replica:
            return False  # it was restarted meanwhile
        taken = self.incoming.feed(memoryview(self.data)[:size])
        assert taken == min(size, len(self.data))
        self.data = self.data[size:]
        if verify and self.incoming.unverified:
            self.incoming.verify(verify)
        assert self.incoming.invalid is None
        if self.incoming.done and not self.incoming.unverified:
            self.target.received(self.source, self.incoming)
            return False
        return True


class Network(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self._easy = easy_proof()
        self._easy.__enter__()
        self.nodes = [Model(name) for name in "abcd"[:NODES]]
        self.transfers: list[Transfer] = []
        self.searches: list[tuple[Model, Replica, Job]] = []

    @rule(node=nodes)
    def posts(self, node: int) -> None:
        self.nodes[node].post()

    @rule(node=nodes)
    def mines(self, node: int) -> None:
        self.nodes[node].mine()

    @rule(node=nodes)
    def begins_to_mine(self, node: int) -> None:
        model = self.nodes[node]
        job = model.replica.job()
        if job is not None:
            self.searches.append((model, model.replica, job))

    @rule(data=st.data())
    def finds_a_code(self, data: st.DataObject) -> None:
        """The archive, the rival and the chats may be others by now."""
        if self.searches:
            index = data.draw(st.integers(0, len(self.searches) - 1))
            model, replica, job = self.searches.pop(index)
            if model.replica is replica:
                replica.mined(job, model.find_code(job))

    @rule(source=nodes, to=nodes)
    def sends_all(self, source: int, to: int) -> None:
        self._send(self.nodes[source], self.nodes[to])

    @rule(source=nodes)
    def pushes(self, source: int) -> None:
        for target in self.nodes:
            self._send(self.nodes[source], target)

    @rule(source=nodes, to=nodes)
    def begins_to_send(self, source: int, to: int) -> None:
        if source != to:
            self.transfers.append(Transfer(self.nodes[source], self.nodes[to]))

    @rule(data=st.data(), size=st.integers(1, 150), verify=st.integers(0, 100))
    def carries(self, data: st.DataObject, size: int, verify: int) -> None:
        if self.transfers:
            transfer = data.draw(st.sampled_from(self.transfers))
            if not transfer.carry(size, verify):
                self.transfers.remove(transfer)

    @rule(source=nodes, to=nodes, place=st.integers(0, 1 << 20), bit=st.integers(0, 7))
    def sends_damaged(self, source: int, to: int, place: int, bit: int) -> None:
        archive, replica = self.nodes[source].archive, self.nodes[to].replica
        if not archive.height:
            return
        before, damaged = replica.archive, bytearray(archive.view())
        damaged[place % len(damaged)] ^= 1 << bit
        incoming = replica.incoming(archive.height)
        incoming.feed(memoryview(damaged))
        while incoming.unverified:
            incoming.verify(50)
        assert not incoming.useful
        assert replica.archive is before

    @rule(node=nodes, own=st.booleans(), archive=st.booleans())
    def saves(self, node: int, own: bool, archive: bool) -> None:
        self.nodes[node].save(own, archive)

    @rule(node=nodes)
    def restarts(self, node: int) -> None:
        self.nodes[node].restart()

    @invariant()
    def nothing_is_lost_or_twice(self) -> None:
        for node in self.nodes:
            node.check()

    def teardown(self) -> None:
        try:
            self._settle()
            self._check_all_hold_every_chat()
            # two archives as long with the same chats stay until the next chat
            self.nodes[0].post()
            self._settle()
            self._check_all_hold_every_chat()
            assert all(node.archive == self.nodes[0].archive for node in self.nodes)
        finally:
            self._easy.__exit__(None, None, None)

    def _send(self, source: Model, target: Model) -> None:
        target.received(source, arriving(target.replica, source.archive))

    def _settle(self) -> None:
        """Exchange and mine until nobody has anything to mine."""
        for _ in range(MAX_ROUNDS):
            for source in self.nodes:
                for target in self.nodes:
                    self._send(source, target)
            self.nothing_is_lost_or_twice()
            turn = next(self._turns(), None)
            if turn is None:
                return
            turn.mine()
        raise AssertionError("they never come to rest")

    def _turns(self) -> Iterator[Model]:
        """Yield who may mine, those first who do not leave it to others."""
        jobs = [(node, node.replica.job()) for node in self.nodes]
        for turn in Turn:
            yield from (node for node, job in jobs if job is not None and job.turn is turn)

    def _check_all_hold_every_chat(self) -> None:
        expected = {text for node in self.nodes for text in [*node.posted, *node.promised]}
        for node in self.nodes:
            counts = Counter(texts(node.archive))
            assert expected <= counts.keys(), f"{node.name} lacks {expected - counts.keys()}"
            assert set(counts.values()) <= {1}
            assert node.archive.height == self.nodes[0].archive.height


class ReplicaMachineTests(SynchronousTestCase):
    def test_any_order(self) -> None:
        run_state_machine_as_test(
            Network, settings=settings(max_examples=150, stateful_step_count=50, deadline=None)
        )

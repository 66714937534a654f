"""The history in a file against the one in memory, which is plain Python, in any order of calls."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.history import Bounds, Entry, History, OutboxEntry, Received
from p2pchat.identity import Address, PeerId
from p2pchat.store.memory import MemoryHistory
from p2pchat.store.sqlite import SqliteHistory
from tests.store.cases import ALICE, START, uuid
from tests.store.inline import InlinePool, InlineReactor

T = TypeVar("T")

PEERS = st.sampled_from([PeerId("bob@CIC"), PeerId("eve@CIC"), PeerId("#zoe@CIC")])
TARGETS = st.sampled_from(["*", "#CIC", "#zoe@CIC"])
IDS = st.integers(0, 9).map(uuid) | st.sampled_from(["x", ""])
TEXTS = st.lists(
    st.sampled_from(["um", "DOIS", "três", "tre\u0302s", "tres", "dois-um", "🤷", "'"]), max_size=4
).map(" ".join)
SEARCHES = st.sampled_from(
    [
        "um",
        "tres",
        "três um",
        "do*",
        '"dois um"',
        '"um dois"*',
        '"um do*"',
        "DOIS",
        "",
        "quatro",
        '"',
        "um OR x",
    ]
)
#: Now and then the clock was wrong.
SECONDS = st.sampled_from([0.0, 0.0004, 1.0, 2.5, 60.0, -3600.0, -86400.0])
COUNTS = st.sampled_from([0, 1, 2, 5, 100])

MESSAGES = st.tuples(IDS, PEERS, TARGETS, TEXTS, st.booleans(), st.booleans(), SECONDS)


@dataclass
class Outcome:
    """What a Deferred fired with, or how it failed."""

    value: Any = None
    error: tuple[str, str] | None = None


class HistoryModel(RuleBasedStateMachine):
    """Asks both the same, and wants the same answers.

    One in memory drops at once what is too much, one in a file soon. So with tight bounds both rest
    after each step; without, what was stored is sometimes indexed and sometimes not.
    """

    def __init__(self) -> None:
        super().__init__()
        folder = TemporaryDirectory(prefix="p2pchat-")
        self.folder = folder
        self.path = Path(folder.name) / "history.db"
        self.now = START
        self.wall = START
        self.exports = [elsewhere()]
        self.waited: dict[str, OutboxEntry] = {}

    @initialize(tight=st.booleans())
    def begin(self, tight: bool) -> None:
        self.tight = tight
        self.bounds = Bounds(max_outbox=4, max_outbox_per_peer=2, max_peers=2)
        if tight:
            self.bounds = Bounds(5, 1.0, max_outbox=4, max_outbox_per_peer=2, max_peers=2)
        self.clock = Clock()
        self.model = MemoryHistory(self.clock, ALICE, self.bounds, self.wall_clock)
        result(self.model.open())
        self.store = self.open()

    def wall_clock(self) -> datetime:
        """It stands still between rests: the two look for what is too old at different times."""
        return self.wall

    def open(self) -> SqliteHistory:
        self.reactor = InlineReactor()
        store = SqliteHistory(
            *(self.reactor, self.path, ALICE, self.bounds, self.wall_clock, self.told), InlinePool
        )
        self.opened = result(store.open())
        return store

    def told(self, level: str, text: str) -> None:
        raise AssertionError(f"{level}: {text}")

    def both(self, ask: "Callable[[History], Deferred[T]]") -> Outcome:
        """Ask both; what they answer must be the same."""
        expected = outcome(ask(self.model), self.clock)
        assert outcome(ask(self.store), self.reactor) == expected
        if self.tight:
            self.rests()
        return expected

    @rule(messages=st.lists(MESSAGES, max_size=5))
    def receives(self, messages: list[Any]) -> None:
        batch = [self.received(*message) for message in messages]
        self.both(lambda history: history.receive(batch))

    def received(
        self,
        msg_id: str,
        sender: PeerId,
        to: str,
        text: str,
        pub: bool,
        relayed: bool,
        seconds: float,
    ) -> Received:
        kind, to = ("pub", to) if pub else ("send", ALICE)
        return Received(msg_id, sender, to, text, kind, relayed and not pub, self.time(seconds))

    def time(self, seconds: float) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now + timedelta(seconds=seconds)

    @rule(to=PEERS, msg_id=IDS, text=TEXTS, seconds=SECONDS)
    def queues(self, to: PeerId, msg_id: str, text: str, seconds: float) -> None:
        time = self.time(seconds)
        self.both(lambda history: history.queue(to, msg_id, text, time))

    @rule(to=TARGETS, msg_id=IDS, text=TEXTS)
    def publishes(self, to: str, msg_id: str, text: str) -> None:
        time = self.time(0)
        self.both(lambda history: history.published(to, msg_id, text, time))

    @rule(msg_id=IDS)
    def attempts(self, msg_id: str) -> None:
        self.both(lambda history: history.attempting(msg_id))

    @rule(msg_id=IDS, counted=st.booleans())
    def writes(self, msg_id: str, counted: bool) -> None:
        self.both(lambda history: history.written(msg_id, counted=counted))

    @rule(msg_id=IDS, state=st.sampled_from(["delivered", "failed"]))
    def settles(self, msg_id: str, state: Any) -> None:
        self.both(lambda history: history.settled(msg_id, state, f"why {state}"))

    @rule(message=IDS | st.integers(0, 12))
    def cancels(self, message: int | str) -> None:
        self.both(lambda history: history.cancel(message))

    @rule()
    def requeues(self) -> None:
        """Put back all that ever waited; where nothing is dropped nothing is lost."""
        self.waited |= {entry.msg_id: entry for entry in result(self.model.outbox())}
        if not self.tight:
            lost = self.both(lambda history: history.requeue(list(self.waited.values())))
            assert lost.value == 0

    @rule(number=st.integers(0, 30))
    def reads(self, number: int) -> None:
        self.both(lambda history: history.read(number))

    @rule(peer=PEERS, addresses=st.lists(st.integers(1, 3), max_size=2), seconds=SECONDS)
    def sees(self, peer: PeerId, addresses: list[int], seconds: float) -> None:
        time, known = self.time(seconds), [Address("10.0.0.1", port) for port in addresses]
        self.both(lambda history: history.peer_seen(peer, known, time))

    @rule(host=st.sampled_from(["10.0.0.1", "10.0.0.2", "10.0.0.3"]), seconds=SECONDS)
    def exchanges(self, host: str, seconds: float) -> None:
        time = self.time(seconds)
        self.both(lambda history: history.archive_peer_seen(host, time))
        self.both(lambda history: history.archive_peers())

    @rule(words=SEARCHES, count=COUNTS)
    def searches(self, words: str, count: int) -> None:
        self.both(lambda history: history.search(words, count))

    @rule(conversation=st.none() | PEERS | TARGETS, count=COUNTS, seconds=st.none() | SECONDS)
    def looks_back(self, conversation: str | None, count: int, seconds: float | None) -> None:
        before = None if seconds is None else self.now + timedelta(seconds=seconds)
        self.both(lambda history: history.entries(conversation, count, before))

    @rule(count=COUNTS)
    def asks_for_unread(self, count: int) -> None:
        self.both(lambda history: history.unread(count))

    @rule()
    def exports_all(self) -> None:
        pages = self.both(lambda history: Deferred.fromCoroutine(exported(history))).value
        self.exports += pages

    @rule(data=st.data())
    def imports(self, data: st.DataObject) -> None:
        page = data.draw(st.sampled_from(self.exports))
        self.both(lambda history: history.import_entries(page))

    @rule()
    def rests(self) -> None:
        self.reactor.advance(1)

    @rule(hours=st.sampled_from([1, 20]))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        self.wall = self.now
        self.reactor.advance(1)
        self.reactor.advance(3600)
        result(self.model.open())

    @rule(killed=st.booleans())
    def starts_again(self, killed: bool) -> None:
        files = {path: path.read_bytes() for path in self.path.parent.iterdir()}
        result(self.store.close())
        if killed:
            for path in self.path.parent.iterdir():
                path.unlink()
            for path, data in files.items():
                path.write_bytes(data)
        self.store = self.open()
        assert self.opened == result(self.model.open())

    @invariant()
    def agrees(self) -> None:
        self.both(lambda history: history.entries(None, 1000))
        self.both(lambda history: history.outbox())
        self.both(lambda history: history.peers())

    def teardown(self) -> None:
        result(self.store.close())
        assert not self.reactor.getDelayedCalls()
        self.folder.cleanup()


def elsewhere() -> list[Entry]:
    """Return an export of somebody else's history."""
    common = {"time": START, "text": "três", "kind": "send"}
    states = ("queued", "sent", "delivered", "failed")
    sent = [
        Entry(msg_id=uuid(n), source="al@X", to="eve@CIC", direction="out", state=state, **common)
        for n, state in enumerate(states)
    ]
    came = [
        Entry(
            msg_id=uuid(n), source="eve@CIC", to="al@X", direction="in", relayed=bool(n), **common
        )
        for n in range(2)
    ]
    return sent + came


async def exported(history: History) -> list[list[Entry]]:
    return [page async for page in history.export()]


def result(deferred: "Deferred[T]") -> T:
    found = outcome(deferred, Clock())
    assert found.error is None, found.error
    return found.value


def outcome(deferred: "Deferred[Any]", clock: Clock) -> Outcome:
    fired: list[Any] = []
    deferred.addBoth(fired.append)
    while not fired:
        # a search in memory gives others their turn
        assert clock.getDelayedCalls()
        clock.advance(0)
    if isinstance(fired[0], Failure):
        return Outcome(error=(fired[0].type.__name__, fired[0].getErrorMessage()))
    return Outcome(fired[0])


class HistoryMachine(SynchronousTestCase):
    def test_in_a_file_as_in_memory(self) -> None:
        run_state_machine_as_test(
            HistoryModel,
            settings=settings(deadline=None, max_examples=60, stateful_step_count=30),
        )

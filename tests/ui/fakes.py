"""A node that only records what it is asked, a reactor that runs when told, and sample values."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from queue import Queue
from tempfile import TemporaryDirectory
from unittest import TestCase

from twisted.internet.defer import Deferred, execute, fail, succeed
from twisted.internet.task import Clock

from p2pchat.api import LinkInfo, PeerInfo, RendezvousInfo, RttInfo, Status
from p2pchat.errors import RequestError
from p2pchat.events import Event, Listener
from p2pchat.history import Bounds, OutboxEntry, Received
from p2pchat.identity import PeerId, name_of
from p2pchat.store.memory import MemoryHistory
from p2pchat.ui.surroundings import Surroundings
from tests.ui.fake_archive import FakeArchive

NOON = datetime(2025, 3, 1, 12, 0, 0, tzinfo=UTC)

#: Longest wait for another thread, in seconds; reached only if a test fails.
PATIENCE = 20.0


def make_folder(case: TestCase) -> Path:
    """Make a folder that is gone after the test."""
    folder = TemporaryDirectory()
    case.addCleanup(folder.cleanup)
    return Path(folder.name)


def noon() -> datetime:
    """A wall clock that stands still."""
    return NOON


def peer(peer_id: str, state: str = "connected", rtt: RttInfo | None = None) -> PeerInfo:
    """Make a peer as a node would tell of it."""
    return PeerInfo(
        peer_id=peer_id,
        state=state,
        addresses=["127.0.0.1:4001"],
        modern=True,
        last_seen=3.0,
        rtt=rtt or RttInfo(count=0),
    )


def link(peer_id: str) -> LinkInfo:
    """Make a link as a node would tell of it."""
    return LinkInfo(
        peer_id=peer_id,
        direction="out",
        address="127.0.0.1:4001",
        modern=True,
        agent="p2pchat/0.1.0",
        age=75.0,
        queued=0,
    )


def surroundings(now: Callable[[], datetime] = noon) -> Surroundings:
    """Make surroundings where it is noon in UTC and work in threads is done at once."""
    return Surroundings(now, execute, UTC)


def received(msg_id: str, text: str = "hello", **changes) -> Received:
    """Make a message that bob sent to us at noon."""
    fields = {"sender": PeerId("bob@CIC"), "to": "alice@CIC", "kind": "send", **changes}
    return Received(msg_id, text=text, **{"relayed": False, "time": NOON, **fields})


class FakeHistory(MemoryHistory):
    """A history that is open, and fails with `trouble` if there is any."""

    def __init__(self) -> None:
        super().__init__(Clock(), PeerId("alice@CIC"), Bounds(), noon)
        self.trouble: Exception | None = None
        self.read_up_to: list[int] = []
        self.open()

    def keep(self, *messages: Received) -> list[int | None]:
        """Keep messages of others and return their stored ids."""
        return self.receive(messages).result

    def read(self, stored_id: int) -> "Deferred[None]":
        self.read_up_to.append(stored_id)
        return super().read(stored_id)

    def _do(self, work):
        return fail(self.trouble) if self.trouble else super()._do(work)


STATUS = Status(
    peer_id="alice@CIC",
    version="0.1.0",
    host="0.0.0.0",
    port=4000,
    uptime=3725.0,
    peers=3,
    links=1,
    handshakes=0,
    pending=2,
    rendezvous=[
        RendezvousInfo(
            address="127.0.0.1:8080", state="answers", registered=True, serving=True, peers=3
        )
    ],
    log_level="INFO",
    log_file="/tmp/p2pchat.log",
)


class FakeNode:
    """A node without a network: `calls` is what it was asked, in order.

    Whom it knows at first it is connected to. What is sent is stored when `storing` fires, and the
    events of sending come just before the sender hears of that.
    """

    peer_id = PeerId("alice@CIC")

    def __init__(self, *peer_ids: str) -> None:
        self.calls: list[tuple[object, ...]] = []
        self.known = [peer(peer_id) for peer_id in peer_ids]
        self.known_links = [link(peer_id) for peer_id in peer_ids]
        self.history = FakeHistory()
        self.storing: Deferred[None] = succeed(None)
        self.listeners: list[Listener] = []
        self.discovery: Deferred[None] = succeed(None)
        self.gathering: Deferred[None] = succeed(None)
        self.settling: Deferred[bool] = succeed(True)
        self.refusal: Exception | None = None
        self.events_of_send: list[Event] = []
        self.known_status = STATUS
        self.pending = 0
        self.left_over: list[OutboxEntry] = []
        self.known_archive: FakeArchive | None = FakeArchive()

    def report(self, event: Event) -> None:
        """Tell all listeners of an event."""
        for listener in self.listeners:
            listener(event)

    def subscribe(self, listener: Listener) -> None:
        self.listeners.append(listener)

    def peers(self) -> list[PeerInfo]:
        return list(self.known)

    def links(self) -> list[LinkInfo]:
        return list(self.known_links)

    def status(self) -> Status:
        return self.known_status

    @property
    def archive(self) -> FakeArchive:
        if self.known_archive is None:
            raise RequestError("this node runs without an archive")
        return self.known_archive

    def discover(self) -> "Deferred[None]":
        self.calls.append(("discover",))
        return self.discovery

    def gathered(self, timeout: float) -> "Deferred[None]":
        return self.gathering

    def resolve(self, name: str) -> PeerId:
        ids = [PeerId(known.peer_id) for known in self.known]
        found = [one for one in ids if name in (one, name_of(one))]
        if len(found) != 1:
            raise RequestError(f"{len(found)} peers are called {name}")
        return found[0]

    def send(self, peer: PeerId, text: str) -> "Deferred[str]":
        self.calls.append(("send", peer, text))
        msg_id = f"m{len(self.calls)}"
        if self.refusal:
            return fail(self.refusal)
        sent: Deferred[str] = Deferred()
        stored: Deferred[None] = Deferred()
        stored.addCallbacks(self._stored, sent.errback, (msg_id, sent))
        self.storing.chainDeferred(stored)
        return sent

    def cancel(self, message: int | str) -> "Deferred[bool]":
        self.calls.append(("cancel", message))
        return self.history.cancel(message)

    def publish(self, target: str, text: str) -> tuple[str, int]:
        self.calls.append(("publish", target, text))
        return f"m{len(self.calls)}", len(self.known)

    def reconnect(self) -> int:
        self.calls.append(("reconnect",))
        return 2

    def set_log_level(self, level: str) -> None:
        self.calls.append(("set_log_level", level))

    def settled(self, timeout: float) -> "Deferred[bool]":
        self.calls.append(("settled", timeout))
        return self.settling

    def leave(self) -> None:
        self.calls.append(("leave",))

    def _stored(self, _: None, msg_id: str, sent: "Deferred[str]") -> None:
        for event in self.events_of_send:
            self.report(event)
        sent.callback(msg_id)


class FakePool:
    """A pool of threads that has none: work is done at once."""

    def callInThreadWithCallback(self, on_result, work, *args) -> None:  # noqa: N802  # Twisted's
        execute(work, *args).addCallbacks(
            lambda result: on_result(True, result), lambda reason: on_result(False, reason)
        )


class ThreadedClock(Clock):
    """A clock that also takes calls from other threads; they run when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self._calls: Queue[Callable[[], object]] = Queue()

    def callFromThread(self, call, *args, **kwargs) -> None:
        self._calls.put(lambda: call(*args, **kwargs))

    def getThreadPool(self) -> FakePool:
        return FakePool()

    def run_until(self, condition: Callable[[], object]) -> None:
        """Run the calls of other threads until condition holds; fails if none comes any more."""
        while not condition():
            self._calls.get(timeout=PATIENCE)()

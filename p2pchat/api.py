"""What a front end may ask of a node: the one interface all consoles use.

Every value returned is a snapshot; nothing in it changes later. A request that cannot be carried
out raises RequestError with a text fit for the user.
"""

from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec
from twisted.internet.defer import Deferred

from p2pchat.events import ChatState, Direction, Listener
from p2pchat.history import History, OutboxEntry
from p2pchat.identity import PeerId

PeerState = Literal["connected", "connecting", "known", "stale"]


class RttInfo(msgspec.Struct, frozen=True):
    """Round trip times of one peer in milliseconds; None while count is 0."""

    count: int
    last: float | None = None
    mean: float | None = None
    p50: float | None = None
    p95: float | None = None


class PeerInfo(msgspec.Struct, frozen=True):
    """A peer we know of.

    `address` is where the link is that is written to, None without one. `addresses` are host:port
    where it was said to listen, best first. `last_seen` is seconds ago that it was last heard of,
    by a link or by discovery.
    """

    peer_id: str
    state: PeerState
    addresses: list[str]
    modern: bool | None
    last_seen: float
    rtt: RttInfo
    address: str | None = None


class LinkInfo(msgspec.Struct, frozen=True):
    """One live connection to a peer; `age` in seconds, `queued` in messages not yet written."""

    peer_id: str
    direction: Direction
    address: str
    modern: bool
    agent: str
    age: float
    queued: int


class RendezvousInfo(msgspec.Struct, frozen=True):
    """One rendezvous server: `state` in words; `serving` if it is this very node.

    While it fails, `next_try` is in how many seconds it is tried again; else, and while it is being
    tried, it is None.
    """

    address: str
    state: str
    registered: bool
    serving: bool
    peers: int
    next_try: float | None = None


class ArchivePeerInfo(msgspec.Struct, frozen=True):
    """One peer of the archive: who has its IP address, by all links to it.

    `height` is the length of the last archive it sent, None before it sent one. `offences` counts
    archives that were worth nothing; while `paused` is not 0, for so many seconds, its archives
    are ignored.
    """

    address: str
    directions: list[Direction]
    height: int | None
    offences: int
    paused: float


class ChatInfo(msgspec.Struct, frozen=True):
    """A chat of ours that is not yet settled, or was of late; `height` counts from 1."""

    chat_id: int
    text: str
    state: ChatState
    height: int | None
    confirmations: int


class ArchivedChat(msgspec.Struct, frozen=True):
    """One chat of the archive; `height` counts from 1, `text` shows foreign bytes as escapes."""

    height: int
    text: str
    digest: str
    ours: bool


class KernelInfo(msgspec.Struct, frozen=True):
    """What computes MD5s for the archive, and how many tries a second one thread can make of it."""

    name: str
    rate: float


class ArchiveDialInfo(msgspec.Struct, frozen=True):
    """A host that the user named and that is not linked: why, and how soon it is tried again.

    `reason` is empty before the first attempt has failed, `seconds` 0 while one is under way.
    """

    address: str
    reason: str
    seconds: float


class ArchiveInfo(msgspec.Struct, frozen=True):
    """The archive at a glance.

    `place` says where we listen, or why we don't; `trouble` what is wrong with the disk, if
    anything. `size` and `limit` in bytes, `rate` in tries a second of the mining so far (0: none
    yet), `tries` those for the chat that is being mined. `port` is 0 while we don't listen.
    `connecting` counts peers that are dialled, of which `missing` are those that the user named.
    """

    height: int
    tip: str
    size: int
    limit: int
    host: str
    port: int
    peers: list[ArchivePeerInfo]
    connecting: int
    chats: list[ChatInfo]
    mining: bool
    rate: float
    kernel: KernelInfo
    loading: bool
    place: str = ""
    trouble: str = ""
    tries: int = 0
    missing: list[ArchiveDialInfo] = []


class Verification(msgspec.Struct, frozen=True):
    """What verifying everything found: `invalid` is the height of the first bad chat, if any."""

    height: int
    seconds: float
    invalid: int | None


class Status(msgspec.Struct, frozen=True):
    """The node at a glance; `uptime` in seconds."""

    peer_id: str
    version: str
    host: str
    port: int
    uptime: float
    peers: int
    links: int
    handshakes: int
    pending: int
    rendezvous: list[RendezvousInfo]
    log_level: str
    log_file: str
    archive: ArchiveInfo | None = None


class ArchiveApi(Protocol):
    """The replicated archive, as a front end sees it."""

    def chat(self, text: str) -> ChatInfo:
        """Mine a chat and send it to everybody; ChatChanged events tell how it goes on.

        Raises RequestError if the text can't be one, if too many wait, or the archive is full.
        """

    def history(self, count: int | None) -> list[ArchivedChat]:
        """Return the newest chats, oldest first; all with None."""

    def info(self) -> ArchiveInfo:
        """The archive at a glance."""

    def connect(self, host: str) -> None:
        """Dial a peer of the archive, HOST or HOST:PORT, and keep dialling it; RequestError."""

    def request(self) -> int:
        """Ask all peers for their archive; return how many are asked."""

    def verify(self) -> "Deferred[Verification]":
        """Verify the whole archive again."""


class NodeApi(Protocol):
    """A running node, as a front end sees it."""

    @property
    def peer_id(self) -> PeerId:
        """Our own id."""

    def subscribe(self, listener: Listener) -> None:
        """Call listener with every event from now on; it must not raise nor block."""

    def peers(self) -> list[PeerInfo]:
        """Every peer known, connected ones first, then by id."""

    def links(self) -> list[LinkInfo]:
        """Every live link."""

    def status(self) -> Status:
        """The node at a glance."""

    def discover(self) -> "Deferred[None]":
        """Ask the rendezvous servers again; fires when all answered or failed, without error."""

    def gathered(self, timeout: float) -> "Deferred[None]":
        """Fire when discovery has answered and who it showed is connected or out of reach.

        At the latest after timeout seconds; never with an error.
        """

    @property
    def archive(self) -> ArchiveApi:
        """The archive; RequestError if this node runs without one."""

    def resolve(self, name: str) -> PeerId:
        """Find the peer that `name` or `name@namespace` means; RequestError if none or several.

        A whole id is taken even if nobody has heard of it: the message waits.
        """

    def send(self, peer: PeerId, text: str) -> "Deferred[str]":
        """Store a message to one peer, who need not be there, and send it as soon as it can be.

        Fires with its msg_id when no crash can lose it any more; DeliveryChanged events tell how it
        goes on. Fails with RequestError if the text is not sendable or the outbox is full.
        """

    @property
    def left_over(self) -> Sequence[OutboxEntry]:
        """What an earlier run left in the outbox, while HistoryOpened is reported; else nothing.

        Only after that it is taken up: what becomes of it is told then.
        """

    @property
    def pending(self) -> int:
        """Count the messages to single peers that are not delivered yet."""

    def cancel(self, message: int | str) -> "Deferred[bool]":
        """Withdraw by stored id or msg_id what is not delivered yet; False if it is not there."""

    @property
    def history(self) -> History:
        """What was said, the outbox and the peers of old; its verbs may fail with StoreError."""

    def publish(self, target: str, text: str) -> tuple[str, int]:
        """Publish text to `*` or `#namespace`; return its msg_id and how many peers it goes to."""

    def reconnect(self) -> int:
        """Dial every peer that is known and not connected, stale ones too; return how many."""

    def set_log_level(self, level: str) -> None:
        """Log from this level on: DEBUG, INFO, WARNING or ERROR; RequestError on any other."""

    def settled(self, timeout: float) -> "Deferred[bool]":
        """Fire when nothing is under way to a peer that is there, nor being mined (True).

        After timeout seconds at the latest (False). What waits for an absent peer stays stored.
        """

    def leave(self) -> None:
        """Say goodbye to every peer and stop the process."""

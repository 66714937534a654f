"""A link to a peer of the archive as its owner sees it, and what an owner is told."""

from dataclasses import dataclass
from typing import Protocol

from p2pchat.archive.archive import Archive
from p2pchat.archive.incoming import Incoming
from p2pchat.identity import Address


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """What all links have in common (docs/protocols.md, 3.7).

    `progress_timeout` in seconds; `max_length` of an archive in bytes.
    """

    progress_timeout: float
    max_length: int = 64 * 1024 * 1024


class Link(Protocol):
    """One connection; `host` is the IP address of the other end, which is who the peer is.

    `proven`: it sent a valid archive, and since then none that was not; its owner sets it.
    """

    host: str
    dialled: bool
    height: int | None
    spoke: bool
    notifies: bool
    proven: bool

    @property
    def remote(self) -> Address:
        """The other end."""

    @property
    def local(self) -> Address:
        """Our end."""

    @property
    def kept(self) -> int:
        """Bytes held of archives that are arriving."""

    @property
    def sources(self) -> list[bytearray]:
        """The buffers of archives that were ours or are: what arrives is compared with one, and
        one is being sent.
        """

    @property
    def assembling(self) -> bool:
        """Whether verify() would put an archive together, in several parts."""

    def request_peers(self) -> None:
        """Send a PeerRequest."""

    def request_archive(self) -> None:
        """Send an ArchiveRequest."""

    def push(self) -> None:
        """Send our archive unasked, unless it is empty (3.2)."""

    def notify(self, text: str) -> None:
        """Send a Notification; only to a peer that sent one (3.5)."""

    def verify(self, size: int) -> bool:
        """Verify about so many bytes of what arrived, or take some messages; tell whether more
        is waiting.
        """

    def drop(self, reason: str) -> None:
        """Close the connection at once."""


class LinkOwner(Protocol):
    """Answers a link's questions, and hears what it received."""

    @property
    def archive(self) -> Archive:
        """Our archive."""

    def connected(self, link: Link) -> None:
        """The connection is there; nothing was said yet."""

    def spoken(self, link: Link) -> None:
        """The first whole message came."""

    def disconnected(self, link: Link, reason: str) -> None:
        """The connection is gone."""

    def peers_for(self, link: Link) -> list[str]:
        """Return the addresses to list to this peer."""
        ...

    def listed(self, link: Link, addresses: list[str]) -> None:
        """A PeerList came."""

    def incoming(self, link: Link, count: int) -> Incoming:
        """Return what takes the chats of an archive that begins to arrive."""
        ...

    def has_unverified(self, link: Link) -> None:
        """Chats wait to be verified, or messages to be taken; until then no more is read."""

    def arrived(self, link: Link, incoming: Incoming) -> None:
        """An archive is here in full and verified as far as it is of use, or it is not valid."""

    def notified(self, link: Link, text: bytes) -> None:
        """A Notification came."""

"""What the rendezvous reports to whoever owns it."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from p2pchat.events import Level
from p2pchat.identity import Address, PeerId


class Found(msgspec.Struct, frozen=True):
    """A peer that a server listed: registered `age` seconds ago, for `expires_in` more."""

    peer_id: PeerId
    address: Address
    expires_in: float
    age: float = 0.0


class RendezvousListener(Protocol):
    """Hears of one server; called from the reactor, and must not block."""

    def discovered(self, found: Sequence[Found]) -> None:
        """The server listed these peers; ourselves and unusable entries are not among them."""

    def public_ip(self, ip: str) -> None:
        """The server sees us at this address."""

    def notice(self, level: Level, text: str) -> None:
        """Something the user ought to know; once per change, not per failure."""

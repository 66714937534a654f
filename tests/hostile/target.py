"""Where an attacker finds the node, and what it notes of what it did to it."""

from dataclasses import asdict, dataclass, field
from typing import Any

#: Who the node is.
NAME = "alice"
PEER_ID = f"{NAME}@CIC"

#: The node's address for the archive, and one of an attacker there.
ARCHIVE_HOST = "127.7.0.1"
ATTACKER_HOST = "127.7.0.66"


@dataclass(frozen=True)
class Target:
    """The node's ports; on `rendezvous` it serves, or an attacker does for it."""

    chat: int
    rendezvous: int
    archive: int
    metrics: int

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass
class Tally:
    """What an attacker did, in connections, bytes and messages, and what became of it.

    A connection was refused if the node closed it without a byte, closed if it closed it later, and
    paused if for a time it took no more of what was written. `accepted` are sender and msg_id of
    each text of the attacker's that the node acknowledged: it has to keep them like any other.
    """

    connections: int = 0
    bytes: int = 0
    messages: int = 0
    refused: int = 0
    closed: int = 0
    paused: int = 0
    held: int = 0
    accepted: list[tuple[str, str]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Tally":
        content["accepted"] = [(peer, msg_id) for peer, msg_id in content["accepted"]]
        return cls(**content)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

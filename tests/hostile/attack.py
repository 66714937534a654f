"""What an attack is: a few lines that say what is done to the node, and what it may cost there."""

from typing import Any, ClassVar, Protocol

from tests.hostile.crowd import Crowd
from tests.hostile.target import Tally, Target
from tests.integration.archive_chain import Chain
from tests.integration.nodes import Node


class Tell(Protocol):
    """Tells the attacker a line while it is at work."""

    def __call__(self, line: str) -> None: ...


class Attack:
    """The base of all attacks; the docstring of each says what it does.

    `prepare`, `step` and `finish` run in a process of its own, `provoke` and `verdict` in that of
    whoever measures. `step` does a bounded amount and is called again and again until time is over;
    the load is bounded, since the question is what one connection costs, not what a core can do.
    """

    name: ClassVar[str]

    #: Bytes that the node may grow by meanwhile.
    room: ClassVar[int] = 32 << 20

    #: Sections of the node's configuration.
    config: ClassVar[dict[str, dict[str, Any]]] = {}

    #: Options of the node; by default it serves the rendezvous itself.
    rogue_rendezvous: ClassVar[bool] = False

    #: Whether the node takes part in the archive, which then has a thousand chats.
    archive: ClassVar[bool] = False

    #: Whether the node serves figures.
    metrics: ClassVar[bool] = False

    #: Whether it is in a terminal, and not driven by JSON.
    terminal: ClassVar[bool] = False

    def __init__(self, target: Target, tally: Tally) -> None:
        self.target = target
        self.tally = tally
        self.crowd = Crowd(tally)

    # In the attacker's process

    def prepare(self) -> None:
        """Do what takes time and harms nobody."""

    def step(self) -> None:
        """Do a little harm, and rest for some milliseconds."""

    def told(self, line: str) -> None:
        """Take what `provoke` tells."""

    def finish(self) -> None:
        """Complete the tally, and leave."""
        self.crowd.count_ends()
        self.crowd.close()

    # Where it is measured

    @classmethod
    def provoke(cls, node: Node, tell: Tell) -> None:
        """Have the node do what the attack is about; called every 0.2 s."""

    @classmethod
    def verdict(cls, node: Any, tally: Tally) -> list[str]:
        """Return what is wrong with the node afterwards, beyond what holds for all attacks."""
        return []


def hello(name: str, *, agent: str = "hostile") -> bytes:
    """Write a HELLO, of our own kind if there is an agent."""
    said = f'"agent":"{agent}",' if agent else ""
    return b'{"type":"HELLO",%b"peer_id":"%b@CIC","ttl":1}\n' % (said.encode(), name.encode())


def send(msg_id: str, text: str) -> bytes:
    """Write a SEND."""
    return b'{"type":"SEND","msg_id":"%b","payload":"%b","require_ack":true,"ttl":1}\n' % (
        msg_id.encode(),
        text.encode(),
    )


def peer_list(packed: bytes) -> bytes:
    """Write a PeerList of addresses that stand one behind the other."""
    return b"\x02" + (len(packed) // 4).to_bytes(4, "big") + packed


def archive_bytes(chain: Chain) -> bytes:
    """Write an archive as it stands in a node's file."""
    return b"".join(chain)

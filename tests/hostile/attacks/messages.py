"""Lies about messages: ACKs for what was never sent, and ids that belong to others."""

import time
from itertools import count
from typing import Any, ClassVar

from tests.hostile.attack import Attack, Tell, hello, send
from tests.hostile.crowd import Member
from tests.hostile.target import Tally
from tests.integration.nodes import Node
from tests.integration.programs import HERE

#: Somebody who is never there.
ABSENT = "ghost@CIC"


class StrayAcks(Attack):
    """ACKs and PONGs for what was never sent, 5,000 a second, and ACKs for what others were sent.

    The node writes to somebody who is not there, and the attacker acknowledges that in his place.
    """

    name = "stray-acks"

    def prepare(self) -> None:
        self._overheard = ["never-sent"]
        self._sent = 0

    def told(self, line: str) -> None:
        self._overheard.append(line)

    def step(self) -> None:
        if not self.crowd.members:
            self.crowd.join(HERE, self.target.chat, "127.66.4.1", first=hello("liar"))
        lines = b"".join(map(self._answers, range(self._sent, self._sent + 50)))
        self._sent += 50
        for member in list(self.crowd.members):
            self.crowd.say(member, lines, messages=100)
        for _ in self.crowd.hear(0.02):
            pass

    def _answers(self, number: int) -> bytes:
        msg_id = self._overheard[number % len(self._overheard)].encode()
        return b'{"type":"ACK","msg_id":"%b","ttl":1}\n{"type":"PONG","msg_id":"%b","ttl":1}\n' % (
            msg_id,
            msg_id,
        )

    @classmethod
    def provoke(cls, node: Node, tell: Tell) -> None:
        tell(node.data(f"/msg {ABSENT} to nobody else")["msg_id"])

    @classmethod
    def verdict(cls, node: Any, tally: Tally) -> list[str]:
        delivered = node.events("delivery", to=ABSENT, state="delivered")
        waiting = [entry for entry in node.data("/outbox") if entry["to"] == ABSENT]
        tally.remarks.append(f"{len(waiting)} messages still wait for their peer")
        if delivered or not waiting:
            return [f"an ACK of somebody else counted: {delivered[:1]}, {len(waiting)} waiting"]
        return []


class SharedIds(Attack):
    """Two peers use the same msg_ids, those of the honest peer, for other texts: all are kept."""

    name = "shared-msg-ids"
    names: ClassVar[tuple[str, ...]] = ("tweedledum", "tweedledee")

    def prepare(self) -> None:
        self._members: dict[Member, str] = {}
        self._number = 0

    def step(self) -> None:
        for name in {*self.names} - {*self._members.values()}:
            member = self.crowd.join(HERE, self.target.chat, "127.66.5.1", first=hello(name))
            if member is not None:
                self._members[member] = name
        for member, name in self._members.items():
            self.crowd.say(member, send(str(self._number), f"{name} says {self._number}"))
        self._number += 1
        self._hear()

    def finish(self) -> None:
        for _ in range(20):
            self._hear()
        super().finish()

    def _hear(self) -> None:
        for member, line in self.crowd.lines(0.02):
            if line.startswith(b'{"type":"ACK"'):
                msg_id = line.split(b'"msg_id":"')[1].split(b'"')[0].decode()
                self.tally.accepted.append((f"{self._members[member]}@CIC", msg_id))
        self._members = {
            member: name for member, name in self._members.items() if member in self.crowd.members
        }


class PingFlood(Attack):
    """30 peers PING as fast as they are read, with 18,000 PINGs a second together at the most."""

    name = "ping-flood"
    crowd_size: ClassVar[int] = 30
    burst: ClassVar[bytes] = b'{"type":"PING","msg_id":"ask","ttl":1}\n' * 300

    def prepare(self) -> None:
        self._numbers = count()

    def step(self) -> None:
        for _ in range(self.crowd_size - len(self.crowd.members)):
            first = hello(f"flood{next(self._numbers)}")
            self.crowd.join(HERE, self.target.chat, "127.66.7.1", first=first)
        for member in list(self.crowd.members):
            self.crowd.say(member, self.burst, messages=300)
        deadline = time.monotonic() + 0.5
        while (left := deadline - time.monotonic()) > 0:
            for _ in self.crowd.hear(left):
                pass

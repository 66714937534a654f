"""Lists of peers that are not there, and answers without end."""

import json
import socket
import time
from typing import Any, ClassVar

from tests.hostile.attack import Attack, peer_list
from tests.hostile.attacks.rogue import RogueServer
from tests.hostile.honest import NAME as HONEST
from tests.hostile.target import ARCHIVE_HOST, ATTACKER_HOST
from tests.integration.servers import Request, obey

#: How many peers are invented.
MANY = 10_000

#: Often enough that an attack need not wait for long.
ASKING = {"connection": {"discovery_interval": 1}, "rendezvous": {"embedded": False}}


class _Rogue(Attack):
    """An attack of the rendezvous server that the node uses."""

    rogue_rendezvous = True
    config = ASKING

    def prepare(self) -> None:
        self.server = RogueServer(self.target.rendezvous, self.tally)

    def answer(self, request: Request) -> list[bytes]:
        """Return the answer to a request in pieces."""
        raise NotImplementedError

    def step(self) -> None:
        self.server.answer = self.answer
        time.sleep(0.05)

    def finish(self) -> None:
        self.server.close()
        super().finish()


class BogusPeers(_Rogue):
    """A rendezvous that lists 10,000 peers, others in each answer, and the honest one elsewhere.

    At half of their addresses nobody listens, at the other half somebody who never accepts.
    """

    name = "bogus-discovery"
    #: for 10,000 peers that are remembered, and a list of as many more
    room = 64 << 20
    answers: ClassVar[int] = 0

    def prepare(self) -> None:
        self._trap = socket.socket()
        self._trap.bind((ATTACKER_HOST, 0))
        self._trap.listen(1)
        super().prepare()

    def answer(self, request: Request) -> list[bytes]:
        if request["type"] != "DISCOVER":
            return [obey(request)]
        type(self).answers += 1
        peers = [self._invented(number) for number in range(MANY)]
        peers.append({**peers[0], "name": HONEST})
        return [json.dumps({"status": "OK", "peers": peers}).encode() + b"\n"]

    def finish(self) -> None:
        self._trap.close()
        super().finish()

    def _invented(self, number: int) -> dict[str, Any]:
        nowhere = f"127.99.{number >> 8 & 255}.{number & 255}"
        trap: tuple[str, int] = self._trap.getsockname()
        host, port = trap if number % 2 else (nowhere, 9)
        name = f"bogus{self.answers}x{number}"
        registered = {"ttl": 7200, "expires_in": 7000, "namespace": "CIC"}
        return {"ip": host, "port": port, "name": name, **registered}


class HundredMegabytes(_Rogue):
    """A rendezvous whose answers go on for 100 MB; every other one ends just before 16 MiB."""

    name = "rendezvous-100-mb"
    room = 96 << 20
    answers: ClassVar[int] = 0

    def answer(self, request: Request) -> list[bytes]:
        type(self).answers += 1
        peer = b'{"ip": "127.99.0.1", "port": 9, "name": "long", "namespace": "CIC", "ttl": 60},'
        piece = peer * 1000
        whole = 100_000_000 if self.answers % 2 else (16 << 20) - 2 * len(piece)
        pieces = [b'{"status": "OK", "peers": [', *[piece] * (whole // len(piece))]
        return pieces if self.answers % 2 else [*pieces, b"{}]}\n"]


class BogusArchivePeers(Attack):
    """PeerLists of the archive with 10,000 addresses each, others in each, 20 a second and unasked.

    Nobody listens at any of them.
    """

    name = "bogus-peer-lists"
    archive = True

    def prepare(self) -> None:
        self._lists = 0

    def step(self) -> None:
        if not self.crowd.members:
            self.crowd.join(ARCHIVE_HOST, self.target.archive, ATTACKER_HOST)
        self._lists += 1
        numbers = range(self._lists * MANY, (self._lists + 1) * MANY)
        packed = b"".join((0x7F000000 + number % 0xFFFFFF).to_bytes(4, "big") for number in numbers)
        for member in list(self.crowd.members):
            self.crowd.say(member, peer_list(packed))
        for _ in self.crowd.hear(0.05):
            pass

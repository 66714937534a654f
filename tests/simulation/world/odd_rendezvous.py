"""Rendezvous servers that are not as they should be (docs/protocols.md, 1), and judge who asks.

Some are old, some are broken, some lie; none may keep nodes from finding each other once there is
a good one.
"""

import json
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.protocol import Factory, connectionDone
from twisted.internet.task import LoopingCall
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure

from tests.simulation.connection import StreamSocket
from tests.simulation.reactor import HostReactor

if TYPE_CHECKING:
    from tests.simulation.world.world import World

#: Requests that a server takes from one address, the seconds in which it counts them, and for how
#: long it is then to be left alone.
LIMIT, WINDOW, BLOCK = 50, 60.0, 60.0

#: How many requests the server answers that blocks soon.
SOON = 5

#: Where nobody is.
NOWHERE = "10.9.9.9"

Reply = dict[str, Any]
Answer = Reply | bytes | None


class OddServer(Factory):
    """What a server of some kind keeps: who registered, who asked when, and whom it blocked."""

    noisy = False

    def __init__(self, world: "World", host: HostReactor, kind: str) -> None:
        self.host = host
        self.kind = kind
        self._world = world
        self._answer = ODD[kind]
        #: The ports of all names, by address.
        self._known: dict[str, dict[str, int]] = defaultdict(dict)
        # by process, for one that is started again does not know
        self._asked: dict[HostReactor, deque[float]] = defaultdict(deque)
        #: The connection on which it was told, if it was.
        self._blocked: dict[HostReactor, StreamSocket] = {}
        self._times: Counter[str] = Counter()

    def buildProtocol(self, _: Any) -> "OddRendezvous":
        return OddRendezvous(self)

    def answer(self, request: dict[str, Any], client: StreamSocket) -> Answer:
        """Judge a request and answer it in the way of this kind."""
        address = client.getsockname()[0]
        self._times[address] += 1
        process = self._world.network.process(address)
        if process is not None:  # it has not crashed since
            self._judge(process, client)
        if request["type"] == "REGISTER":
            self._known[address][request["name"]] = request["port"]
        elif request["type"] == "UNREGISTER":
            self._known.pop(address, None)
        answer = self._answer(self, request, address)
        if self.kind == "blocking" and self._times[address] > SOON and process is not None:
            self._blocked[process] = client
        return answer

    def times(self, address: str) -> int:
        """Return how often it was asked from there."""
        return self._times[address]

    def is_known(self, address: str) -> bool:
        return address in self._known

    def listed(self) -> list[Reply]:
        """Return all registrations as they are listed."""
        return [entry(ip, *known) for ip, names in self._known.items() for known in names.items()]

    @property
    def _now(self) -> float:
        return self._world.network.clock.now

    def _judge(self, process: HostReactor, client: StreamSocket) -> None:
        address = client.getsockname()[0]
        asked = self._asked[process]
        asked.append(self._now)
        while asked[0] <= self._now - WINDOW:
            asked.popleft()
        if len(asked) > LIMIT:
            self._world.hurt(f"{address} asked {self.kind} {len(asked)} times in {WINDOW} s")
        told = self._blocked.pop(process, None)
        since = client.began_at - told.ended_at if told is not None else BLOCK
        if 0 < since < BLOCK:  # what was under way when it was told does not count
            self._world.hurt(f"{address} asked {self.kind} {since:.1f} s after it was blocked")


class OddRendezvous(LineReceiver):
    """One request, and what that server answers; None keeps the connection, with drops of it."""

    delimiter = b"\n"
    MAX_LENGTH = 32_768

    def __init__(self, server: OddServer) -> None:
        self._server = server
        self._drips = LoopingCall(self._drip)
        self._drips.clock = server.host

    def lineReceived(self, line: bytes) -> None:
        answer = self._server.answer(json.loads(line), self.transport.socket.peer)
        if answer is None:
            self._drips.start(2.0)
            return
        raw = answer if isinstance(answer, bytes) else json.dumps(answer).encode() + b"\n"
        self.transport.write(raw)
        self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._drips.running:
            self._drips.stop()

    def _drip(self) -> None:
        if self._server.kind == "dripping":
            self.transport.write(b" ")


def refusal(message: str, key: str = "message") -> Reply:
    return {"status": "ERROR", key: message}


def entry(ip: str, name: Any, port: Any) -> Reply:
    place = {"ip": ip, "port": port, "name": name, "namespace": "CIC"}
    return {**place, "ttl": 7200, "expires_in": 7100}


# What each kind answers


def _plain(server: OddServer, request: Reply, address: str, key: str = "message") -> Reply:
    """Answer as one should."""
    if request["type"] == "REGISTER":
        return {
            "status": "OK",
            "ttl": request.get("ttl", 7200),
            "ip": address,
            "port": request["port"],
        }
    if not server.is_known(address):
        return refusal("peer_not_registered", key)
    if request["type"] == "UNREGISTER":
        return {"status": "OK"}
    return {"status": "OK", "peers": server.listed()}


def _with_error_key(server: OddServer, request: Reply, address: str) -> Reply:
    """Refuse every third request by another key, with more besides."""
    if server.times(address) % 3 == 0:
        return refusal("peer_not_registered", "error") | {"observed_ip": address}
    return _plain(server, request, address, "error")


def _never_refusing(server: OddServer, request: Reply, address: str) -> Reply:
    """Say nothing of who is not registered, and that we come from somewhere else."""
    if request["type"] == "REGISTER":
        ours = {"ip": NOWHERE, "port": request["port"]}
        return {"status": "OK", "ttl": 60, **ours, "observed_ip": NOWHERE, "observed_port": 1}
    return {"status": "OK", "peers": server.listed()}


def _forgetful(_: OddServer, request: Reply, address: str) -> Reply:
    """Take everybody, and know nobody."""
    if request["type"] == "REGISTER":
        return {"status": "OK", "ttl": 1, "ip": address, "port": request["port"]}
    return refusal("peer_not_registered")


def _blocking(server: OddServer, request: Reply, address: str) -> Answer:
    """Answer for a while; then close without a byte, then say why."""
    if server.times(address) <= SOON:
        return _plain(server, request, address)
    if server.times(address) % 2:
        return b""
    why = "has been blocked due to excessive login attempts (limit: 50)."
    return refusal(f"Connection from {address}:1 {why} The block will be lifted in 59 seconds.")


def _lying(server: OddServer, request: Reply, address: str) -> Reply:
    """Give everybody the address of somebody else, invent more, and add what is no entry."""
    if request["type"] != "DISCOVER":
        return _plain(server, request, address)
    true = server.listed()
    places = [one["ip"] for one in true[1:] + true[:1]]
    swapped = [{**one, "ip": place} for one, place in zip(true, places, strict=True)]
    moved = [{**one, "ip": NOWHERE, "port": 1 + number} for number, one in enumerate(true)]
    invented = [entry(NOWHERE, f"ghost {number}", 4000) for number in range(60)]
    bad = [None, 7, {}, entry(NOWHERE, ["n1"], 4000), entry(NOWHERE, "n1", -1), entry("?", "", {})]
    return {"status": "OK", "peers": [*bad, *invented, *swapped, *moved, *bad]}


def _nonsense(server: OddServer, request: Reply, address: str) -> bytes:
    """Answer what is no answer, each time something else."""
    replies = (b"<html>\xff\x00 It works!</html>\n", b"[]\n", b'{"status": 7}\n', b"{" * 3000)
    return replies[server.times(address) % len(replies)]


def _silent(_: OddServer, request: Reply, address: str) -> None:
    """Answer nothing, and keep the connection."""


ODD: dict[str, Callable[[OddServer, Reply, str], Answer]] = {
    "with-error-key": _with_error_key,
    "never-refusing": _never_refusing,
    "forgetful": _forgetful,
    "blocking": _blocking,
    "lying": _lying,
    "nonsense": _nonsense,
    "silent": _silent,
    "dripping": _silent,
}

"""Who is registered while a rendezvous server is measured, and what they ask."""

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.rendezvous_client import Request
from p2pchat.rendezvous.roll import Key, Term
from p2pchat.rendezvous.sqlite_file import RegistrationFile

#: Peers of a namespace, so that an answer has the same length however many there are in all.
NAMESPACE_SIZE = 100

#: Peers come from so many addresses.
ADDRESSES = 64

TTL = 7200

# So far apart are two peers that ask one after another: as good as at random, and prime.
_STRIDE = 7919


class Peer(NamedTuple):
    """Registered from `ip`, and nowhere else."""

    ip: str
    namespace: str
    name: str
    port: int

    def register(self) -> Request:
        """Register, again or for the first time."""
        fields = {"namespace": self.namespace, "name": self.name, "port": self.port, "ttl": TTL}
        return Request(self.ip, _line({"type": "REGISTER", **fields}))

    def discover(self) -> Request:
        """Ask for the namespace that this peer is in."""
        return Request(self.ip, _line({"type": "DISCOVER", "namespace": self.namespace}))

    def discover_all(self) -> Request:
        """Ask for everybody."""
        return Request(self.ip, _line({"type": "DISCOVER"}))


def make_peers(count: int) -> list[Peer]:
    """Make so many peers, in namespaces of NAMESPACE_SIZE."""
    return [
        Peer(
            f"127.0.1.{1 + number % ADDRESSES}",
            f"class-{number // NAMESPACE_SIZE:04}",
            f"student-{number:06}",
            1024 + number % 60_000,
        )
        for number in range(count)
    ]


def mixed(peers: Sequence[Peer], count: int, start: int = 0) -> Iterator[Peer]:
    """Return `count` of the peers, as if by chance, each as often as the others."""
    return (peers[index * _STRIDE % len(peers)] for index in range(start, start + count))


def write_database(path: Path, peers: Sequence[Peer]) -> None:
    """Write the file of a registry in SQLite that all are in."""
    expires_at = time.time() + TTL
    file = RegistrationFile(path)
    file.write(
        {Key(*peer[:3]): Term(peer.port, TTL, expires_at) for peer in peers}, 0.0, whole=False
    )
    file.close()


def write_list(path: Path, peers: Sequence[Peer]) -> None:
    """Write the file of the reference."""
    more = {"ttl": TTL, "expires_at": time.time() + TTL}
    path.write_text(json.dumps([{**peer._asdict(), **more} for peer in peers]))


def _line(fields: dict[str, object]) -> bytes:
    return json.dumps(fields).encode() + b"\n"

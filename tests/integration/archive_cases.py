"""What the tests of the archive share: addresses of this machine, fakes, and nodes for them."""

import json
import socket
from typing import Any, TypeVar

from tests.integration.archive_chain import Chain, split
from tests.integration.archive_links import ArchiveLink
from tests.integration.archive_peers import PlainPeer
from tests.integration.cases import NetworkCase
from tests.integration.nodes import Node
from tests.integration.programs import HERE, ROOT, free_port
from tests.integration.waiting import PATIENCE, wait_until

#: Often enough that a test need not wait for long.
INTERVALS = {"peer_request_interval": 0.5, "archive_request_interval": 1, "progress_timeout": 3}
CONNECTION = {"reconnect_backoff_base": 1, "reconnect_backoff_max": 1}

Peer = TypeVar("Peer", bound=PlainPeer)


def has_many_addresses() -> bool:
    """Tell whether this machine has all of 127.0.0.0/8."""
    try:
        with socket.create_server(("127.1.2.127", 0)):
            return True
    except OSError:
        return False


def published() -> Chain:
    """Return an archive of 1,000 chats."""
    return split((ROOT / "tests" / "data" / "archive_1000.bin").read_bytes()[4:])


class Silent:
    """Says nothing on a link, and notes what comes."""

    def serve(self, link: ArchiveLink) -> None:
        while link.read() is not None:
            pass


def texts_of(node: Node) -> list[str]:
    """Return the texts of a node's archive, in order."""
    return [chat["text"] for chat in node.data("/hist all")]


def wait_for_texts(node: Node, *wanted: str) -> None:
    """Wait until a node's archive has these texts."""
    wait_until(
        lambda: {*wanted} <= {*texts_of(node)}, f"{wanted} in the archive of {node.home.name}"
    )


class ArchiveCase(NetworkCase):
    """A port of the archive that nobody uses; peers meet there on addresses of their own."""

    def setUp(self) -> None:
        if not has_many_addresses():
            self.skipTest("peers need addresses of their own on this machine")
        super().setUp()
        self.port = free_port()

    def peer(self, program: type[Peer], address: str, *hosts: str) -> Peer:
        """Start a fake that dials these hosts."""
        peer = program(address, self.port, *hosts)
        self.addCleanup(peer.close)
        return peer

    def connect(self, host: str, source: str) -> socket.socket:
        """Connect to a peer from an address of this machine."""
        connection = socket.create_connection((host, self.port), PATIENCE, (source, 0))
        self.addCleanup(connection.close)
        return connection

    def link(self, host: str, source: str) -> ArchiveLink:
        """Connect to a peer, and say nothing yet."""
        connection = self.connect(host, source)
        connection.settimeout(None)
        link = ArchiveLink(connection, Silent(), dialled=True)
        self.addCleanup(link.close)
        link.start()
        return link

    def start_archive(self, name: str, address: str, *hosts: str, **settings: Any) -> Node:
        """Start a node without rendezvous that dials these; settings are those of the archive.

        Without an address it uses that of the live chat.
        """
        home = self.home(name)
        sections = {"archive": {**INTERVALS, **settings}, "connection": CONNECTION}
        (home / "config.json").write_text(json.dumps(sections))
        options = ["--no-rendezvous", "--bind", HERE, "--port", str(free_port())]
        options += ["--name", name, "--archive-port", str(self.port)]
        options += ["--archive-bind", address] if address else []
        for host in hosts:
            options += ["--archive-peer", host]
        node = self.start_in(home, *options)
        wait_until(lambda: not node.data("/archive")["loading"], f"the archive of {name}")
        return node

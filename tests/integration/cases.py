"""What the tests with real processes share: nodes on this machine that find each other.

With P2PCHAT_TEST_REGISTRY=memory, sqlite or redis they find each other through a server of its own
that keeps its registrations there, instead of through the first of them.
"""

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.nodes import Node
from tests.integration.programs import HERE, free_port
from tests.integration.rendezvous_service import Server
from tests.rendezvous.redis_server import RedisServer


class NetworkCase(SynchronousTestCase):
    """A folder, a rendezvous port that nobody uses, and nodes that are ended with the test.

    `registry` is the kind of a rendezvous server of its own, if there is to be one.
    """

    registry = os.environ.get("P2PCHAT_TEST_REGISTRY", "")

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="p2pchat-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.rendezvous = free_port()
        if self.registry:
            self.server = self._start_server()

    def _start_server(self) -> Server:
        home = self.home("server")
        place = {
            "memory": lambda: "memory",
            "sqlite": lambda: f"sqlite:{home / 'registrations.db'}",
            "redis": lambda: f"redis://{HERE}:{RedisServer(self).port}/0",
        }[self.registry]()
        # the tests ask more often than a node does
        options = ("--rate-limit", "1000", "--data-dir", str(home / "data"))
        server = Server(home, "--registry", place, *options)
        self.addCleanup(server.close)
        server.wait_until_ready()
        self.rendezvous = server.port
        return server

    def home(self, name: str) -> Path:
        """Return the home of a user, made if need be."""
        home = self.folder / name
        home.mkdir(exist_ok=True)
        return home

    def start(self, name: str, *options: str, **config: dict[str, Any]) -> Node:
        """Start a node on this machine; config are the sections of its ./config.json, if any."""
        home = self.home(name)
        if config:
            (home / "config.json").write_text(json.dumps(config))
        server = f"{HERE}:{self.rendezvous}"
        place = ("--bind", HERE, "--port", str(free_port()), "--rendezvous", server)
        return self.start_in(home, "--name", name, *place, *options)

    def start_in(self, home: Path, *options: str) -> Node:
        """Start a node with these options and nothing else."""
        node = Node(home, *options)
        self.addCleanup(node.close)
        return node

    def start_ready(self, name: str, *options: str, **config: dict[str, Any]) -> Node:
        """Start a node and wait until it is ready, so that it is the first at what it does."""
        node = self.start(name, *options, **config)
        node.wait_until_ready()
        return node

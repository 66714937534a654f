"""A node with several rendezvous servers, most of which are of no use."""

import json
from itertools import count
from typing import Any

from tests.integration.cases import NetworkCase
from tests.integration.nodes import Node
from tests.integration.programs import HERE, free_port
from tests.integration.rendezvous_service import Server
from tests.integration.servers import PlayedServer, Request, obey, talk_nonsense
from tests.integration.waiting import wait_until


class SeveralServersTests(NetworkCase):
    """One server is down, one lies, one is as it should be."""

    def setUp(self) -> None:
        super().setUp()
        self.down = free_port()
        self.lies = count()
        self.liar = PlayedServer(free_port(), self.lie)
        self.addCleanup(self.liar.close)
        home = self.home("good")
        place = ("--registry", "memory", "--data-dir", str(home / "data"))
        self.good = Server(home, *place, "--rate-limit", "1000")
        self.addCleanup(self.good.close)
        self.good.wait_until_ready()

    def lie(self, request: Request) -> bytes:
        """Register everybody; list peers where they are not, and now and then talk nonsense."""
        if request["type"] != "DISCOVER":
            return obey(request)
        if next(self.lies) >= 4:
            return talk_nonsense(request)
        wrong = {"ip": HERE, "port": free_port(), "namespace": "CIC", "ttl": 600, "expires_in": 600}
        everybody = [{**wrong, "name": name} for name in ("alice", "bob", "ghost")]
        bad: list[Any] = [None, 7, {}, {**wrong, "name": ["bob"]}, {**wrong, "port": -1}]
        answer = {"status": "OK", "peers": [*bad, *everybody, *bad]}
        return json.dumps(answer).encode() + b"\n"

    def start_with_all(self, name: str) -> Node:
        home = self.home(name)
        settings = {"rendezvous": {"embedded": False}, "connection": {"discovery_interval": 2}}
        (home / "config.json").write_text(json.dumps(settings))
        options = ["--name", name, "--bind", HERE, "--port", str(free_port())]
        for port in (self.down, self.liar.port, self.good.port):
            options += ["--rendezvous", f"{HERE}:{port}"]
        return self.start_in(home, *options)

    def health(self, node: Node) -> dict[int, dict[str, Any]]:
        """Return what a node says of each of its servers, by port."""
        servers = node.data("/status")["rendezvous"]
        return {int(server["address"].rpartition(":")[2]): server for server in servers}

    def test_peers_are_found_through_the_good_one_and_each_has_its_own_health(self) -> None:
        alice, bob = (self.start_with_all(name) for name in ("alice", "bob"))
        for node, other in ((alice, bob), (bob, alice)):
            node.wait_for("peer_up", peer_id=other.peer_id)
        alice.deliver("bob", "found you")
        for node in (alice, bob):
            self.assert_health(node)
        self.assertEqual(alice.events("peer_up", peer_id="ghost@CIC"), [])

    def assert_health(self, node: Node) -> None:
        down = self.health(node)[self.down]
        self.assertTrue(down["state"].startswith("down"), down)
        self.assertFalse(down["registered"])
        wait_until(lambda: self.health(node)[self.down]["next_try"] is not None, "the next try")
        wait_until(
            lambda: self.health(node)[self.liar.port]["state"].startswith("talking nonsense"),
            "that one server lies is told",
        )
        good = self.health(node)[self.good.port]
        self.assertEqual((good["state"], good["registered"]), ("up", True))
        self.assertEqual((good["peers"], good["next_try"]), (1, None))

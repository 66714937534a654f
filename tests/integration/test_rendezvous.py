"""When the rendezvous goes away, and when there never was a proper one."""

from collections.abc import Callable
from typing import Any

from tests.integration.cases import NetworkCase
from tests.integration.nodes import Node
from tests.integration.programs import HERE, free_port
from tests.integration.servers import PlayedServer, Request, keep_silent, talk_nonsense
from tests.integration.waiting import wait_until

#: Longest time from the death of the node that serves to another one serving, in seconds.
SUCCESSION_TIME = 10.0


class FailingServerTests(NetworkCase):
    """One test, so that what takes long does not keep the others waiting."""

    def test_nodes_run_on_say_so_once_and_recover(self) -> None:
        down, silent, mad = free_port(), self.play(keep_silent), self.play(talk_nonsense)
        nodes = {port: self.start_at(port) for port in (down, silent.port, mad.port)}
        # it takes one request; if it hung up without an answer, it would be left alone for a minute
        silent.wait_for("REGISTER")
        silent.stop()
        for port, state in ((down, "down"), (mad.port, "talking nonsense")):
            self.assert_warned(nodes[port], port, state)
        for _ in range(3):
            mad.wait_for("REGISTER")
        mad.stop()
        for port in (down, mad.port):
            self.assert_recovers(nodes[port], port)
        self.assert_another_node_serves_when_the_first_is_killed()
        self.assert_warned(nodes[silent.port], silent.port, "silent")
        self.assert_recovers(nodes[silent.port], silent.port)

    def play(self, answer: Callable[[Request], bytes | None]) -> PlayedServer:
        server = PlayedServer(free_port(), answer)
        self.addCleanup(server.close)
        return server

    def start_at(self, port: int) -> Node:
        """Start a node that does not replace the server itself, and soon asks it again."""
        self.rendezvous = port
        settings: dict[str, Any] = {"rendezvous": {"embedded": False}}
        return self.start(f"node-{port}", **settings, connection={"discovery_interval": 4})

    def assert_warned(self, node: Node, port: int, state: str) -> None:
        notice = node.wait_for("notice", level="warning")["text"]
        self.assertIn(f"Rendezvous server {HERE}:{port} is {state}", notice)
        self.assertEqual(node.data("/status")["peers"], 0)

    def assert_recovers(self, node: Node, port: int) -> None:
        """Start a real server in the place of the other: the node must find who is there."""
        self.rendezvous = port
        real = self.start_ready(f"real-{port}")
        back = node.wait_for("notice", level="info")
        self.assertEqual(back["text"], f"Rendezvous server {HERE}:{port} is back")
        node.wait_for("peer_up", peer_id=real.peer_id)
        real.deliver(node.peer_id, "at last")
        self.assertEqual(len(node.events("notice")), 2, node.events("notice"))

    def assert_another_node_serves_when_the_first_is_killed(self) -> None:
        self.rendezvous = free_port()
        alice = self.start_ready("alice")
        bob, carol = self.start("bob"), self.start("carol")
        for node, peers in ((alice, ("bob", "carol")), (bob, ("carol",))):
            for peer in peers:
                node.wait_for("peer_up", peer_id=f"{peer}@CIC")
        self.assertTrue(_server(alice)["serving"])
        alice.kill()
        for node in (bob, carol):
            node.wait_for("peer_down", peer_id="alice@CIC")
        wait_until(
            lambda: _server(bob)["serving"] or _server(carol)["serving"],
            "another node serves",
            SUCCESSION_TIME,
        )
        wait_until(
            lambda: _server(bob)["registered"] and _server(carol)["registered"],
            "all are registered again",
            SUCCESSION_TIME,
        )
        self.assert_newcomer_finds(bob, carol)

    def assert_newcomer_finds(self, *nodes: Node) -> None:
        dave = self.start("dave")
        for node in nodes:
            dave.wait_for("peer_up", peer_id=node.peer_id)
            node.wait_for("peer_up", peer_id="dave@CIC")
            node.deliver("dave", "welcome")
        self.assertEqual(dave.events("peer_up", peer_id="alice@CIC"), [])
        for node in nodes:
            self.assertEqual(len(node.events("peer_up", peer_id="dave@CIC")), 1)


def _server(node: Node) -> dict[str, Any]:
    server: dict[str, Any] = node.data("/status")["rendezvous"][0]
    return server

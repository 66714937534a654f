"""Nodes that find each other through a server of its own, whatever keeps its registrations."""

from tests.integration.cases import NetworkCase
from tests.integration.nodes import Node
from tests.integration.rendezvous_service import Server, ask, names
from tests.integration.waiting import wait_until
from tests.rendezvous.redis_server import RedisServer


class BackendCase(NetworkCase):
    """Two nodes of a group and one of another, none of which serves the rendezvous itself."""

    def make_place(self) -> str:
        """Return where the server is to keep its registrations."""
        return "memory"

    def setUp(self) -> None:
        super().setUp()
        self.place = self.make_place()
        self.start_server()
        self.alice, self.bob, self.carol = self.nodes = (
            self.start_apart("alice"),
            self.start_apart("bob"),
            self.start_apart("carol", "--namespace", "LAB"),
        )

    def start_server(self) -> None:
        home = self.home("server")
        # the tests ask more often than a node does
        options = (
            "--registry",
            self.place,
            "--rate-limit",
            "1000",
            "--data-dir",
            str(home / "data"),
        )
        self.server = Server(home, *options)
        self.addCleanup(self.server.close)
        self.server.wait_until_ready()
        self.rendezvous = self.server.port

    def start_apart(self, name: str, *options: str) -> Node:
        return self.start(name, *options, rendezvous={"embedded": False})

    def assert_all_meet(self) -> None:
        for node in self.nodes:
            for other in self.nodes:
                if other is not node:
                    node.wait_for("peer_up", peer_id=other.peer_id)

    def assert_listed(self, *expected: str) -> None:
        wait_until(
            lambda: names(ask(self.server.port, type="DISCOVER")) == list(expected),
            f"{expected} on the list",
        )


class MemoryTests(BackendCase):
    def test_they_meet_talk_and_leave(self) -> None:
        self.assert_all_meet()
        self.alice.deliver("bob", "hi")
        self.carol.deliver("alice", "hello")
        for node in self.nodes:
            [server] = node.data("/status")["rendezvous"]
            self.assertTrue(server["registered"])
            self.assertFalse(server["serving"])
        self.assert_listed("alice", "bob", "carol")
        self.bob.ask("/quit")
        self.bob.wait_for_exit()
        self.assert_listed("alice", "carol")


class FileTests(MemoryTests):
    def make_place(self) -> str:
        return f"sqlite:{self.home('server') / 'registrations.db'}"


class RedisTests(MemoryTests):
    def make_place(self) -> str:
        return f"redis://127.0.0.1:{RedisServer(self).port}/0"

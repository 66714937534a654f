"""Nodes that find each other through a server of its own, whatever keeps its registrations."""

from tests.integration.cases import NetworkCase
from tests.integration.nodes import Node
from tests.integration.rendezvous_service import ask, names
from tests.integration.waiting import wait_until


class BackendCase(NetworkCase):
    """Two nodes of a group and one of another, none of which serves the rendezvous itself."""

    registry = "memory"

    def setUp(self) -> None:
        super().setUp()
        self.alice, self.bob, self.carol = self.nodes = (
            self.start_apart("alice"),
            self.start_apart("bob"),
            self.start_apart("carol", "--namespace", "LAB"),
        )

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
    registry = "sqlite"


class RedisTests(MemoryTests):
    registry = "redis"

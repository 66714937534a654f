"""Several rendezvous servers on one Redis: what one is told all know, and any of them may die."""

import json
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.cases import NetworkCase
from tests.integration.nodes import Node
from tests.integration.programs import HERE, end, environment, free_port, twistd
from tests.integration.waiting import PATIENCE, wait_until
from tests.rendezvous.redis_server import RedisServer

REGISTER = {"type": "REGISTER", "namespace": "CIC", "name": "ana", "port": 4000, "ttl": 600}
DISCOVER = {"type": "DISCOVER", "namespace": "CIC"}
UNAVAILABLE = {"status": "ERROR", "message": "registry_unavailable"}


class Server:
    """A rendezvous server, as its users start it."""

    def __init__(self, home: Path, redis: int, *options: str) -> None:
        self.port = free_port()
        registry = f"redis://{HERE}:{redis}/1"
        place = ("--bind", HERE, "--port", str(self.port), "--registry", registry)
        home.mkdir()
        self._log = (home / "log").open("wb")
        self.process = subprocess.Popen(
            twistd("p2pchat-rendezvous", *place, *options),
            stdout=self._log,
            stderr=subprocess.STDOUT,
            cwd=home,
            env=environment(home),
        )

    def ask(self, request: dict[str, Any]) -> Any:
        """Send one request and return the answer; None for an empty one."""
        with socket.create_connection((HERE, self.port), PATIENCE) as connection:
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as stream:
                return json.loads(stream.read() or b"null")

    def names(self) -> list[str]:
        """Return who is found, as long as anybody may be."""
        return [peer["name"] for peer in self.ask(DISCOVER).get("peers", [])]

    def listens(self) -> bool:
        try:
            socket.create_connection((HERE, self.port), PATIENCE).close()
        except OSError:
            return False
        return True

    def close(self) -> None:
        end(self.process)
        self._log.close()


#: Seconds between two questions of a node here, and in which a server is back with its Redis.
INTERVAL, RECOVERY = 2, 5


class LostRegistrationsTests(NetworkCase):
    """Redis is killed and comes back with nothing: nodes register again when they ask next."""

    def test_all_are_found_again_within_the_nodes_interval(self) -> None:
        redis = RedisServer(self)
        servers = [self.serve(f"server{number}", redis.port) for number in range(2)]
        alice, bob = (
            self.start_at(name, server)
            for name, server in zip(("alice", "bob"), servers, strict=True)
        )
        for node, other in ((alice, bob), (bob, alice)):
            node.wait_for("peer_up", peer_id=other.peer_id)
        redis.ask("SET", "mark", "1")
        redis.kill()
        redis.start()
        self.assertEqual(redis.ask("EXISTS", "mark"), 0, "it has kept something")
        # a server that was asked nothing before knows only what is in Redis
        for server in (self.serve("server2", redis.port), *servers):
            wait_until(
                lambda: sorted(server.names()) == ["alice", "bob"],  # noqa: B023
                "both are listed again",
                INTERVAL + RECOVERY,
            )
        carol = self.start_at("carol", servers[0])
        for node in (alice, bob):
            carol.wait_for("peer_up", peer_id=node.peer_id)
            self.assertEqual(node.events("peer_down"), [])

    def serve(self, name: str, redis: int) -> Server:
        server = Server(self.folder / name, redis, "--rate-limit", "100000")
        self.addCleanup(server.close)
        wait_until(server.listens, "the server listens")
        return server

    def start_at(self, name: str, server: Server) -> Node:
        self.rendezvous = server.port
        settings: dict[str, Any] = {"rendezvous": {"embedded": False}}
        return self.start(name, **settings, connection={"discovery_interval": INTERVAL})


class SharedRedisTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="p2pchat-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.redis = RedisServer(self)
        self.servers: list[Server] = []

    def start(self, *options: str) -> Server:
        server = Server(self.folder / f"{len(self.servers)}", self.redis.port, *options)
        self.servers.append(server)
        self.addCleanup(server.close)
        wait_until(server.listens, "the server listens")
        return server

    def registers(self, server: Server, name: str = "ana") -> bool:
        answer = server.ask({**REGISTER, "name": name})
        if answer["status"] != "OK":
            self.assertEqual(answer, UNAVAILABLE)
        return bool(answer["status"] == "OK")

    def test_any_server_and_redis_itself_may_die_and_come_back(self) -> None:
        self.redis = RedisServer(self, "--appendonly", "yes", "--appendfsync", "always")
        first, second = (self.start("--rate-limit", "100000") for _ in range(2))
        self.assertTrue(self.registers(first))
        self.assertEqual(second.names(), ["ana"])

        first.process.kill()
        first.process.wait()
        self.assertEqual(second.names(), ["ana"])
        third = self.start("--rate-limit", "100000")
        self.assertEqual(third.names(), ["ana"])

        self.redis.kill()
        wait_until(lambda: not self.registers(second), "registering is refused")
        self.assertEqual(second.names(), ["ana"], "what was known is gone")

        self.redis.start()
        # who is new is listed beside her only by a server that asks Redis, where she still stands
        for server, name in ((second, "bob"), (third, "eva")):
            wait_until(lambda: self.registers(server, name), "Redis is used again")  # noqa: B023
        for server in (second, third, self.start("--rate-limit", "100000")):
            self.assertEqual(sorted(server.names()), ["ana", "bob", "eva"])

    def test_a_server_that_starts_without_redis_serves_when_that_comes(self) -> None:
        self.redis.kill()
        server = self.start("--rate-limit", "100000")
        self.assertFalse(self.registers(server))
        self.assertEqual(server.ask(DISCOVER), UNAVAILABLE)
        self.redis.start()
        wait_until(lambda: self.registers(server), "Redis is used")

    def test_one_that_hangs_is_no_reason_to_wait(self) -> None:
        server = self.start("--rate-limit", "100000")
        self.assertTrue(self.registers(server))
        self.assertEqual(server.names(), ["ana"])
        self.redis.pause()
        self.assertFalse(self.registers(server))
        self.assertEqual(server.names(), ["ana"])
        self.redis.resume()
        wait_until(lambda: self.registers(server), "Redis is used again")

    def test_connections_to_all_servers_are_counted_together(self) -> None:
        first, second = (self.start("--rate-limit", "40") for _ in range(2))
        for server in (first, second):
            server.ask({"type": "?"})
        self.redis.ask("FLUSHALL")  # so that only what follows counts
        answers = [server.ask({"type": "?"}) for _ in range(25) for server in (first, second)]
        messages = [answer and answer["message"] for answer in answers]
        self.assertEqual(messages[:41], ["Unknown command"] * 40 + [None])
        for message in messages[41:]:
            self.assertIn("has been blocked due to excessive login attempts (limit: 40)", message)

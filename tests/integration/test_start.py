"""Starting: what is read from where, what stops a node, and what does not."""

import json
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from tests.integration.cases import NetworkCase
from tests.integration.nodes import Node
from tests.integration.programs import HERE, ROOT, free_port, run, twistd

#: A file's content, and what the line on standard error says of it.
BAD_FILES = (
    ('{"peer": {"nmae": "x"}}', ("peer.nmae: unknown key", "expected namespace, name")),
    ('{"peer": {"port": "4000"}}', ("peer.port: expected a whole number",)),
    ('{"connection": {"ping_interval": 0}}', ("connection.ping_interval: expected",)),
    ('{"logging": {"level": "LOUD"}}', ("logging.level: expected one of DEBUG, INFO",)),
    ("{'peer': {}}", ("not JSON",)),
    (None, ("No such file",)),
)
BAD_OPTIONS = (
    (("--port", "abc"), ("--port: expected a number from 1 to 65535",)),
    (("--rendezvous", "nowhere"), ("--rendezvous: expected HOST:PORT",)),
    (("--archive-port", "0"), ("--archive-port: expected",)),
    (("--archive-bind", "::1"), ("--archive-bind: expected an IPv4 address, got '::1'",)),
    (("--archive-peer", "a:b"), ("--archive-peer: expected HOST or HOST:PORT",)),
    (("--console", "tty"), ("--console tty needs a terminal",)),
    (("--log-file", "/dev/null/x"), ("log file /dev/null/x: ",)),
)


class RefusalTests(NetworkCase):
    """What stops the start: one line on standard error, nothing on standard output."""

    def assert_refused(self, ran: "CompletedProcess[str]", *words: str) -> None:
        self.assertEqual(ran.stderr.count("\n"), 1, ran.stderr)
        self.assertTrue(ran.stderr.startswith("p2pchat: "), ran.stderr)
        for word in words:
            self.assertIn(word, ran.stderr)
        self.assertEqual(ran.stdout, "")
        self.assertNotIn(ran.returncode, (0, None))

    def run_all(self, commands: Sequence[Sequence[str]]) -> "list[CompletedProcess[str]]":
        """Run several nodes that end by themselves, two at a time, each in a home of its own."""
        homes = [f"user-{number}" for number in range(len(commands))]
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(self.run_node, homes, *zip(*commands, strict=True)))

    def run_node(self, home: str, *options: str) -> "CompletedProcess[str]":
        server = f"{HERE}:{self.rendezvous}"
        place = ("--bind", HERE, "--port", str(free_port()), "--rendezvous", server)
        command = twistd("p2pchat", "--name", "alice", *place, "--console", "json", *options)
        return run(command, self.home(home))

    def test_a_configuration_that_cannot_be_used(self) -> None:
        paths = [self.folder / f"{number}.json" for number in range(len(BAD_FILES))]
        for path, (content, _) in zip(paths, BAD_FILES, strict=True):
            if content is not None:
                path.write_text(content)
        ran = self.run_all([("--config", str(path)) for path in paths])
        for path, (_, words), result in zip(paths, BAD_FILES, ran, strict=True):
            self.assert_refused(result, f"p2pchat: {path}: ", *words)

    def test_options_that_cannot_be_used(self) -> None:
        ran = self.run_all([options for options, _ in BAD_OPTIONS])
        for (_, words), result in zip(BAD_OPTIONS, ran, strict=True):
            self.assert_refused(result, *words)

    def test_the_second_node_of_a_name(self) -> None:
        alice = self.start_ready("alice")
        again = self.run_node("alice")
        self.assert_refused(again, "alice@CIC is running already", "choose another --name")
        self.assertEqual(alice.data("/status")["peer_id"], "alice@CIC")

    def test_a_port_asked_for_that_is_taken(self) -> None:
        with socket.create_server((HERE, 0)) as taken:
            port = taken.getsockname()[1]
            by_option = self.run_node("alice", "--port", str(port))
            home = self.home("bob")
            (home / "config.json").write_text(json.dumps({"peer": {"port": port}}))
            place = ("--name", "bob", "--bind", HERE, "--no-rendezvous")
            by_file = run(twistd("p2pchat", *place), home)
        for ran in (by_option, by_file):
            self.assert_refused(ran, f"cannot listen on {HERE}:{port}", "in use", "--port")


class DefaultTests(NetworkCase):
    def test_two_nodes_in_one_folder_with_the_shipped_configuration(self) -> None:
        """The default port is taken for one of them at least, which takes a free one.

        As the README starts them, but for the ports that others on this machine may use: the
        archive's, which only one of the two gets, is no more in the way than that of the peers.
        """
        home = self.home("both")
        shipped = json.loads((ROOT / "config.json").read_text())
        shipped["rendezvous"]["port"] = self.rendezvous
        self.archive_port = str(free_port())
        (home / "config.json").write_text(json.dumps(shipped))
        alice, bob = (self.start_here(home, name) for name in ("alice", "bob"))
        self.assertNotEqual(alice.port, bob.port)
        others = [node for node in (alice, bob) if node.port != 4000]
        self.assertTrue(others)
        for node in others:
            text = f"port 4000 is taken; using {node.port}"
            node.wait_for("notice", level="info", text=text)
        self.assert_talk(alice, bob)
        files = [node.data("/status")["log_file"] for node in (alice, bob)]
        self.assertNotEqual(*files)

    def start_here(self, home: Path, name: str) -> Node:
        archive = ("--archive-port", self.archive_port)
        return self.start_in(home, "--name", name, "--bind", HERE, *archive)

    def assert_talk(self, alice: Node, bob: Node) -> None:
        alice.wait_for("peer_up", peer_id="bob@CIC")
        bob.wait_for("peer_up", peer_id="alice@CIC")
        alice.deliver("bob", "hi")
        bob.deliver("alice", "hi")


class PrecedenceTests(NetworkCase):
    """Defaults < config.json < command line; and which config.json."""

    def status(self, *options: str, **changes: str) -> dict[str, Any]:
        """Start a node, ask for its status and let it end."""
        home = self.home("alice")
        place = ("--bind", HERE, "--port", str(free_port()), "--no-rendezvous", "--no-archive")
        command = twistd("p2pchat", *place, "--console", "json", *options)
        ran = run(command, home, "/status\n/quit\n", **changes)
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        events = [json.loads(line) for line in ran.stdout.splitlines()]
        return next(event["data"] for event in events if event.get("command") == "/status")

    def test_defaults_then_a_file_then_the_command_line(self) -> None:
        """The file named, else the one here, else the one of the user."""
        settings = self.folder / "settings"
        named = self.folder / "named.json"
        self.assert_status(self.status(), "user@CIC", "INFO")
        _write(settings / "p2pchat" / "config.json", "users", "LAB", "WARNING")
        self.assert_status(self.status(XDG_CONFIG_HOME=str(settings)), "users@LAB", "WARNING")
        _write(self.home("alice") / "config.json", "here", "LAB", "WARNING")
        self.assert_status(self.status(XDG_CONFIG_HOME=str(settings)), "here@LAB", "WARNING")
        _write(named, "named", "HALL", "ERROR")
        log = self.folder / "there.log"
        typed = ("--name", "typed", "--log-level", "debug", "--log-file", str(log))
        status = self.status("--config", str(named), *typed)
        self.assert_status(status, "typed@HALL", "DEBUG")
        self.assertEqual(status["log_file"], str(log))
        self.assertIn("typed@HALL listens on", log.read_text())

    def assert_status(self, status: dict[str, Any], peer_id: str, level: str) -> None:
        self.assertEqual((status["peer_id"], status["log_level"]), (peer_id, level))


def _write(path: Path, name: str, namespace: str, level: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    settings = {"peer": {"name": name, "namespace": namespace}, "logging": {"level": level}}
    path.write_text(json.dumps(settings))


class TwistdTests(NetworkCase):
    def test_version_and_help(self) -> None:
        home = self.home("alice")
        version = run(twistd("p2pchat", "--version"), home)
        self.assertRegex(version.stdout, r"^p2pchat \d+(\.\d+)+\S*\n$")
        self.assertEqual((version.returncode, version.stderr), (0, ""))
        self.assertRegex(run(twistd("--help"), home).stdout, r"\n +p2pchat +\S")
        options = run(twistd("p2pchat", "--help"), home).stdout
        for name in ("name", "namespace", "port", "bind", "config", "rendezvous", "no-rendezvous"):
            self.assertIn(f"--{name}", options)
        for name in ("data-dir", "log-level", "log-file", "console", "version"):
            self.assertIn(f"--{name}", options)
        for name in ("archive-peer=", "archive-bind=", "archive-port=", "no-archive", "classic"):
            self.assertIn(f"--{name}", options)

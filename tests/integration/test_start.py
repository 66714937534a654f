"""Starting: what is read from where, what stops a node, and what does not."""

import json
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import CompletedProcess

from tests.integration.cases import NetworkCase
from tests.integration.nodes import Node
from tests.integration.programs import HERE, ROOT, free_port, occupied, run, twistd

#: A file's content, and what the line on standard error says of it.
BAD_FILES = (
    ('{"peer": {"nmae": "x"}}', ("peer.nmae: unknown key", "expected namespace, name")),
    ('{"peer": {"port": "4000"}}', ("peer.port: expected `int`",)),
    ('{"connection": {"ping_interval": 0}}', ("connection.ping_interval: expected",)),
    ('{"logging": {"level": "LOUD"}}', ("logging.level: expected one of DEBUG, INFO",)),
    ("{'peer': {}}", ("not JSON",)),
    (None, ("No such file",)),
)
BAD_OPTIONS = (
    (("--port", "abc"), ("--port: expected `int`",)),
    (("--rendezvous", "nowhere"), ("--rendezvous: expected HOST:PORT",)),
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
        """Run several nodes that end by themselves, two at a time."""
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(lambda options: self.run_node(*options), commands))

    def run_node(self, *options: str) -> "CompletedProcess[str]":
        server = f"{HERE}:{self.rendezvous}"
        place = ("--bind", HERE, "--port", str(free_port()), "--rendezvous", server)
        command = twistd("p2pchat", "--name", "alice", *place, "--console", "json", *options)
        return run(command, self.home("alice"))

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
        again = self.run_node()
        self.assert_refused(again, "alice@CIC is running already", "choose another --name")
        self.assertEqual(alice.data("/status")["peer_id"], "alice@CIC")

    def test_a_port_asked_for_that_is_taken(self) -> None:
        with socket.create_server((HERE, 0)) as taken:
            port = taken.getsockname()[1]
            by_option = self.run_node("--port", str(port))
            (self.home("alice") / "config.json").write_text(json.dumps({"peer": {"port": port}}))
            by_file = run(
                twistd("p2pchat", "--name", "bob", "--bind", HERE, "--no-rendezvous"),
                self.home("alice"),
            )
        for ran in (by_option, by_file):
            self.assert_refused(ran, f"cannot listen on {HERE}:{port}", "in use", "--port")


class DefaultTests(NetworkCase):
    def test_two_nodes_in_one_folder_with_the_shipped_configuration(self) -> None:
        """The default port is taken for one of them at least, which takes a free one."""
        home = self.home("both")
        shipped = json.loads((ROOT / "config.json").read_text())
        shipped["rendezvous"]["port"] = self.rendezvous
        (home / "config.json").write_text(json.dumps(shipped))
        alice, bob = (self.start_here(home, name) for name in ("alice", "bob"))
        self.assertNotEqual(alice.port, bob.port)
        others = [node for node in (alice, bob) if node.port != 4000]
        self.assertTrue(others)
        for node in others:
            notice = node.wait_for("notice", level="info")["text"]
            self.assertIn("port 4000 is taken", notice)
            self.assertIn(str(node.port), notice)
        self.assert_talk(alice, bob)
        files = [node.data("/status")["log_file"] for node in (alice, bob)]
        self.assertNotEqual(*files)

    def start_here(self, home: Path, name: str) -> Node:
        return self.start_in(home, "--name", name, "--bind", HERE)

    def test_the_default_port_is_taken(self) -> None:
        home = self.home("alice")
        with occupied(4000):
            node = self.start_in(home, "--name", "alice", "--bind", HERE, "--no-rendezvous")
            self.assertNotEqual(node.port, 4000)
        notice = node.wait_for("notice", level="info")["text"]
        self.assertIn("port 4000 is taken", notice)
        self.assertIn(str(node.port), notice)
        self.assertEqual(node.data("/status")["port"], node.port)

    def assert_talk(self, alice: Node, bob: Node) -> None:
        alice.wait_for("peer_up", peer_id="bob@CIC")
        bob.wait_for("peer_up", peer_id="alice@CIC")
        alice.deliver("bob", "hi")
        bob.deliver("alice", "hi")


class PrecedenceTests(NetworkCase):
    """Defaults < config.json < command line; and which config.json."""

    def status(self, *options: str, **changes: str) -> dict[str, object]:
        """Start a node, ask for its status and let it end."""
        home = self.home("alice")
        place = ("--bind", HERE, "--port", str(free_port()), "--no-rendezvous")
        command = twistd("p2pchat", *place, "--console", "json", *options)
        ran = run(command, home, stdin="/status\n/quit\n", **changes)
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        events = [json.loads(line) for line in ran.stdout.splitlines()]
        [status] = [event["data"] for event in events if event.get("command") == "/status"]
        return status

    def test_defaults_then_file_then_command_line(self) -> None:
        status = self.status()
        self.assertEqual((status["peer_id"], status["log_level"]), ("user@CIC", "INFO"))
        settings = {"peer": {"name": "file", "namespace": "LAB"}, "logging": {"level": "WARNING"}}
        (self.home("alice") / "config.json").write_text(json.dumps(settings))
        status = self.status()
        self.assertEqual((status["peer_id"], status["log_level"]), ("file@LAB", "WARNING"))
        log = self.folder / "there.log"
        status = self.status("--name", "typed", "--log-level", "debug", "--log-file", str(log))
        self.assertEqual((status["peer_id"], status["log_level"]), ("typed@LAB", "DEBUG"))
        self.assertEqual(status["log_file"], str(log))
        self.assertIn("typed@LAB listens on", log.read_text())

    def test_the_file_named_then_the_one_here_then_the_one_of_the_user(self) -> None:
        user = self.folder / "settings"
        named = self.folder / "named.json"
        here = self.home("alice") / "config.json"
        places = ((user / "p2pchat" / "config.json", "user"), (here, "here"), (named, "named"))
        for path, name in places:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({"peer": {"name": name}}))
            options = ("--config", str(path)) if path is named else ()
            status = self.status(*options, XDG_CONFIG_HOME=str(user))
            self.assertEqual(status["peer_id"], f"{name}@CIC")


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

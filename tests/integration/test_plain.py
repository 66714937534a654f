"""The plain console: commands by a pipe, and a node without anybody to command it."""

import os
import signal
import subprocess
from pathlib import Path

from tests.integration.cases import NetworkCase
from tests.integration.kinds import Slow
from tests.integration.programs import HERE, end, environment, free_port, run, twistd
from tests.integration.waiting import PATIENCE, wait_until


class PlainCase(NetworkCase):
    """A node bob that is up and serves the rendezvous, and the beginnings of another one."""

    def setUp(self) -> None:
        super().setUp()
        self.bob = self.start_ready("bob")

    def options(self, name: str) -> tuple[str, ...]:
        server = f"{HERE}:{self.rendezvous}"
        place = ("--bind", HERE, "--port", str(free_port()), "--rendezvous", server)
        return ("p2pchat", "--name", name, "--no-archive", *place)


class PipeTests(PlainCase):
    def test_a_message_by_a_pipe_to_a_node_that_has_just_started(self) -> None:
        """As in `printf '/msg bob hi\\n' | twistd -n p2pchat`: the message arrives."""
        ran = run(twistd(*self.options("alice")), self.home("alice"), "/msg bob olá  😀\n")
        self.assertEqual((ran.returncode, ran.stderr), (0, ""), ran.stdout)
        self.assertRegex(ran.stdout, r"(?m)^\d\d:\d\d:\d\d ✓✓ delivered → bob@CIC: olá  😀$")
        self.assertEqual(self.bob.wait_for("message", from_="alice@CIC")["text"], "olá  😀")
        self.assertIn("goodbye", self.bob.wait_for("peer_down", peer_id="alice@CIC")["reason"])

    def test_lines_without_escape_codes_until_all_is_settled(self) -> None:
        """Even for a user whose terminal has colours, and with the last line left open."""
        slow = Slow("slow")
        self.addCleanup(slow.close)
        slow.register(self.rendezvous)
        typed = "/help\n/peers\nhi\n/msg nobody hi\n/status\n\n/conn\n/msg slow hi"
        command = twistd(*self.options("alice"))
        ran = run(command, self.home("alice"), typed, TERM="xterm-256color")
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        self.assertNotRegex(ran.stdout, r"[\x00-\x09\x0b-\x1f\x7f]")
        lines = ran.stdout.splitlines()
        for line in lines:
            self.assertRegex(line, r"^\d\d:\d\d:\d\d \S")
        for words in ("/msg PEER TEXT", "no peer nobody is known", "no partner yet"):
            self.assertTrue([line for line in lines if words in line], ran.stdout)
        self.assertIn("✓✓ delivered → slow@CIC: hi\n", ran.stdout)
        self.assertEqual(slow.violations, [])


class OldTests(PlainCase):
    def test_what_became_too_old_while_the_node_was_off_is_told_with_its_text(self) -> None:
        alice = self.start_ready("alice")
        alice.data("/msg zed@CIC see you tomorrow")
        alice.kill()
        (self.home("alice") / "config.json").write_text('{"outbox": {"max_days": 1e-7}}')
        ran = run(twistd(*self.options("alice")), self.home("alice"), "/outbox\n")
        failed = [line for line in ran.stdout.splitlines() if "zed@CIC" in line]
        text = "✗ not delivered → zed@CIC: see you tomorrow (no confirmation within 1e-07 days)"
        self.assertEqual([line[9:] for line in failed], [text], ran.stdout)
        self.assertIn("nothing waits to be delivered", ran.stdout)


class NobodyTests(PlainCase):
    """A node without an input stays until a signal ends it, and says nothing."""

    def test_no_input(self) -> None:
        null = self.start_without("alice", (), subprocess.DEVNULL)
        closed = self.start_without("carol", ("/bin/sh", "-c", 'exec "$@" <&-', "sh"), None)
        for name, process in (("alice", null), ("carol", closed)):
            self.bob.wait_for("peer_up", peer_id=f"{name}@CIC")
            self.bob.deliver(name, "are you there?")
            self.assertIsNone(process.poll())
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(PATIENCE), -signal.SIGTERM)
            self.bob.wait_for("peer_down", peer_id=f"{name}@CIC")
            self.assertEqual((self.home(name) / "output").read_text(), "")

    def start_without(
        self, name: str, prefix: tuple[str, ...], stdin: int | None
    ) -> "subprocess.Popen[bytes]":
        """Start a node without an input; what it writes goes to a file."""
        home = self.home(name)
        command = [*prefix, *twistd(*self.options(name))]
        with (home / "output").open("wb") as output:
            process = subprocess.Popen(
                command, stdin=stdin, stdout=output, stderr=output, cwd=home, env=environment(home)
            )
        self.addCleanup(end, process)
        return process

    def test_in_the_background(self) -> None:
        """Without -n twistd leaves two nodes behind, with a pid file each; neither disturbs."""
        self.addCleanup(_end_all, self.home("both"))
        pids = [self.start_behind(name) for name in ("alice", "carol")]
        for name in ("alice", "carol"):
            self.bob.wait_for("peer_up", peer_id=f"{name}@CIC")
        for pid in pids:
            os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not any(map(_runs, pids)), f"the end of {pids}")
        for name in ("alice", "carol"):
            reason = self.bob.wait_for("peer_down", peer_id=f"{name}@CIC")["reason"]
            self.assertIn("goodbye", reason)
        self.assertEqual(list(self.home("both").rglob("twistd*.pid")), [])

    def start_behind(self, name: str) -> int:
        """Start a node in the folder that both share and return its process id."""
        home = self.home("both")
        command = [twistd()[0], *self.options(name)]
        ran = run(command, home)
        self.assertEqual((ran.returncode, ran.stdout, ran.stderr), (0, "", ""))
        [file] = wait_until(lambda: list(home.rglob(f"{name}@CIC/*.pid")), "the pid file")
        return int(wait_until(file.read_text, "the process id"))


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def _end_all(home: Path) -> None:
    """End what a failed test left behind."""
    for file in home.rglob("*.pid"):
        pid = int(file.read_text())
        if _runs(pid):
            os.kill(pid, signal.SIGKILL)

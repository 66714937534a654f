"""The plain console: commands by a pipe, and a node without anybody to command it."""

import os
import signal
import subprocess
from pathlib import Path

from tests.integration.cases import NetworkCase
from tests.integration.legacy import Slow
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
        return ("p2pchat", "--name", name, *place)


class PipeTests(PlainCase):
    def test_a_message_by_a_pipe_to_a_node_that_has_just_started(self) -> None:
        """As in `printf '/msg bob hi\\n' | twistd -n p2pchat`: the message arrives."""
        ran = run(twistd(*self.options("alice")), self.home("alice"), stdin="/msg bob olá  😀\n")
        self.assertEqual((ran.returncode, ran.stderr), (0, ""), ran.stdout)
        self.assertRegex(ran.stdout, r"(?m)^\d\d:\d\d:\d\d ✓✓ delivered → bob@CIC: olá  😀$")
        self.assertEqual(self.bob.wait_for("message", from_="alice@CIC")["text"], "olá  😀")
        self.assertIn("goodbye", self.bob.wait_for("peer_down", peer_id="alice@CIC")["reason"])

    def test_the_end_of_input_waits_for_what_is_under_way(self) -> None:
        slow = Slow("slow")
        self.addCleanup(slow.close)
        slow.register(self.rendezvous)
        ran = run(twistd(*self.options("alice")), self.home("alice"), stdin="/msg slow hi")
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        self.assertIn("✓✓ delivered → slow@CIC: hi\n", ran.stdout)
        self.assertEqual(slow.violations, [])

    def test_output_is_lines_without_escape_codes(self) -> None:
        """Even for a user whose terminal has colours, and with the last line left open."""
        typed = "/help\n/peers\nhi\n/msg nobody hi\n/status\n\n/conn"
        command = twistd(*self.options("alice"))
        ran = run(command, self.home("alice"), stdin=typed, TERM="xterm-256color")
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        self.assertNotRegex(ran.stdout, r"[\x00-\x09\x0b-\x1f\x7f]")
        lines = ran.stdout.splitlines()
        for line in lines:
            self.assertRegex(line, r"^\d\d:\d\d:\d\d \S")
        for words in ("/msg PEER TEXT", "no peer nobody is known", "no partner yet"):
            self.assertTrue([line for line in lines if words in line], ran.stdout)
        self.assertNotIn("Traceback", ran.stdout)


class NobodyTests(PlainCase):
    """A node without an input stays until a signal ends it, and says nothing."""

    def assert_stays(self, command: list[str], stdin: int | None) -> None:
        home = self.home("alice")
        output = (self.folder / "output").open("w+")
        self.addCleanup(output.close)
        process = subprocess.Popen(
            command, stdin=stdin, stdout=output, stderr=output, cwd=home, env=environment(home)
        )
        self.addCleanup(end, process)
        self.bob.wait_for("peer_up", peer_id="alice@CIC")
        self.bob.deliver("alice", "are you there?")
        self.assertIsNone(process.poll())
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(PATIENCE), -signal.SIGTERM)
        self.bob.wait_for("peer_down", peer_id="alice@CIC")
        output.seek(0)
        self.assertEqual(output.read(), "")

    def test_no_input(self) -> None:
        command = twistd(*self.options("alice"))
        self.assert_stays(command, subprocess.DEVNULL)
        self.assert_stays(["/bin/sh", "-c", 'exec "$@" <&-', "sh", *command], None)

    def test_in_the_background(self) -> None:
        """Without -n twistd leaves two nodes behind, with a pid file each; neither disturbs."""
        pids = [self.start_behind(name) for name in ("alice", "carol")]
        for name in ("alice", "carol"):
            self.bob.wait_for("peer_up", peer_id=f"{name}@CIC")
        for pid in pids:
            os.kill(pid, signal.SIGTERM)
        for pid in pids:
            wait_until(lambda pid=pid: not _runs(pid), f"the end of {pid}")
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
        pid = int(wait_until(file.read_text, "the process id"))
        self.addCleanup(_end, pid)
        return pid


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def _end(pid: int) -> None:
    if _runs(pid):
        os.kill(pid, signal.SIGKILL)

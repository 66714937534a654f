"""What the plugin does before there is a node."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.temporary import temporary_path

#: In a process of its own, as a reactor is chosen once and for all.
_CHOOSE = """
import time
from p2pchat.process import install_reactor
install_reactor()
from twisted.internet import reactor
ran = []
reactor.callLater(0.01, lambda: (ran.append(1), reactor.stop()))
reactor.run()
print(type(reactor).__mro__[1].__name__, len(ran), abs(reactor.seconds() - time.monotonic()) < 5)
"""

#: In a process of its own too, since options change limits of the process.
_PARSE = """
import sys
import msgspec
from p2pchat.tap import Options
options = Options()
options.parseOptions(sys.argv[1:])
told = {
    "archive": options.settings.archive,
    "classic": bool(options["classic-commands"]),
    "switch": sys.getswitchinterval(),
    "folder": sorted(path.name for path in options.data_dir.iterdir()),
}
print(msgspec.json.encode(told).decode())
"""


class ReactorTests(SynchronousTestCase):
    def test_its_time_is_monotonic_so_that_setting_the_clock_stops_no_timer(self) -> None:
        done = subprocess.run(
            [sys.executable, "-c", _CHOOSE], capture_output=True, text=True, timeout=30
        )
        self.assertEqual(done.stdout.split(), ["AsyncioSelectorReactor", "1", "True"], done.stderr)


class OptionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.home = temporary_path(self)
        self.home.mkdir()

    def run_options(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Parse a command line where no other configuration is."""
        root = str(Path(__file__).parents[1])
        return subprocess.run(
            [sys.executable, "-c", _PARSE, "--name", "alice", "--data-dir", "data", *arguments],
            capture_output=True,
            text=True,
            timeout=30,
            cwd=self.home,
            env={**os.environ, "XDG_CONFIG_HOME": str(self.home), "PYTHONPATH": root},
        )

    def parse(self, *arguments: str) -> dict[str, Any]:
        done = self.run_options(*arguments)
        self.assertEqual(done.stderr, "")
        parsed: dict[str, Any] = json.loads(done.stdout)
        return parsed

    def assert_archive(self, parsed: dict[str, Any], **expected: object) -> None:
        self.assertEqual(parsed["archive"] | expected, parsed["archive"])

    def test_without_options_there_is_an_archive_on_its_port(self) -> None:
        parsed = self.parse()
        self.assert_archive(parsed, enabled=True, peers=[], bind="", port=51511)
        self.assertEqual((parsed["classic"], parsed["folder"]), (False, ["lock"]))

    def test_the_reactor_gets_the_interpreter_back_from_a_thread_in_time(self) -> None:
        self.assertLess(self.parse()["switch"], 0.001)

    def test_the_options_of_the_archive(self) -> None:
        peers = ("--archive-peer", "127.0.0.2", "--archive-peer=example.org:5000")
        place = ("--archive-bind", "127.0.0.3", "--archive-port", "5001")
        parsed = self.parse(*peers, *place, "--classic-commands")
        expected = ["127.0.0.2", "example.org:5000"]
        self.assert_archive(parsed, enabled=True, peers=expected, bind="127.0.0.3", port=5001)
        self.assertTrue(parsed["classic"])

    def test_they_come_before_the_file_and_no_archive_is_none(self) -> None:
        settings = {"archive": {"peers": ["127.0.0.2"], "port": 5001, "miners": 2}}
        (self.home / "config.json").write_text(json.dumps(settings))
        self.assert_archive(self.parse(), peers=["127.0.0.2"], port=5001)
        options = ("--archive-peer", "127.0.0.4", "--archive-port", "5002", "--no-archive")
        self.assert_archive(
            self.parse(*options), enabled=False, peers=["127.0.0.4"], port=5002, miners=2
        )

    def test_a_mistake_is_one_line_that_names_the_option(self) -> None:
        for option, value, words in (
            ("--archive-port", "x", "expected a number from 1 to 65535, got 'x'"),
            ("--archive-port", "65536", "expected int <= 65535"),
            ("--archive-bind", "::1", "expected an IPv4 address, got '::1'"),
            ("--archive-peer", "a:b", "expected HOST or HOST:PORT, got 'a:b'"),
            ("--archive-peer", "", "expected str of length >= 1"),
        ):
            done = self.run_options(option, value)
            self.assertEqual(done.stderr, f"p2pchat: {option}: {words}\n")
            self.assertEqual((done.returncode, done.stdout), (1, ""))

"""What the plugin does before there is a node."""

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import msgspec
from twisted.internet.defer import fail
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.config import Config, Peer
from p2pchat.events import Notice
from p2pchat.history import Entry
from p2pchat.tap import NodeService
from tests.simulation.nodes import SilentLogs
from tests.temporary import temporary_path
from tests.ui.fakes import NOON, ThreadedClock, noon

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
        fifo = self.home / "fifo"
        os.mkfifo(fifo)
        for option, value, words in (
            ("--archive-port", "x", "expected a number from 1 to 65535, got 'x'"),
            ("--archive-port", "65536", "expected a whole number <= 65535"),
            ("--archive-bind", "::1", "expected an IPv4 address, got '::1'"),
            ("--archive-peer", "a:b", "expected HOST or HOST:PORT, got 'a:b'"),
            ("--archive-peer", "", "expected a text of length >= 1"),
            ("--import", str(self.home / "none"), "No such file or directory"),
            ("--import", str(self.home), "not a regular file"),
            ("--import", str(fifo), "not a regular file"),
        ):
            done = self.run_options(option, value)
            named = f"{option} {value}" if option == "--import" else option
            self.assertEqual(done.stderr, f"p2pchat: {named}: {words}\n")
            self.assertEqual((done.returncode, done.stdout), (1, ""))


class ImportTests(SynchronousTestCase):
    """What the user hears of --import, however it ends."""

    def setUp(self) -> None:
        self.file = temporary_path(self)
        self.notices: list[tuple[str, str]] = []
        config = Config(peer=Peer(name="alice"))
        self.clock = ThreadedClock()
        self.node = NodeService(
            *(self.clock, Random(1), noon, config, SilentLogs(), lambda: None),
            observer=None,
            to_import=self.file,
        )
        self.node.subscribe(self.note)
        self.successResultOf(self.node.history.open())

    def note(self, event: object) -> None:
        if isinstance(event, Notice):
            self.notices.append((event.level, event.text))

    def load(self, *lines: bytes) -> tuple[str, str]:
        """Import lines; return the last notice."""
        self.file.write_bytes(b"".join(line + b"\n" for line in lines))
        self.notices.clear()
        self.node.history_opened()
        self.assertEqual(self.notices, [("info", f"importing {self.file}")])
        self.clock.run_until(lambda: len(self.notices) > 1)
        return self.notices[1]

    def line(self, msg_id: str, **changes: Any) -> bytes:
        entry = Entry(
            **{"time": NOON, "msg_id": msg_id, "source": "bob@CIC", "to": "alice@CIC"},
            **{"text": "hi", "kind": "send", "direction": "in"},
        )
        return msgspec.json.encode(msgspec.structs.replace(entry, **changes))

    def test_how_many_came(self) -> None:
        lines = [self.line("1"), self.line("2"), self.line("3", to="carol@CIC")]
        words = "2 messages added, 0 skipped, 1 left out (between others)"
        self.assertEqual(self.load(*lines), ("info", f"{self.file}: {words}"))
        self.assertIn("0 messages added, 2 skipped (there already", self.load(*lines)[1])

    def test_which_line_is_bad_and_what_came_before_it(self) -> None:
        late = self.line("2", time=NOON + timedelta(days=2))
        level, text = self.load(self.line("1"), late)
        self.assertEqual(level, "error")
        self.assertTrue(text.startswith(f"--import: {self.file}, line 2: the time 2025-"), text)
        self.assertTrue(text.endswith("; before it: 1 message added, 0 skipped"), text)
        self.assertTrue(self.load(b"x")[1].endswith("; nothing is imported"))

    def test_that_something_unforeseen_went_wrong(self) -> None:
        self.patch(self.node.history, "import_entries", lambda page: fail(KeyError("x")))
        told = self.load(self.line("1"))
        self.assertEqual(told, ("error", "--import: import failed, the log tells more"))
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

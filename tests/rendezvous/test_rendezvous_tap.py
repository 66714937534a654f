"""The command line of the rendezvous server, and what is made of it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.config import SERVER_OPTIONS, RendezvousServer
from p2pchat.rendezvous.limits import DEFAULT_LIMITS
from p2pchat.rendezvous_options import Options
from p2pchat.rendezvous_tap import server_limits, without_password
from tests.forked import Done, run_each
from tests.temporary import temporary_path

ROOT = Path(__file__).parents[2]

#: In a process of its own, since options change limits of the process.
_PARSE = """
import msgspec
from p2pchat.rendezvous_options import Options

def parse(arguments):
    options = Options()
    options.parseOptions(arguments)
    told = {
        "server": options.settings.rendezvous_server,
        "logging": options.settings.logging,
        "metrics": options.settings.metrics,
        "registry": options.registry,
        "log_file": options.log_file,
        "folder": sorted(path.name for path in options.data_dir.iterdir()),
    }
    print(msgspec.json.encode(told).decode())
"""

#: In a process of its own, as a reactor is chosen once and for all.
_CHOOSE = """
import time
from p2pchat.process import install_fast_reactor
install_fast_reactor()
from twisted.internet import reactor
ran = []
reactor.callLater(0.01, lambda: (ran.append(1), reactor.stop()))
reactor.run()
print(len(ran), abs(reactor.seconds() - time.monotonic()) < 5)
"""

#: Options that stand for no key of the configuration.
_OWN = {"--config", "--data-dir", "--help", "--version"}


class ReactorTests(SynchronousTestCase):
    def test_its_time_is_monotonic_so_that_setting_the_clock_stops_no_timer(self) -> None:
        done = subprocess.run(
            [sys.executable, "-c", _CHOOSE],
            capture_output=True,
            text=True,
            timeout=30,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        self.assertEqual(done.stdout.split(), ["1", "True"], done.stderr)


class OptionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.home = temporary_path(self)
        self.home.mkdir()

    def run_each(self, *command_lines: tuple[str, ...]) -> list[Done]:
        """Parse command lines where no other configuration is."""
        return run_each(
            _PARSE, (("--data-dir", "data", *line) for line in command_lines), self.home
        )

    def parse_each(self, *command_lines: tuple[str, ...]) -> list[dict[str, Any]]:
        ended = self.run_each(*command_lines)
        self.assertEqual([done.stderr for done in ended], [""] * len(ended))
        return [json.loads(done.stdout) for done in ended]

    def parse(self, *arguments: str) -> dict[str, Any]:
        (parsed,) = self.parse_each(arguments)
        return parsed

    def test_without_options(self) -> None:
        parsed = self.parse()
        self.assertEqual(msgspec.convert(parsed["server"], RendezvousServer), RendezvousServer())
        self.assertEqual(parsed["registry"], f"sqlite:{self.home}/data/registrations.db")
        self.assertEqual((parsed["log_file"], parsed["folder"]), ("-", ["lock"]))
        self.assertEqual(parsed["metrics"], {"port": None, "bind": "127.0.0.1"})

    def test_options_come_before_the_file(self) -> None:
        settings = {
            "rendezvous_server": {"port": 1, "rate_limit": 2, "trust_proxy": True},
            "logging": {"format": "json", "level": "ERROR"},
        }
        (self.home / "config.json").write_text(json.dumps(settings))
        parsed = self.parse()
        server = parsed["server"]
        self.assertEqual(
            (server["port"], server["rate_limit"], server["trust_proxy"]), (1, 2, True)
        )
        self.assertEqual(parsed["logging"]["format"], "json")
        parsed = self.parse("--port", "3", "--read-deadline=2.5", "--log-level", "debug")
        server = parsed["server"]
        self.assertEqual((server["port"], server["rate_limit"]), (3, 2))
        self.assertEqual((server["read_deadline"], server["trust_proxy"]), (2.5, True))
        self.assertEqual(parsed["logging"]["level"], "DEBUG")

    def test_every_option_reaches_its_key(self) -> None:
        values: dict[str, Any] = {
            "bind": "127.0.0.1",
            "registry": "memory",
            "line_limit": 1000,
        }
        for number, key in enumerate(RendezvousServer.__struct_fields__, 10):
            if key != "trust_proxy":
                values.setdefault(key, number)
        given = [
            f"{SERVER_OPTIONS[f'rendezvous_server.{key}']}={value}" for key, value in values.items()
        ]
        parsed = self.parse(*given, "--trust-proxy")
        self.assertEqual(parsed["server"], {**values, "trust_proxy": True})

    def test_a_file_is_kept_where_it_was_named(self) -> None:
        places = ("memory", "sqlite:/a/b.db", "redis://:pw@host:1/2")
        lines = [("--registry", place) for place in ("sqlite:x.db", *places)]
        parsed = [one["registry"] for one in self.parse_each(*lines)]
        self.assertEqual(parsed, [f"sqlite:{self.home}/x.db", *places])

    def test_a_mistake_is_one_line_that_names_the_option(self) -> None:
        mistakes = (
            ("--port", "x", "expected a number, got 'x'"),
            ("--port", "65536", "expected a whole number <= 65535"),
            ("--port", "80.5", "expected a whole number, got a floating-point number"),
            ("--rate-limit", "0", "expected a whole number >= 1"),
            ("--rate-window", "-1", "expected a number > 0.0"),
            ("--read-deadline", "nan", "expected a number, got 'nan'"),
            ("--block-time", "100000", "expected a number <= 86400.0"),
            ("--line-limit", "5", "expected a whole number >= 256"),
            ("--bind", "localhost", "expected an IP address, got 'localhost'"),
            ("--metrics-bind", "x", "expected an IP address, got 'x'"),
            ("--log-format", "xml", "expected one of text, json, got 'xml'"),
            ("--log-level", "loud", "expected one of DEBUG, INFO, WARNING, ERROR, got 'LOUD'"),
        )
        ended = self.run_each(*((f"{option}={value}",) for option, value, _ in mistakes))
        for (option, _, words), done in zip(mistakes, ended, strict=True):
            self.assertIn(f"p2pchat-rendezvous: {option}: {words}", done.stderr)
            self.assertEqual(done.stderr.count("\n"), 1)
            self.assertEqual((done.returncode, done.stdout), (1, ""))

    def test_a_mistake_in_the_file_names_file_and_key(self) -> None:
        mistakes = (
            (
                {"rendezvous_server": {"prot": 1}},
                "rendezvous_server.prot: unknown key; expected port",
            ),
            (
                {"rendezvous_server": {"port": "1"}},
                "rendezvous_server.port: expected a whole number",
            ),
            ({"metrics": {"bind": "here"}}, "metrics.bind: expected an IP address"),
            ({"logging": {"format": "xml"}}, "logging.format: expected one of text, json"),
        )
        paths = [self.home / f"{number}.json" for number in range(len(mistakes))]
        for path, (content, _) in zip(paths, mistakes, strict=True):
            path.write_text(json.dumps(content))
        ended = self.run_each(*(("--config", str(path)) for path in paths))
        for path, (_, words), done in zip(paths, mistakes, ended, strict=True):
            self.assertIn(f"p2pchat-rendezvous: {path}: {words}", done.stderr)
            self.assertEqual((done.returncode, done.stderr.count("\n")), (1, 1))


class LimitTests(SynchronousTestCase):
    def test_the_bounds_are_the_protocols_but_for_connections(self) -> None:
        limits = server_limits(RendezvousServer(), 1_000_000)
        same = msgspec.structs.replace(
            limits,
            max_connections=DEFAULT_LIMITS.max_connections,
            max_connections_per_ip=DEFAULT_LIMITS.max_connections_per_ip,
        )
        self.assertEqual(same, DEFAULT_LIMITS)
        self.assertGreater(limits.max_connections, DEFAULT_LIMITS.max_connections)

    def test_each_setting_has_its_bound(self) -> None:
        settings = RendezvousServer(
            line_limit=300,
            read_deadline=1,
            rate_limit=2,
            rate_window=3,
            block_time=4,
            max_connections=50,
            max_connections_per_ip=6,
        )
        limits = server_limits(settings, 1000)
        self.assertEqual((limits.line_length, limits.request_time, limits.rate_limit), (300, 1, 2))
        self.assertEqual((limits.rate_window, limits.block_time), (3, 4))
        self.assertEqual((limits.max_connections, limits.max_connections_per_ip), (50, 6))

    def test_there_are_no_more_connections_than_files(self) -> None:
        limits = server_limits(RendezvousServer(), 100)
        self.assertEqual((limits.max_connections, limits.max_connections_per_ip), (100, 100))


class PasswordTests(SynchronousTestCase):
    def test_a_log_has_none(self) -> None:
        for location, shown in (
            ("redis://:se@cr/et@host:6379/0", "redis://host:6379/0"),
            ("redis://host", "redis://host"),
            ("sqlite:/a@b/c.db", "sqlite:/a@b/c.db"),
            ("memory", "memory"),
        ):
            self.assertEqual(without_password(location), shown)


class ShippedTests(SynchronousTestCase):
    """What the pages say, and what there is."""

    def test_every_option_is_on_the_page_and_no_other(self) -> None:
        page = (ROOT / "docs" / "operating.md").read_text("utf-8")
        rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `--")]
        documented = {
            word for row in rows for word in row.replace("`", " ").split() if word[:2] == "--"
        }
        there = {f"--{option.rstrip('=')}" for option in Options().longOpt}
        self.assertEqual(documented, there - {"--help"})
        self.assertEqual(there - _OWN, set(SERVER_OPTIONS.values()))

    def test_defaults_on_the_page_are_those_of_the_program(self) -> None:
        page = (ROOT / "docs" / "operating.md").read_text("utf-8")
        defaults = msgspec.structs.asdict(RendezvousServer())
        for key, option in SERVER_OPTIONS.items():
            default = defaults.get(key.partition(".")[2]) if key.startswith("rend") else None
            if default and default is not True:
                row = next(line for line in page.splitlines() if line.startswith(f"| `{option} "))
                self.assertEqual(row.split("|")[2].strip(), f"{default:g}", option)

"""Where log lines go, and from which level on."""

import json
import stat
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import Logger, LogLevel, LogPublisher, formatTime, textFileLogObserver
from twisted.trial.unittest import SynchronousTestCase

from p2pchat import logs
from p2pchat.errors import ConfigError, RequestError
from p2pchat.logs import LEVELS, JsonObserver, LineObserver, Logs
from tests.temporary import temporary_path

#: Logs one line, and another one before each line of Python that runs for it, as a handler of
#: signals would; prints how many.
LOG_AT_EVERY_LINE = """
import sys
from twisted.logger import Logger
from p2pchat.logs import Logs

logger = Logger(namespace="test", observer=Logs(sys.argv[1], "INFO").observer)
signals = 0

def interrupt(frame, event, _):
    global signals
    if event == "line":
        signals += 1
        logger.info("a signal")
    return interrupt

sys.settrace(interrupt)
logger.info("a line")
sys.settrace(None)
print(signals)
"""


class LogsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = temporary_path(self) / "folder" / "node.log"

    def write_all(self, log: Logs) -> str:
        """Log a line of every level; return what the file has then."""
        logger = Logger(namespace="test", observer=log.observer)
        for name in ("debug", "info", "warn", "error"):
            getattr(logger, name)(f"a line of {name}")
        return self.path.read_text("utf-8")

    def test_lines_from_the_level_on(self) -> None:
        text = self.write_all(Logs(str(self.path), "WARNING"))
        for name, written in (("debug", False), ("info", False), ("warn", True), ("error", True)):
            self.assertEqual(f"a line of {name}" in text, written, name)

    def test_the_level_changes_while_it_runs(self) -> None:
        log = Logs(str(self.path), "ERROR")
        self.assertNotIn("a line of warn", self.write_all(log))
        log.set_level("debug")
        self.assertEqual(log.level, "DEBUG")
        self.assertIn("a line of debug", self.write_all(log))
        log.set_level("INFO")
        self.assertEqual(self.write_all(log).count("a line of debug"), 1)

    def test_an_unknown_level_is_refused_and_changes_nothing(self) -> None:
        log = Logs(str(self.path), "INFO")
        for level in ("LOUD", "", "info\x1b"):
            error = self.assertRaises(RequestError, log.set_level, level)
            for name in LEVELS:
                self.assertIn(name, str(error))
            self.assertTrue(str(error).isprintable())
        self.assertEqual(log.level, "INFO")

    def test_the_file_is_our_own_only(self) -> None:
        Logs(str(self.path), "INFO")
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(self.path.parent.stat().st_mode), 0o700)

    def test_a_signal_may_log_at_any_moment_of_logging(self) -> None:
        # in a process of its own, since what fails here hangs
        script = [sys.executable, "-c", LOG_AT_EVERY_LINE, str(self.path)]
        run = subprocess.run(script, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        lines = self.path.read_text("utf-8").splitlines()
        self.assertEqual(sum(line.endswith("a line") for line in lines), 1)
        self.assertEqual(sum(line.endswith("a signal") for line in lines), int(run.stdout))
        self.assertGreater(int(run.stdout), 10)

    def test_it_is_rotated_and_old_ones_go(self) -> None:
        self.patch(logs, "ROTATE_AT", 200)
        self.patch(logs, "OLD_FILES", 2)
        log = Logs(str(self.path), "INFO")
        for _ in range(20):
            self.write_all(log)
        names = sorted(path.name for path in self.path.parent.iterdir())
        self.assertEqual(names, ["node.log", "node.log.1", "node.log.2"])

    def test_a_file_that_can_not_be_opened_is_an_error_of_the_configuration(self) -> None:
        taken = temporary_path(self)
        taken.write_text("a file, not a folder")
        for path in (taken / "node.log", taken.parent):
            error = self.assertRaises(ConfigError, Logs, str(path), "INFO")
            self.assertIn(str(path), str(error))

    def test_a_dash_is_standard_output(self) -> None:
        self.assertEqual(Logs("-", "INFO").destination, "-")
        self.assertFalse(Path("-").exists())


class LineTests(SynchronousTestCase):
    """What a line looks like; the same as Twisted's own observer writes."""

    def setUp(self) -> None:
        self.file = StringIO()
        self.logger = Logger(namespace="test", observer=LineObserver(self.file))

    def test_the_same_as_twisted_writes(self) -> None:
        theirs = StringIO()
        twisted = textFileLogObserver(theirs)
        logger = Logger(
            namespace="p2pchat.x", observer=LogPublisher(LineObserver(self.file), twisted)
        )
        logger.info("[Router] {kind} {who}: {size} characters", kind="SEND", who="bob", size=3)
        logger.warn(
            "{a!r:>9} {b:.1f} {c[key]} {d.name}", a="é", b=1.25, c={"key": 1}, d=LogLevel.info
        )
        logger.error("{text}", text="with {braces} in it")
        logger.info("{call()}", call=lambda: "called")
        logger.info("{missing}")
        logger.info("plain")
        self.assertEqual(
            [line.partition(" ")[2] for line in self.file.getvalue().splitlines()],
            [line.partition(" ")[2] for line in theirs.getvalue().splitlines()],
        )
        self.assertEqual(len(self.file.getvalue().splitlines()), 6)

    def test_nobody_can_forge_a_line(self) -> None:
        self.logger.info("{text}", text="x\n2025-01-01T00:00:00+0000 [p2pchat#info] forged")
        first, second = self.file.getvalue().splitlines()
        self.assertTrue(first.endswith("[test#info] x"))
        self.assertTrue(second.startswith("\t"))

    def test_a_failure_has_its_traceback_behind_tabs(self) -> None:
        try:
            raise ValueError("broken")
        except ValueError:
            self.logger.failure("it failed")
        first, *rest = self.file.getvalue().splitlines()
        self.assertIn("[test#critical] it failed", first)
        self.assertTrue(all(line.startswith("\t") for line in rest))
        self.assertIn("ValueError: broken", rest[-1])

    def test_the_time_moves_on(self) -> None:
        observer = LineObserver(self.file)
        for second in (0, 0.5, 1, 90_000):
            observer({"log_time": second, "log_format": "x", "log_level": LogLevel.info})
        stamps = [line.partition(" ")[0] for line in self.file.getvalue().splitlines()]
        self.assertEqual(stamps[0], stamps[1])
        self.assertEqual(len(set(stamps)), 3)
        self.assertEqual(stamps[0], formatTime(0.0))


class JsonTests(SynchronousTestCase):
    """The same as objects, one a line."""

    def setUp(self) -> None:
        self.file = StringIO()
        self.logger = Logger(namespace="test", observer=JsonObserver(self.file))

    def line(self) -> dict[str, Any]:
        """Return what the only line holds."""
        (line,) = self.file.getvalue().splitlines()
        self.assertTrue(line.isascii())
        parsed: dict[str, Any] = json.loads(line, parse_constant=self.fail)
        return parsed

    def test_time_level_source_text_and_fields(self) -> None:
        observer = JsonObserver(self.file)
        logger = Logger(namespace="p2pchat.x", observer=lambda e: observer({**e, "log_time": 1.5}))
        logger.warn("[Router] {who}: {size} characters", who="bob", size=3, late=True, part=0.5)
        expected = {
            "time": "1970-01-01T00:00:01.500Z",
            "level": "warn",
            "source": "p2pchat.x",
            "text": "[Router] bob: 3 characters",
            "fields": {"who": "bob", "size": 3, "late": True, "part": 0.5},
        }
        self.assertEqual(self.line(), expected)

    def test_what_json_has_no_type_for_is_only_in_the_text(self) -> None:
        odd = {"a": float("nan"), "b": float("inf"), "c": 10**400, "d": object, "e": [1], "f": b"x"}
        self.logger.info("{e} {f}", **odd)
        self.assertEqual(self.line()["text"], "[1] b'x'")
        self.assertNotIn("fields", self.line())

    def test_what_twisted_adds_for_itself_is_no_field(self) -> None:
        old = {"time": 1.5, "system": "x", "isError": 0, "format": "%s", "log_text": "y"}
        JsonObserver(self.file)({"log_format": "{who}", "who": "bob", **old})
        self.assertEqual(self.line()["fields"], {"who": "bob"})

    def test_hostile_text_stays_one_line(self) -> None:
        hostile = 'x\n{"time": "forged"}\r\x1b[2J\u2028\x85\ud800"'
        self.logger.info("{text}", text=hostile)
        self.assertEqual((self.line()["text"], self.line()["fields"]["text"]), (hostile, hostile))

    @given(st.text(), st.text())
    def test_any_text_is_one_line_that_says_it(self, text: str, other: str) -> None:
        self.file.seek(0)
        self.file.truncate()
        self.logger.info("{text}", text=text, other=other)
        if text:
            self.assertEqual((self.line()["text"], self.line()["fields"]["other"]), (text, other))

    def test_formats_out_of_the_ordinary(self) -> None:
        self.logger.info("{call()} said", call=lambda: "called")
        self.assertEqual(self.line()["text"], "called said")

    def test_a_format_that_does_not_fit_is_told_all_the_same(self) -> None:
        self.logger.info("{missing}")
        self.assertIn("missing", self.line()["text"])

    def test_a_failure_has_its_traceback_apart(self) -> None:
        try:
            raise ValueError("broken")
        except ValueError:
            self.logger.failure("it failed")
        line = self.line()
        self.assertEqual((line["level"], line["text"]), ("critical", "it failed"))
        self.assertIn("ValueError: broken", line["failure"])

    def test_a_log_may_be_of_them(self) -> None:
        path = temporary_path(self) / "node.log"
        log = Logs(str(path), "WARNING", "json")
        logger = Logger(namespace="test", observer=log.observer)
        logger.info("not this")
        logger.warn("this")
        (line,) = path.read_text("utf-8").splitlines()
        self.assertEqual(json.loads(line)["text"], "this")

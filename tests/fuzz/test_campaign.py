"""What is made of a fuzzer's process: figures, findings, exit status; no fuzzer is needed."""

import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.fuzz import __main__ as command
from tests.fuzz import campaign
from tests.fuzz.targets import TARGETS
from tests.temporary import temporary_path

FINE = b"""INFO: seed corpus: files: 18
#18\tINITED cov: 30 ft: 40 corp: 14/1Kb exec/s: 0 rss: 70Mb
#512\tNEW    cov: 33 ft: 48 corp: 15/1Kb lim: 4 exec/s: 0 rss: 70Mb
Done 700 runs in 2 second(s)
"""
BROKEN = b"""#2\tINITED cov: 3 ft: 4 corp: 1/1b exec/s: 0 rss: 70Mb
#9\tNEW    cov: 4 ft: 5 corp: 2/2b exec/s: 0 rss: 70Mb

 === Uncaught Python exception: ===
KeyError: 'x'
Traceback (most recent call last):
"""
SLOW = b"#9\tNEW    cov: 4 ft: 5 corp: 2/2b\nSUMMARY: libFuzzer: timeout\n"


class CampaignTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.found = temporary_path(self)
        self.patch(campaign, "FOUND", self.found)

    def fuzz(self, output: bytes, status: int, artifact: str = "") -> campaign.Outcome:
        """Return what is made of a process that says this."""

        def run(target: str, seconds: int, seed: int, folder: Path, log: int) -> int:
            (folder / "output").write_bytes(output)
            if artifact:
                (folder / artifact).write_bytes(b"bad")
            return status

        self.patch(campaign, "_run_child", run)
        (outcome,) = campaign.run(["config"], 1, 1, lambda line: None)
        return outcome

    def test_nothing_found(self) -> None:
        self.assertEqual(self.fuzz(FINE, 0), ("config", 700, 33, 15, None, ""))
        self.assertFalse(self.found.exists())

    def test_a_finding_is_kept_and_can_be_replayed(self) -> None:
        for output, status, artifact, words in (
            (BROKEN, 77, "crash-ab", "KeyError: 'x'"),
            (SLOW, 70, "timeout-ab", "SUMMARY: libFuzzer: timeout"),
        ):
            outcome = self.fuzz(output, status, artifact)
            self.assertEqual((outcome.executions, outcome.words), (9, words))
            self.assertEqual(outcome.finding.read_bytes(), b"bad")
            self.assertEqual(outcome.finding.parent, self.found / "config")
            self.assertIn(words, campaign.row(outcome))
            self.assertIn(str(outcome.finding), campaign.replay_command("config", outcome.finding))

    def test_a_process_that_ends_otherwise_is_a_finding_too(self) -> None:
        for output, status in ((b"", 1), (FINE, 1), (b"No module", 1), (b"", 0), (b"#9", -9)):
            self.assertFalse(self.fuzz(output, status).is_good, output)


class CommandTests(SynchronousTestCase):
    def call(self, *arguments: str) -> tuple[int, str, str]:
        out, err = StringIO(), StringIO()
        self.patch(sys, "argv", ["fuzz", *arguments])
        with redirect_stdout(out), redirect_stderr(err):
            status = command.main()
        return status, out.getvalue(), err.getvalue()

    def test_without_atheris_one_line_says_so(self) -> None:
        self.patch(command, "find_spec", lambda name: None)
        status, out, err = self.call()
        self.assertEqual((status, out, err.count("\n")), (2, "", 1))
        self.assertIn("atheris is not installed", err)

    def test_the_status_tells_whether_something_was_found(self) -> None:
        self.patch(command, "find_spec", lambda name: True)
        good = campaign.Outcome("config", 9, 9, 9)
        for outcome, status in ((good, 0), (good._replace(words="KeyError"), 1)):
            self.patch(command, "run", lambda *arguments, outcome=outcome: [good, outcome])
            self.assertEqual(self.call("--seconds", "1")[0], status)

    def test_all_targets_or_those_that_are_named(self) -> None:
        self.patch(command, "find_spec", lambda name: True)
        asked = []
        self.patch(command, "run", lambda targets, *others: asked.append(targets) or [])
        self.call()
        self.call("session", "config")
        self.assertEqual(asked, [list(TARGETS), ["session", "config"]])
        for wrong in (["nonsense"], ["--seconds", "0"], ["--replay", "x"]):
            self.assertRaises(SystemExit, self.call, *wrong)

    def test_replaying(self) -> None:
        path = temporary_path(self)
        path.write_bytes(b"\0{}")
        self.assertEqual(self.call("--replay", str(path), "config")[0], 0)
        self.patch(command, "load", lambda name: campaign)
        self.assertRaises(AttributeError, self.call, "--replay", str(path), "config")

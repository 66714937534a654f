"""Files of a test that go when it ends: trial's own mktemp leaves them behind."""

from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.trial.unittest import SynchronousTestCase


def temporary_path(case: SynchronousTestCase) -> Path:
    """Return a path at which nothing is, in a folder of its own."""
    folder = TemporaryDirectory(prefix="p2pchat-")
    case.addCleanup(folder.cleanup)
    return Path(folder.name) / "temporary"

"""Archives to store, a folder for them, and disks that fail, are full or lose their power."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.archive.disk import Disk, FileStorage
from p2pchat.archive.storage import OwnRecord
from tests.archive.examples import THOUSAND

#: An archive that is stored, what it grows to, and their bytes.
OLD, NEW = THOUSAND.truncated(22), THOUSAND.truncated(25)
CHATS = bytes(OLD.view())

#: Chats of ours and their bytes.
OWN = [OwnRecord(1, "one", "1" * 16), OwnRecord(2, "two", "2" * 16, 20)]
LINES = msgspec.json.Encoder().encode_lines(OWN)


class Killed(BaseException):
    """The process is gone: nothing that would be done after an error is done."""


class FaultyDisk(Disk):
    """Fails, once armed, at a call; a write that fails has written half. Nothing is ever synced.

    If the fault lasts, all calls after it fail as well.
    """

    def __init__(self):
        self.left = None
        self.error = None
        self.lasts = False

    def arm(self, at, error, lasts=False):
        self.left, self.error, self.lasts = at, error, lasts

    def disarm(self):
        """Return whether all went well."""
        fine, self.left = self.left >= 0, None
        return fine

    def _call(self):
        if self.left is not None:
            self.left -= 1
            if self.left == -1 or (self.lasts and self.left < 0):
                raise self.error

    def open(self, path, flags):
        self._call()
        return super().open(path, flags)

    def write(self, fd, data, at):
        try:
            self._call()
        except BaseException:
            super().write(fd, data[: len(data) // 2], at)
            raise
        return super().write(fd, data, at)

    def truncate(self, fd, size):
        self._call()
        super().truncate(fd, size)

    def sync(self, fd):
        self._call()

    def rename(self, source, target):
        self._call()
        super().rename(source, target)

    def unlink(self, path):
        self._call()
        super().unlink(path)


class File:
    """What of a file is on the disk for certain."""

    def __init__(self, synced=b""):
        self.synced = synced


class VolatileDisk(FaultyDisk):
    """Knows which contents and which names would outlast a power cut: those that were synced."""

    def __init__(self, folder):
        super().__init__()
        self.folder = folder
        self.names = {path.name: File(path.read_bytes()) for path in folder.iterdir()}
        self.synced_names = dict(self.names)
        self.opened = {}

    def open(self, path, flags):
        fd = super().open(path, flags)
        if flags & os.O_CREAT:
            self.names[path.name] = File()
        self.opened[fd] = self.names.get(path.name)
        return fd

    def sync(self, fd):
        super().sync(fd)
        file = self.opened[fd]
        if file is None:
            self.synced_names = dict(self.names)
        else:
            (file.synced,) = (self._content(name) for name, of in self.names.items() if of is file)

    def rename(self, source, target):
        super().rename(source, target)
        self.names[target.name] = self.names.pop(source.name)

    def unlink(self, path):
        super().unlink(path)
        self.names.pop(path.name, None)

    def cut(self, names_last, contents_last):
        """Leave what a power cut leaves; what was not synced may last all the same."""
        names = self.names if names_last else self.synced_names
        contents = {
            name: self._content(name)
            if contents_last and self.names.get(name) is file
            else file.synced
            for name, file in names.items()
        }
        for path in self.folder.iterdir():
            path.unlink()
        for name, content in contents.items():
            (self.folder / name).write_bytes(content)

    def _content(self, name):
        return (self.folder / name).read_bytes()


class DiskCase(SynchronousTestCase):
    """A folder, and what stands in it."""

    def setUp(self):
        folder = TemporaryDirectory(prefix="p2pchat-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.archive_file = self.folder / "archive.bin"
        self.own_file = self.folder / "archive-own.jsonl"

    def empty(self):
        for path in self.folder.iterdir():
            path.unlink()

    def names(self):
        return sorted(path.name for path in self.folder.iterdir())

    def load(self):
        return FileStorage(self.folder, FaultyDisk()).load()

    def assert_clean(self, archive=None, own=()):
        """What is loaded is this, without a word, and nothing half written is left."""
        loaded = self.load()
        self.assertEqual(loaded.notices, [])
        if archive is not None:
            self.assertEqual(loaded.archive, archive)
        self.assertEqual(loaded.own, list(own))
        self.assertNotIn("archive.new", self.names())

"""The archive's files when the disk is full, the process is killed or the power is cut."""

import contextlib
import errno
import subprocess
import sys
from itertools import count, product
from pathlib import Path
from random import Random

from p2pchat.archive.archive import Archive
from p2pchat.archive.disk import FileStorage
from p2pchat.archive.storage import OwnRecord
from tests.archive.disk_cases import (
    CHATS,
    LINES,
    NEW,
    OLD,
    OWN,
    DiskCase,
    FaultyDisk,
    Killed,
    VolatileDisk,
)
from tests.archive.examples import EXAMPLE, THOUSAND

ROOT = Path(__file__).parents[2]
OTHER_OWN = [OwnRecord(3, "three", "3" * 16)]


class Write:
    """Something that is done to a folder, and what may be loaded before and after it."""

    def __init__(self, files, do, before, after, between=()):
        self.files = files
        self.do = do
        self.states = [before, *between, after]
        self.after = after

    def storage(self, folder):
        """Return the storage of a fresh folder to which it can be done, and its disk."""
        for path in folder.iterdir():
            path.unlink()
        for name, content in self.files.items():
            (folder / name).write_bytes(content)
        disk = VolatileDisk(folder)
        storage = FileStorage(folder, disk)
        if self is not MEND:
            storage.load()
        return storage, disk


STORED = {"archive.bin": CHATS, "archive-own.jsonl": LINES}

FIRST = Write({}, lambda storage: storage.append(NEW, 0), (Archive(), []), (NEW, []))
APPEND = Write(
    STORED,
    lambda storage: storage.append(NEW, OLD.height),
    (OLD, OWN),
    (NEW, OWN),
    # which chats of one append are there is nobody's business until it has returned
    between=[(NEW.truncated(height), OWN) for height in range(OLD.height + 1, NEW.height)],
)
REPLACE = Write(STORED, lambda storage: storage.replace(EXAMPLE), (OLD, OWN), (EXAMPLE, OWN))
SAVE_OWN = Write(STORED, lambda storage: storage.save_own(OTHER_OWN), (OLD, OWN), (OLD, OTHER_OWN))
MEND = Write(
    {"archive.bin": CHATS + b"?", "archive-own.jsonl": b"?\n" + LINES, "archive.new": b"?"},
    lambda storage: storage.load(),
    (OLD, OWN),
    (OLD, OWN),
)
STORES = [FIRST, APPEND, REPLACE, SAVE_OWN]
WRITES = [*STORES, MEND]


class CrashTests(DiskCase):
    """Each write dies at each of its system calls in turn."""

    def crashes(self, write):
        """Yield the disk for each call it died at, and once after it had returned."""
        for at in count():
            storage, disk = write.storage(self.folder)
            disk.arm(at, Killed())
            with contextlib.suppress(Killed):
                write.do(storage)
            returned = disk.disarm()
            yield disk, returned
            if returned:
                # it is about something only if there was more than a call or two to die at
                self.assertGreater(at, 3)
                return

    def assert_survived(self, write, returned):
        loaded = self.load()
        states = [write.after] if returned else write.states
        self.assertIn((loaded.archive, loaded.own), states)
        self.assert_clean(loaded.archive, loaded.own)

    def test_killed(self):
        for write in WRITES:
            for _, returned in self.crashes(write):
                self.assert_survived(write, returned)

    def test_power_cut(self):
        for write, last in product(WRITES, product((False, True), repeat=2)):
            for disk, returned in self.crashes(write):
                disk.cut(*last)
                self.assert_survived(write, returned)

    def test_killed_again_and_again_while_it_mends(self):
        MEND.storage(self.folder)
        for at in range(20):
            disk = FaultyDisk()
            disk.arm(at, Killed())
            with contextlib.suppress(Killed):
                FileStorage(self.folder, disk).load()
        self.assert_survived(MEND, True)
        self.assertEqual(len(self.names()), 4)


def full():
    return OSError(errno.ENOSPC, "No space left on device")


class FullDiskTests(DiskCase):
    """Each write fails at each of its system calls in turn, once or from there on."""

    def failures(self, write, lasts):
        """Yield the storage for each call that failed."""
        for at in count():
            storage, disk = write.storage(self.folder)
            disk.arm(at, full(), lasts)
            with contextlib.suppress(OSError):
                write.do(storage)
            if disk.disarm():
                self.assertGreater(at, 3)
                return
            yield storage

    def test_what_was_stored_stays(self):
        for write, lasts in product(WRITES, (False, True)):
            for _ in self.failures(write, lasts):
                loaded = self.load()
                self.assertIn((loaded.archive, loaded.own), write.states)
                self.assert_clean(loaded.archive, loaded.own)

    def test_trying_again_succeeds(self):
        for write, lasts in product(WRITES, (False, True)):
            for storage in self.failures(write, lasts):
                write.do(storage)
                self.assert_clean(*write.after)

    def test_writes_report_every_failure(self):
        for write, lasts in product(STORES, (False, True)):
            for at in count():
                storage, disk = write.storage(self.folder)
                disk.arm(at, full(), lasts)
                try:
                    write.do(storage)
                except OSError as error:
                    self.assertEqual(error.errno, errno.ENOSPC)
                else:
                    break
            self.assertTrue(disk.disarm())

    def test_half_an_append_is_taken_back(self):
        for _ in self.failures(APPEND, lasts=False):
            self.assertEqual(self.load().notices, [])

    def test_half_a_file_is_taken_back(self):
        for write in (REPLACE, SAVE_OWN):
            for _ in self.failures(write, lasts=False):
                self.assertEqual(self.names(), ["archive-own.jsonl", "archive.bin"])

    def test_half_an_append_that_cannot_be_taken_back_is_written_over(self):
        write = Write(STORED, lambda storage: storage.append(THOUSAND, OLD.height), (), ())
        for storage in self.failures(write, lasts=True):
            storage.append(NEW, OLD.height)
            self.assert_clean(NEW, OWN)

    def test_half_a_file_that_cannot_be_taken_back_is_not_mixed_with_the_next(self):
        write = Write(STORED, lambda storage: storage.replace(THOUSAND), (), ())
        for storage in self.failures(write, lasts=True):
            storage.replace(EXAMPLE)
            self.assert_clean(EXAMPLE, OWN)

    def test_growth_after_a_replace_that_failed(self):
        # at its last call, when the other archive's file had the name already
        short = EXAMPLE.truncated(2)
        files = {"archive.bin": bytes(short.view())}
        write = Write(files, lambda storage: storage.replace(OLD), (), ())
        for lasts in (False, True):
            for storage in self.failures(write, lasts):
                storage.append(EXAMPLE, short.height)
                self.assert_clean(EXAMPLE)

    def test_a_damaged_file_that_cannot_be_mended_is_used_and_replaced_later(self):
        self.archive_file.write_bytes(CHATS + b"?")
        disk = FaultyDisk()
        storage = FileStorage(self.folder, disk)
        disk.arm(1, full(), lasts=True)
        loaded = storage.load()
        self.assertEqual(loaded.archive, OLD)
        self.assertEqual(
            loaded.notices,
            [
                "archive.bin ends in the middle of chat 23; 22 chats are left, "
                "and the file cannot be mended: No space left on device"
            ],
        )
        disk.disarm()
        storage.append(NEW, OLD.height)
        self.assert_clean(NEW)


#: Stores one archive after the other in the folder argv[1]: says which, stores it, says it again.
GROWING = """
import sys
from pathlib import Path
from p2pchat.archive.disk import FileStorage
from tests.archive.examples import THOUSAND

storage = FileStorage(Path(sys.argv[1]))
height = storage.load().archive.height
while True:
    grown = height + (1, 2, 7, 30)[height % 4]
    archive = THOUSAND.truncated(grown if grown <= THOUSAND.height else height % 5)
    print(archive.height, flush=True)
    if archive.height > height:
        storage.append(archive, height)
    else:
        storage.replace(archive)
    height = archive.height
    print(height, flush=True)
"""

#: Appends to the archive in the folder argv[1] where a file has room for argv[2] bytes only; says
#: what came of it. Then, if argv[3] is not empty, appends once more with more room.
CRAMPED = """
import resource, sys
from pathlib import Path
from p2pchat.archive.disk import FileStorage
from tests.archive.examples import THOUSAND

storage = FileStorage(Path(sys.argv[1]))
height = storage.load().archive.height
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), most))
try:
    storage.append(THOUSAND.truncated(25), height)
except OSError as error:
    print(error.errno, flush=True)
if sys.argv[3]:
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    storage.append(THOUSAND.truncated(25), height)
"""


class ProcessTests(DiskCase):
    """The same with what really happens to a process."""

    def start(self, program, *arguments):
        process = subprocess.Popen(
            [sys.executable, "-c", program, str(self.folder), *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
        )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.addCleanup(process.stdout.close)
        return process

    def test_nothing_that_was_reported_as_stored_is_lost_by_kill_9(self):
        random = Random(7)
        height = 0
        for _ in range(8):
            process = self.start(GROWING)
            said = [process.stdout.readline() for _ in range(random.randrange(1, 300))]
            process.kill()
            rest, _ = process.communicate()
            heights = [int(line) for line in (*said, *rest.splitlines())]
            height = self.survivor(height, heights)

    def survivor(self, before, heights):
        """Return how many chats are left, of which it said this before it was killed."""
        stored = heights[len(heights) // 2 * 2 - 1] if len(heights) > 1 else before
        wanted = heights[-1]
        archive = self.load().archive
        if wanted > stored:
            self.assertTrue(stored <= archive.height <= wanted)
        else:
            self.assertIn(archive.height, (stored, wanted))
        self.assert_clean(THOUSAND.truncated(archive.height))
        return archive.height

    def test_a_file_that_has_no_more_room(self):
        for again in ("", "again"):
            self.empty()
            self.archive_file.write_bytes(CHATS)
            process = self.start(CRAMPED, str(OLD.size + 50), again)
            said, _ = process.communicate()
            self.assertEqual((int(said), process.returncode), (errno.EFBIG, 0))
            self.assert_clean(NEW if again else OLD)

"""What every storage promises, held by the one in memory and the one in a folder."""

from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.archive.archive import Archive
from p2pchat.archive.disk import FileStorage
from p2pchat.archive.storage import Loaded, MemoryStorage, OwnRecord
from tests.archive.examples import EXAMPLE, THOUSAND

OWN = [
    OwnRecord(1, "hello", "00112233445566ff"),
    OwnRecord(2, ' "\\{}~', "a" * 16, height=7),
]


class StorageTests:
    """Runs once for each storage."""

    def assert_loads(self, archive, own=()):
        loaded = self.reopened().load()
        self.assertEqual(loaded, Loaded(archive, list(own), []))

    def test_nothing_is_stored_at_first(self):
        self.assertEqual(self.storage.load(), Loaded(Archive(), [], []))

    def test_an_archive_grows_from_nothing_by_one_and_by_many(self):
        self.storage.load()
        height = 0
        for next_height in (1, 2, 30, 31, 1000):
            self.storage.append(THOUSAND.truncated(next_height), height)
            self.assert_loads(THOUSAND.truncated(next_height))
            height = next_height

    def test_an_archive_grows_from_what_was_loaded(self):
        self.storage.replace(THOUSAND.truncated(5))
        storage = self.reopened()
        height = storage.load().archive.height
        storage.append(THOUSAND.truncated(9), height)
        self.assert_loads(THOUSAND.truncated(9))

    def test_another_archive_takes_the_place_of_one(self):
        self.storage.load()
        for archive in (EXAMPLE, THOUSAND, EXAMPLE, Archive()):
            self.storage.replace(archive)
            self.assert_loads(archive)

    def test_an_archive_grows_from_one_that_took_the_place_of_another(self):
        self.storage.load()
        self.storage.replace(EXAMPLE)
        self.storage.replace(THOUSAND.truncated(8))
        self.storage.append(THOUSAND.truncated(9), 8)
        self.assert_loads(THOUSAND.truncated(9))

    def test_what_grew_from_the_archive_meanwhile_is_not_stored(self):
        self.storage.load()
        fork = EXAMPLE.truncated(3).appended(b"", [])
        fork.appended(b"\0" * 33, [fork.size + 33])
        self.storage.append(fork, 0)
        self.assert_loads(EXAMPLE.truncated(3))

    def test_our_chats_take_the_place_of_those_before(self):
        self.storage.load()
        for records in (OWN, OWN[1:], []):
            self.storage.save_own(records)
            self.assert_loads(Archive(), records)

    def test_our_chats_and_the_archive_do_not_touch_each_other(self):
        self.storage.load()
        self.storage.save_own(OWN)
        self.storage.replace(EXAMPLE)
        self.assert_loads(EXAMPLE, OWN)

    def test_records_are_those_of_the_moment(self):
        records = list(OWN)
        self.storage.save_own(records)
        records.clear()
        self.reopened().load().own.clear()
        self.assert_loads(Archive(), OWN)


class MemoryStorageTests(StorageTests, SynchronousTestCase):
    def setUp(self):
        self.storage = MemoryStorage()

    def reopened(self):
        return self.storage


class FileStorageTests(StorageTests, SynchronousTestCase):
    def setUp(self):
        folder = TemporaryDirectory(prefix="p2pchat-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.storage = self.reopened()

    def reopened(self):
        return FileStorage(self.folder)


class OwnRecordTests(SynchronousTestCase):
    def test_what_a_record_may_hold(self):
        for record in (
            *OWN,
            OwnRecord(3, " ", "0" * 16, 1),
            OwnRecord(4, "~" * 255, "f" * 16, 2**40),
        ):
            data = msgspec.json.encode(record)
            self.assertEqual(msgspec.json.decode(data, type=OwnRecord), record)

    def test_what_it_may_not(self):
        good = msgspec.to_builtins(OWN[1])
        for key, value in (
            ("chat_id", "1"),
            ("text", ""),
            ("text", "x" * 256),
            ("text", "two\nlines"),
            ("text", "end\n"),
            ("text", "\x7f"),
            ("text", "é"),
            ("mark", "a" * 15),
            ("mark", "a" * 17),
            ("mark", "g" * 16),
            ("mark", "A" * 16),
            ("mark", "a" * 16 + "\n"),
            ("height", 0),
            ("height", -1),
            ("height", 1.5),
        ):
            with self.assertRaises(msgspec.ValidationError, msg=(key, value)):
                msgspec.convert(good | {key: value}, OwnRecord)

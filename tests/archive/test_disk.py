"""The archive's files: what is in them, and what becomes of damaged ones."""

import errno
import os
import stat
from random import Random

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from p2pchat.archive.archive import Archive
from p2pchat.archive.disk import MAX_BAD, FileStorage
from tests.archive.disk_cases import CHATS, LINES, NEW, OLD, OWN, DiskCase, FaultyDisk
from tests.archive.examples import THOUSAND, THOUSAND_FILE


class CrumblyDisk(FaultyDisk):
    """Writes few bytes at a time, and notes what it was given."""

    def __init__(self):
        super().__init__()
        self.written = []

    def write(self, fd, data, at):
        self.written.append(data)
        return super().write(fd, data[:100], at)


class FormatTests(DiskCase):
    def test_the_file_holds_the_bytes_of_the_wire_without_the_count(self):
        FileStorage(self.folder).replace(THOUSAND)
        self.assertEqual(self.archive_file.read_bytes(), THOUSAND_FILE[4:])
        self.assert_clean(THOUSAND)

    def test_our_chats_are_lines_of_json(self):
        FileStorage(self.folder).save_own(OWN)
        lines = self.own_file.read_bytes().splitlines()
        self.assertEqual([msgspec.json.decode(line) for line in lines], msgspec.to_builtins(OWN))

    def test_files_are_for_their_owner_alone(self):
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        self.archive_file.write_bytes(CHATS + b"\1")
        self.own_file.write_bytes(LINES + b"\n")
        storage = FileStorage(self.folder)
        storage.load()
        storage.append(NEW, OLD.height)
        names = ("archive.bin", "archive-own.jsonl")
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in self.folder.iterdir()}
        self.assertEqual(
            modes,
            dict.fromkeys([*names, *(f"{name}.bad" for name in names)], 0o600),
        )

    def test_bytes_are_written_as_they_come_and_from_where_they_are(self):
        disk = CrumblyDisk()
        storage = FileStorage(self.folder, disk)
        stores = (lambda: storage.replace(OLD), lambda: storage.append(NEW, OLD.height))
        for store in stores:
            store()
            self.assertGreater(len(disk.written), 1)
            for data in disk.written:
                self.assertIs(data.obj, THOUSAND.buffer)
            disk.written.clear()
        self.assert_clean(NEW)

    def test_growth_writes_what_is_new_only(self):
        disk = CrumblyDisk()
        storage = FileStorage(self.folder, disk)
        storage.replace(OLD)
        self.assert_grows(storage, disk, OLD, NEW)
        self.assert_grows(storage, disk, NEW, THOUSAND)
        self.assert_clean(THOUSAND)

    def test_growth_from_what_was_loaded_writes_what_is_new_only(self):
        self.archive_file.write_bytes(CHATS)
        disk = CrumblyDisk()
        storage = FileStorage(self.folder, disk)
        storage.load()
        self.assert_grows(storage, disk, OLD, NEW)

    def assert_grows(self, storage, disk, before, after):
        inode = self.archive_file.stat().st_ino
        disk.written.clear()
        storage.append(after, before.height)
        self.assertEqual(disk.written[0], after.view()[before.size :])
        self.assertEqual(self.archive_file.stat().st_ino, inode)


class DamagedArchiveTests(DiskCase):
    def assert_cut_back(self, damaged, height):
        """These bytes are loaded as the first chats of NEW, and kept as they were."""
        self.empty()
        self.archive_file.write_bytes(damaged)
        loaded = self.load()
        self.assertEqual(loaded.archive, NEW.truncated(height))
        if len(damaged) == loaded.archive.size:
            self.assertEqual(loaded.notices, [])
            self.assertEqual(self.names(), ["archive.bin"])
        else:
            (notice,) = loaded.notices
            bad = self.folder / "archive.bin.bad"
            self.assertTrue(notice.endswith(f" left, the old file is {bad}"))
            self.assertEqual(bad.read_bytes(), damaged)
        self.assertEqual(self.archive_file.read_bytes(), bytes(loaded.archive.view()))
        self.assert_clean(loaded.archive)

    def test_cut_anywhere(self):
        for size in range(len(CHATS) + 1):
            self.assert_cut_back(CHATS[:size], OLD.height_at(size))

    def test_a_bit_is_flipped_in_any_byte(self):
        random = Random(1)
        for position in range(len(CHATS)):
            damaged = bytearray(CHATS)
            damaged[position] ^= 1 << random.randrange(8)
            self.assert_cut_back(bytes(damaged), OLD.height_at(position))

    @given(st.binary(min_size=1, max_size=400))
    def test_garbage_behind(self, garbage):
        self.assert_cut_back(CHATS + garbage, OLD.height)

    @given(st.binary(max_size=400))
    def test_garbage_alone(self, garbage):
        self.assert_cut_back(garbage, 0)

    def test_zeros_behind_as_a_power_cut_leaves_them(self):
        for size in (1, 32, 33, 66, 4096):
            self.assert_cut_back(CHATS + bytes(size), OLD.height)

    def test_what_the_user_is_told(self):
        chats = bytes(NEW.view())
        start, end = NEW.offsets[1], NEW.offsets[2]
        bad = self.folder / "archive.bin.bad"
        for damaged, notice in (
            (chats[:-1], "ends in the middle of chat 25; 24 chats are left"),
            (chats[: end - 1], "ends in the middle of chat 2; 1 chat is left"),
            (chats[:1], "ends in the middle of chat 1; 0 chats are left"),
            (
                chats[: start + 1] + b"\0" + chats[start + 2 :],
                "has an invalid chat, number 2 of 25; 1 chat is left",
            ),
        ):
            self.empty()
            self.archive_file.write_bytes(damaged)
            self.assertEqual(self.load().notices, [f"archive.bin {notice}, the old file is {bad}"])

    def test_the_archive_grows_on_from_what_was_left(self):
        self.archive_file.write_bytes(CHATS[:-1])
        storage = FileStorage(self.folder)
        height = storage.load().archive.height
        storage.append(NEW, height)
        self.assert_clean(NEW)


class BadFileTests(DiskCase):
    def bad(self, prefix="archive.bin.bad"):
        return {
            path.name: path.read_bytes()
            for path in self.folder.iterdir()
            if path.name.startswith(prefix)
        }

    def damage(self, number):
        self.archive_file.write_bytes(CHATS + bytes(number))
        return self.load()

    def test_so_many_are_kept_and_then_the_oldest_goes(self):
        kept = {}
        for number in range(1, 2 * MAX_BAD + 4):
            name = "archive.bin.bad" + (f".{number - 1}" if number > 1 else "")
            (notice,) = self.damage(number).notices
            self.assertTrue(notice.endswith(f"{self.folder / name}"))
            kept[name] = CHATS + bytes(number)
            if len(kept) > MAX_BAD:
                del kept[next(iter(kept))]
            self.assertEqual(self.bad(), kept)
            self.assertEqual(self.load().notices, [])

    def test_one_that_is_kept_already_is_not_kept_twice(self):
        self.damage(1)
        self.damage(2)
        (notice,) = self.damage(1).notices
        self.assertTrue(notice.endswith("archive.bin.bad"))
        self.archive_file.write_bytes(CHATS + b"?")
        (notice,) = self.load().notices
        self.assertTrue(notice.endswith("archive.bin.bad.2"))
        self.assertEqual(len(self.bad()), 3)

    def test_files_of_other_names_are_left_alone(self):
        others = {
            "archive.bin.bad.old",
            "archive.bin.bad.",
            "archive.bin.bad.01",
            "xarchive.bin.bad",
        }
        for name in others:
            (self.folder / name).write_bytes(b"mine")
        for number in range(1, MAX_BAD + 3):
            self.damage(number)
        self.assertLess(others, set(self.names()))
        self.assertEqual(len(self.names()), len(others) + MAX_BAD + 1)

    def test_those_of_our_chats_are_counted_apart(self):
        for number in range(MAX_BAD):
            self.damage(number + 1)
        self.own_file.write_bytes(b"?\n")
        self.load()
        self.assertEqual(len(self.bad()), MAX_BAD)
        self.assertEqual(self.bad("archive-own.jsonl.bad"), {"archive-own.jsonl.bad": b"?\n"})


class DamagedOwnTests(DiskCase):
    def assert_left(self, data, own, notice):
        self.empty()
        self.own_file.write_bytes(data)
        loaded = self.load()
        self.assertEqual(loaded.own, own)
        bad = self.folder / "archive-own.jsonl.bad"
        if notice is None:
            self.assertEqual((loaded.notices, bad.exists()), ([], False))
        else:
            self.assertEqual(loaded.notices, [f"archive-own.jsonl {notice}, the old file is {bad}"])
            self.assertEqual(bad.read_bytes(), data)
        self.assert_clean(own=own)

    def test_a_damaged_line_is_skipped(self):
        one, two = LINES.splitlines(keepends=True)
        for damaged in (
            b"\n",
            b"{}\n",
            b"null\n",
            b"\xff\xfe\n",
            one.replace(b"one", b""),
            one.replace(b"one", b"x" * 256),
            one.replace(b"one", b"\\n"),
            one.replace(b"one", b"\xff"),
            one.replace(b"one", b"\\ud800"),
            one.replace(b"1" * 16, b"1" * 15),
            one.replace(b"1" * 16, b"z" * 16),
            one.replace(b"null", b"0"),
            one.replace(b"null", b'"7"'),
            one[:-2] + b',"x":' + b"[" * 100_000 + b"\n",
        ):
            self.assert_left(damaged, [], "has 1 damaged of 1 lines; 0 chats are left")
            self.assert_left(one + damaged + two, OWN, "has 1 damaged of 3 lines; 2 chats are left")
        self.assert_left(b"1\n" + one + b"2", OWN[:1], "has 2 damaged of 3 lines; 1 chat is left")

    def test_no_newline_at_the_end_is_no_damage(self):
        self.assert_left(LINES[:-1], OWN, None)

    @given(st.integers(0, len(LINES)))
    def test_cut_anywhere(self, size):
        whole = LINES[:size].count(b"}")
        rest = LINES[:size].rpartition(b"\n")[2]
        if not rest or rest.endswith(b"}"):
            self.assert_left(LINES[:size], OWN[:whole], None)
        else:
            self.empty()
            self.own_file.write_bytes(LINES[:size])
            self.assertEqual((self.load().own, len(self.names())), (OWN[:whole], 2))

    @given(st.binary(max_size=300))
    def test_arbitrary_bytes(self, data):
        self.empty()
        self.own_file.write_bytes(data)
        self.assertEqual(self.load().own, [])
        self.assert_clean()


class UnreadableTests(DiskCase):
    def assert_refused(self, path, reason):
        with self.assertRaises(OSError) as caught:
            self.load()
        self.assertEqual(str(caught.exception), f"{path} cannot be read: {reason}")

    def test_what_is_not_a_file(self):
        for path in (self.archive_file, self.own_file):
            path.mkdir()
            self.assert_refused(path, "it is not a file")
            path.rmdir()
            os.mkfifo(path)
            self.assert_refused(path, "it is not a file")
            path.unlink()

    def test_what_the_system_does_not_let_us_read(self):
        for path in (self.archive_file, self.own_file):
            path.symlink_to(path)
            self.assert_refused(path, os.strerror(errno.ELOOP))
            path.unlink()

    def test_what_a_kill_left_that_cannot_be_removed(self):
        """Nothing of it is needed; writing fails, and says where."""
        self.archive_file.write_bytes(OLD.view())
        (self.folder / "archive.new").mkdir()
        storage = FileStorage(self.folder)
        self.assertEqual(storage.load().archive, OLD)
        self.assertRaisesRegex(IsADirectoryError, "archive.new", storage.save_own, OWN)

    def test_a_folder_that_is_gone(self):
        storage = FileStorage(self.folder / "gone")
        self.assertEqual(storage.load().archive, Archive())
        for store in (
            lambda: storage.append(OLD, 0),
            lambda: storage.replace(OLD),
            lambda: storage.save_own(OWN),
        ):
            self.assertRaises(FileNotFoundError, store)


class NotAsStoredTests(DiskCase):
    """An append that finds something else than it was told of writes the whole archive."""

    def setUp(self):
        super().setUp()
        self.storage = FileStorage(self.folder)
        self.storage.load()
        self.storage.replace(OLD)

    def test_the_file_is_gone(self):
        self.archive_file.unlink()
        self.storage.append(NEW, OLD.height)
        self.assert_clean(NEW)

    def test_the_file_is_shorter(self):
        os.truncate(self.archive_file, OLD.size - 1)
        self.storage.append(NEW, OLD.height)
        self.assert_clean(NEW)

    def test_more_is_stored_than_stays(self):
        # written in place, a kill in the middle would lose chats that were stored
        inode = self.archive_file.stat().st_ino
        self.storage.append(NEW, OLD.height - 1)
        self.assertNotEqual(self.archive_file.stat().st_ino, inode)
        self.assert_clean(NEW)

    def test_it_was_never_loaded(self):
        self.archive_file.write_bytes(b"\xff" * OLD.size)
        FileStorage(self.folder).append(NEW, OLD.height)
        self.assert_clean(NEW)

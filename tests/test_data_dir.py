"""The folder of a node, and who may use it."""

import os
import stat

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.data_dir import lock_data_dir, make_data_dir
from p2pchat.errors import ConfigError, StartError
from p2pchat.identity import PeerId
from tests.temporary import temporary_path

ME = PeerId("alice@CIC")


class Making(SynchronousTestCase):
    def setUp(self) -> None:
        self.home = temporary_path(self)
        self.patch(os, "environ", {**os.environ, "XDG_DATA_HOME": str(self.home)})

    def test_each_peer_has_its_own_closed_to_others(self) -> None:
        for me, name in (("alice@CIC", "alice@CIC"), ("a b/../c@CIC", "a b%2F..%2Fc@CIC")):
            path = make_data_dir(None, PeerId(me))
            self.assertEqual(path, self.home / "p2pchat" / name)
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o700)

    def test_the_one_that_is_named_is_taken_as_it_is(self) -> None:
        named = self.home / "there"
        self.assertEqual(make_data_dir(str(named), ME), named)
        self.assertEqual(make_data_dir(str(named), ME), named)

    def test_one_that_is_there_is_closed_to_others_but_not_if_it_is_named(self) -> None:
        named = self.home / "there"
        for option, path, mode in (
            (None, make_data_dir(None, ME), 0o700),
            (str(named), make_data_dir(str(named), ME), 0o755),
        ):
            path.chmod(0o755)
            self.assertEqual(make_data_dir(option, ME), path)
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), mode)

    def test_what_is_no_folder_is_named(self) -> None:
        self.home.write_text("a file")
        error = self.assertRaises(ConfigError, make_data_dir, None, ME)
        self.assertTrue(str(error).startswith(f"data folder {self.home}/p2pchat/"), error)


class Locking(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = temporary_path(self)
        self.folder.mkdir()

    def test_one_at_a_time(self) -> None:
        with lock_data_dir(self.folder, ME):
            error = self.assertRaises(StartError, lock_data_dir, self.folder, ME)
            self.assertIn("alice@CIC is running already", str(error))
            self.assertIn("choose another --name", str(error))
        lock_data_dir(self.folder, ME).close()

    def test_the_lock_is_for_its_owner_alone(self) -> None:
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        lock = self.folder / "lock"
        for _ in range(2):
            lock_data_dir(self.folder, ME).close()
            self.assertEqual(stat.S_IMODE(lock.stat().st_mode), 0o600)
            lock.chmod(0o644)

    def test_who_holds_it_is_told(self) -> None:
        (self.folder / "lock").write_bytes(b"somebody@else, of an earlier run\n\xff\n")
        with lock_data_dir(self.folder, ME):
            bob = PeerId("bob@CIC")
            error = self.assertRaises(StartError, lock_data_dir, self.folder, bob)
            self.assertIn("alice@CIC is running already", str(error))
            self.assertEqual((self.folder / "lock").read_text(), "alice@CIC\n")

    def test_a_folder_that_can_not_be_written_to(self) -> None:
        missing = self.folder / "missing"
        error = self.assertRaises(ConfigError, lock_data_dir, missing, ME)
        self.assertEqual(str(error), f"data folder {missing}: No such file or directory")

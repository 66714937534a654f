"""Writing to a storage that is slow, fails and recovers: one write at a time, nothing forgotten."""

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.archive.archive import Archive
from p2pchat.archive.keeper import RETRY_TIME, Keeper
from p2pchat.archive.storage import MemoryStorage, OwnRecord
from tests.archive.mined import sketch
from tests.archive.threads import ThreadedClock

MARK = b"markmark"
ONE, TWO, FORK = sketch(("a", MARK)), sketch(("a", MARK), ("b", MARK)), sketch(("x", MARK))
THREE = sketch(("a", MARK), ("b", MARK), ("c", MARK))
RECORD, OTHER = OwnRecord(1, "a", "ab" * 8), OwnRecord(2, "b", "ab" * 8)


class RecordingStorage(MemoryStorage):
    """Writes down what it is asked for; fails while there is an `error`."""

    def __init__(self):
        super().__init__()
        self.calls = []
        self.error = None

    def append(self, archive, height):
        self.calls.append(("append", archive.height, height))
        self.fail()
        super().append(archive, height)

    def replace(self, archive):
        self.calls.append(("replace", archive.height))
        self.fail()
        super().replace(archive)

    def save_own(self, records):
        self.calls.append(("own", len(records)))
        self.fail()
        super().save_own(records)

    def load(self):
        self.fail()
        return super().load()

    def fail(self):
        if self.error is not None:
            raise self.error


class KeeperCase(SynchronousTestCase):
    def setUp(self):
        self.clock = ThreadedClock()
        self.storage = RecordingStorage()
        self.said = []
        self.keeper = self.new_keeper()

    def new_keeper(self):
        return Keeper(
            self.clock, self.storage, self.said.append, lambda: self.said.append("recovered")
        )

    def finish(self, threads=1):
        for _ in range(threads):
            self.clock.finish()

    def note_when_saved(self, name):
        self.keeper.when_saved(lambda: self.said.append(name))

    def stop(self):
        stopped = []
        Deferred.fromCoroutine(self.keeper.stop()).addBoth(stopped.append)
        return stopped

    def assert_stored(self, archive, *own):
        self.assertEqual(self.storage.calls and self.storage._archive, archive)
        self.assertEqual(self.storage._own, list(own))

    def assert_idle(self):
        self.assertEqual(self.clock.threads, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])


class WritingTests(KeeperCase):
    def test_growth_is_appended_and_another_archive_replaces(self):
        for archive in (ONE, THREE, FORK):
            self.keeper.keep(archive)
            self.finish()
            self.assert_stored(archive)
            self.assert_idle()
        self.assertEqual(self.storage.calls, [("append", 1, 0), ("append", 3, 1), ("replace", 1)])

    def test_what_is_loaded_is_stored_already(self):
        self.storage._archive, self.storage._own = TWO, [RECORD]
        loading = Deferred.fromCoroutine(self.keeper.load())
        self.finish()
        loaded = self.successResultOf(loading)
        self.assertEqual((loaded.archive, loaded.own), (TWO, [RECORD]))
        self.keeper.keep(loaded.archive)
        self.assert_idle()
        self.keeper.keep(THREE)
        self.finish()
        self.assertEqual(self.storage.calls, [("append", 3, 2)])

    def test_what_cannot_be_loaded(self):
        self.storage.error = OSError(5, "Input/output error")
        loading = Deferred.fromCoroutine(self.keeper.load())
        self.finish()
        self.failureResultOf(loading, OSError)

    def test_one_write_at_a_time_and_the_last_state_next(self):
        self.keeper.keep(ONE)
        for archive, own in ((TWO, [RECORD]), (THREE, [RECORD, OTHER])):
            self.keeper.keep(archive)
            self.keeper.keep_own(own)
            self.assertEqual(len(self.clock.threads), 1)
        self.finish()
        self.assertEqual(len(self.clock.threads), 1)
        self.finish(2)
        self.assertEqual(self.storage.calls, [("append", 1, 0), ("own", 2), ("append", 3, 1)])
        self.assert_stored(THREE, RECORD, OTHER)
        self.assert_idle()

    def test_our_chats_are_stored_before_the_archive(self):
        self.keeper.keep_own([RECORD])
        self.keeper.keep(ONE)
        self.finish(2)
        self.assertEqual(self.storage.calls, [("own", 1), ("append", 1, 0)])

    def test_our_chats_change_during_their_write(self):
        self.keeper.keep_own([RECORD])
        self.keeper.keep_own([RECORD, OTHER])
        self.finish(2)
        self.assert_stored(Archive(), RECORD, OTHER)
        self.assert_idle()

    def test_what_changed_back_during_the_write_is_written_again(self):
        self.keeper.keep(ONE)
        self.keeper.keep(TWO)
        self.keeper.keep_own([RECORD])
        self.keeper.keep_own([])
        self.finish(3)
        self.assert_stored(TWO)
        self.assert_idle()


class WhenSavedTests(KeeperCase):
    def test_at_once_if_all_is_stored(self):
        self.note_when_saved("first")
        self.assertEqual(self.said, ["first"])
        self.keeper.keep(ONE)
        self.finish()
        self.note_when_saved("second")
        self.assertEqual(self.said, ["first", "second"])

    def test_only_when_all_is_that_was_there(self):
        self.keeper.keep(ONE)
        self.keeper.keep_own([RECORD])
        self.note_when_saved("saved")
        self.finish()
        self.assertEqual((self.storage.calls, self.said), ([("append", 1, 0)], []))
        self.finish()
        self.assertEqual(self.said, ["saved"])

    def test_asked_during_the_write_of_what_is_there(self):
        for number, change in enumerate(
            (lambda: self.keeper.keep(ONE), lambda: self.keeper.keep_own([RECORD]))
        ):
            change()
            self.note_when_saved(f"saved {number}")
            self.assertEqual(len(self.said), number)
            self.finish()
            self.assertEqual(len(self.said), number + 1)
            self.assert_idle()

    def test_not_kept_waiting_by_what_changes_later(self):
        self.keeper.keep(ONE)
        self.note_when_saved("first")
        self.keeper.keep(TWO)
        self.note_when_saved("second")
        self.finish()
        self.keeper.keep(THREE)
        self.finish()
        self.assertEqual(self.said, ["first", "second"])
        self.assertEqual(len(self.clock.threads), 1)

    def test_whoever_hears_of_it_may_change_something(self):
        self.keeper.keep(ONE)
        self.keeper.when_saved(lambda: self.keeper.keep(TWO) or self.note_when_saved("second"))
        self.finish()
        self.assertEqual(self.said, [])
        self.finish()
        self.assertEqual(self.said, ["second"])
        self.assert_stored(TWO)

    def test_one_that_fails_is_logged_and_harms_no_other(self):
        self.keeper.keep(ONE)
        self.keeper.when_saved(lambda: 1 // 0)
        self.note_when_saved("second")
        self.keeper.keep(TWO)
        self.finish(2)
        self.assertEqual(self.said, ["second"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assert_stored(TWO)
        self.assert_idle()


class FailureTests(KeeperCase):
    def setUp(self):
        super().setUp()
        self.storage.error = OSError(28, "No space left on device")

    def retry(self):
        self.assertEqual(self.clock.threads, [])
        self.clock.advance(RETRY_TIME)
        self.assertEqual(len(self.clock.threads), 1)

    def test_again_until_it_works_and_said_once(self):
        self.keeper.keep(ONE)
        self.note_when_saved("saved")
        self.finish()
        for _ in range(3):
            self.retry()
            self.finish()
        self.assertEqual(self.said, ["No space left on device"])
        self.storage.error = None
        self.retry()
        self.finish()
        self.assertEqual(self.said[1:], ["recovered", "saved"])
        self.assert_stored(ONE)
        self.assert_idle()

    def test_said_again_when_it_fails_again(self):
        self.keeper.keep(ONE)
        self.finish()
        self.storage.error = None
        self.retry()
        self.finish()
        self.storage.error = OSError("odd")
        self.keeper.keep(TWO)
        self.finish()
        self.assertEqual(self.said, ["No space left on device", "recovered", "odd"])

    def test_said_of_which_file_if_that_is_known(self):
        self.storage.error = OSError(13, "Permission denied", "somewhere/archive.new")
        self.keeper.keep(ONE)
        self.finish()
        self.assertEqual(self.said, ["somewhere/archive.new: Permission denied"])
        self.assertIn("somewhere/archive.new", self.keeper.trouble)

    def test_what_changes_meanwhile_waits_for_the_next_attempt(self):
        self.keeper.keep(ONE)
        self.finish()
        self.keeper.keep(TWO)
        self.keeper.keep_own([RECORD])
        self.note_when_saved("saved")
        self.storage.error = None
        self.storage.calls.clear()
        self.retry()
        self.finish(2)
        self.assertEqual(self.storage.calls, [("own", 1), ("append", 2, 0)])
        self.assertEqual(self.said[1:], ["recovered", "saved"])
        self.assert_idle()

    def test_our_chats_that_were_not_stored_are_not_forgotten(self):
        for newer in ([], [RECORD, OTHER]):
            self.storage.error = OSError("full")
            self.keeper.keep_own([RECORD])
            if newer:
                self.keeper.keep_own(newer)
            self.note_when_saved("saved")
            self.finish()
            self.storage.error = None
            self.retry()
            self.assertNotIn("saved", self.said)
            self.finish()
            self.assertEqual(self.storage._own, newer or [RECORD])
            self.assertEqual(self.said.pop(), "saved")
            self.assert_idle()

    def test_first_of_two_writes_works(self):
        self.storage.error = None
        self.keeper.keep(ONE)
        self.keeper.keep_own([RECORD])
        self.note_when_saved("saved")
        self.finish()
        self.storage.error = OSError("full")
        self.finish()
        self.assertEqual(self.said, ["full"])
        self.storage.error = None
        self.retry()
        self.finish()
        self.assertEqual(self.said, ["full", "recovered", "saved"])
        self.assertEqual(self.storage.calls, [("append", 1, 0), ("own", 1), ("own", 1)])

    def test_what_no_storage_should_raise_is_logged_and_tried_again_too(self):
        self.storage.error = ValueError("a bug")
        self.keeper.keep_own([RECORD])
        self.keeper.keep(ONE)
        self.note_when_saved("saved")
        self.finish()
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.storage.error = None
        self.retry()
        self.finish(2)
        self.assert_stored(ONE, RECORD)
        self.assertEqual(self.said, ["a bug", "recovered", "saved"])


class StopTests(KeeperCase):
    def test_nothing_to_do(self):
        self.assertEqual(self.stop(), [None])

    def test_what_is_under_way_and_what_waits_is_written(self):
        self.keeper.keep(ONE)
        self.keeper.keep(TWO)
        self.keeper.keep_own([RECORD])
        stopped = self.stop()
        self.finish(2)
        self.assertEqual(stopped, [])
        self.finish()
        self.assertEqual(stopped, [None])
        self.assert_stored(TWO, RECORD)
        self.assert_idle()

    def test_once_more_after_a_failure(self):
        for error in (None, OSError("still full")):
            self.storage.error = OSError("full")
            self.keeper.keep(ONE)
            self.note_when_saved("saved")
            self.finish()
            self.storage.error = error
            stopped = self.stop()
            self.assertEqual(len(self.clock.threads), 1)
            self.finish()
            self.assertEqual(stopped, [None])
            self.assertEqual("saved" in self.said, error is None)
            self.assert_idle()
            self.keeper, self.said = self.new_keeper(), []

    def test_failure_of_the_last_write(self):
        self.storage.error = OSError("full")
        self.keeper.keep(ONE)
        stopped = self.stop()
        self.finish()
        self.assertEqual(stopped, [None])
        self.assert_idle()
        self.assertEqual(self.storage._archive, Archive())

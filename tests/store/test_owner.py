"""Files that are not for us, and what is set aside: nothing is lost of what nobody else has."""

import sqlite3
from contextlib import closing
from pathlib import Path

from p2pchat.history import StoreError
from p2pchat.identity import PeerId
from p2pchat.store.files import MAX_BAD, MAX_UNREAD_BAD
from p2pchat.store.schema import MIGRATIONS
from p2pchat.store.sqlite import SqliteHistory
from tests.store.cases import ALICE, BOB, StoreCase, at, received, uuid

MALLORY = PeerId("mallory@CIC")


class OwnedCase(StoreCase):
    """A history of Alice, with a message that waits; `me` is who opens the file."""

    me = ALICE

    def setUp(self) -> None:
        super().setUp()
        self.get(self.history.queue(BOB, uuid(1), "in my name", at(1)))

    def make(self) -> SqliteHistory:
        history = super().make()
        if self.me != ALICE:
            history = SqliteHistory(
                *(self.reactor, self.path, self.me, self.bounds, lambda: self.now),
                *(lambda level, text: self.told.append((level, text)), lambda: self.pool),
            )
        return history

    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.folder.iterdir()}

    def refused(self) -> str:
        """Open the file, more than once; return why it can't be."""
        history = self.history = self.make()
        reasons = {str(self.failureResultOf(history.open(), StoreError).value) for _ in range(3)}
        failure = self.failureResultOf(history.receive([received(1)]), StoreError)
        self.assertEqual(str(failure.value), "the history is not open")
        self.get(history.close())
        (reason,) = reasons
        return reason

    def change(self, *statements: str) -> None:
        with closing(sqlite3.connect(self.path)) as db:
            for statement in statements:
                db.execute(statement)
            db.commit()


class OwnerTests(OwnedCase):
    def test_one_of_somebody_else_stays_as_it_is(self) -> None:
        killed = self.files()
        self.end()
        for before in (self.files(), killed):
            self.fill_folder(before)
            self.me = MALLORY
            self.assertEqual(
                self.refused(),
                "history.db belongs to alice@CIC; choose another --data-dir, or move it away",
            )
            after = self.files()
            after.pop("history.db-shm", None)
            before.pop("history.db-shm", None)
            self.assertEqual(after, before)
            self.me = ALICE
            opened = self.begin()
            self.assertEqual([waiting.text for waiting in opened.outbox], ["in my name"])
            self.assertEqual((opened.notices, self.told), ([], []))
            self.end()

    def test_one_from_before_owners_were_noted_is_ours(self) -> None:
        self.end()
        self.change("DROP TABLE owner")
        for closed in (True, False):
            if not closed:
                self.path.with_name("history.db-closed").unlink()
            self.assertEqual(self.begin().notices, [])
            self.assertEqual((len(self.all()), self.told), (1, []))
            self.end()
        self.me = MALLORY
        self.assertIn("belongs to alice@CIC", self.refused())

    def test_an_owner_that_is_not_as_it_was_written(self) -> None:
        self.end()
        self.change("UPDATE owner SET peer_id = 'alicf@CIC'")
        opened = self.begin()
        self.assertIn("its owner is not as it was written", opened.notices[0])
        self.assertEqual([waiting.text for waiting in opened.outbox], ["in my name"])

    def test_nothing_of_others_is_sent_in_our_name(self) -> None:
        self.end()
        self.change("UPDATE owner SET checksum = 0")
        self.me = MALLORY
        opened = self.begin()
        self.assertIn("its owner is not as it was written", opened.notices[0])
        self.assertEqual((opened.outbox, self.get(self.history.outbox())), ([], []))


class VersionTests(OwnedCase):
    def test_a_newer_one_stays_as_it_is(self) -> None:
        self.end()
        known = len(MIGRATIONS)
        self.change(f"PRAGMA user_version = {known + 1}")
        before = self.files()
        self.assertEqual(
            self.refused(),
            "history.db was made by a newer version of p2pchat"
            f" (schema {known + 1}, this one knows {known})",
        )
        self.assertEqual(self.files(), before)
        self.change(f"PRAGMA user_version = {known}")
        self.assertEqual(len(self.begin().outbox), 1)


class KeepingTests(OwnedCase):
    """Of what is set aside the oldest goes, if its messages are in a newer one."""

    def test_what_could_not_be_read_is_kept_up_to_a_bound(self) -> None:
        self.end()
        # what is said of a file that was moved away holds for no other
        self.fill_folder({"history.db.bad.3-taken": b""})
        for number in range(MAX_UNREAD_BAD):
            self.path.write_bytes(b"%d" % number)
            self.path.with_name("history.db-wal").write_bytes(b"log %d" % number)
            self.begin()
            self.end()
        bad = [path for path in self.folder.glob("history.db.bad*") if "shm" not in path.name]
        kept = {path: path.read_bytes() for path in bad}
        self.assertEqual(len(kept), 2 * MAX_UNREAD_BAD)
        self.assertEqual(kept[self.bad(3)], b"3")
        self.path.write_bytes(b"one more")
        self.assertEqual(
            self.refused(),
            f"history.db cannot be used: it was cut off; {MAX_UNREAD_BAD} files history.db.bad"
            " that could not be read are kept already, move them away",
        )
        self.assertEqual(self.path.read_bytes(), b"one more")
        self.assertEqual({path: path.read_bytes() for path in kept}, kept)
        self.bad(5).unlink()
        self.assertEqual(len(self.begin().notices), 1)

    def test_what_was_taken_over_goes_before_what_was_not(self) -> None:
        self.end()
        history = self.path.read_bytes()
        self.path.write_bytes(b"not a history")
        self.begin()
        self.end()
        self.fill_folder({"history.db": history, "history.db.bad": b"not a history"})
        for number in range(MAX_BAD + 2):
            self.begin()
            self.receive(received(100 + number))
            # some of it is indexed, so that it is taken over in slices
            self.reactor.advance(1)
            self.end()
            self.change("UPDATE owner SET checksum = 0")
        left = range(MAX_BAD + 1 - (MAX_BAD - 2), MAX_BAD + 2)
        expected = [self.bad(0), *(self.bad(number) for number in left)]
        found = list(self.folder.glob("history.db.bad*"))
        self.assertEqual(
            sorted(found),
            sorted([*expected, *(path.with_name(f"{path.name}-taken") for path in expected[1:])]),
        )
        self.assertEqual(self.bad(0).read_bytes(), b"not a history")
        self.begin()
        self.reactor.advance(1)
        self.assertEqual(len(self.all()), MAX_BAD + 3)

    def bad(self, number: int) -> Path:
        return self.folder / ("history.db.bad" + (f".{number}" if number else ""))

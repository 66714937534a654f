"""What is taken over from a damaged file: at once what is needed, then all that can be read."""

import sqlite3
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from p2pchat.history import Bounds
from p2pchat.store import answers, salvage, upkeep
from tests.store.cases import at, uuid
from tests.store.salvage_case import SIZE, SalvageCase


class AtOnceTests(SalvageCase):
    def test_the_outbox_the_peers_and_what_is_read(self) -> None:
        before = answers.outbox(self.database.journal.db)
        self.assertEqual([(one.msg_id, one.attempts) for one in before][1], ("written", 2))
        peers = self.database.read(lambda db: answers.peers(db, 99))
        opened = self.replace()
        self.assertEqual(opened.outbox, before)
        self.assertEqual(opened.unread, 30)
        self.assertEqual(self.database.read(lambda db: answers.peers(db, 99)), peers)
        (notice,) = opened.notices
        self.assertIn("begun with 32 messages, 2 of them in the outbox, what else", notice)
        self.keep_up()
        self.assertEqual(
            self.database.take_notices(),
            [("info", f"371 messages more were taken over from {self.path}.bad")],
        )
        self.assertEqual(self.all(), self.entries)

    def test_what_did_not_end_but_is_not_in_the_outbox(self) -> None:
        self.change("DELETE FROM outbox")
        waiting = [(one.msg_id, one.attempts) for one in self.replace().outbox]
        self.assertEqual(waiting, [("waits", 0), ("written", 1)])

    def test_new_numbers_are_behind_all_that_were_given(self) -> None:
        self.replace()
        self.assertEqual(self.receive(1000), [max(self.entries) + 1])

    def test_nothing_to_take_over(self) -> None:
        self.database.close()
        self.path.write_bytes(b"nothing at all" * 1000)
        opened = self.begin()
        text = "; nothing of it could be read, and a new one is begun, the old file is "
        self.assertIn(text, opened.notices[0])
        self.keep_up()
        self.assertEqual(self.database.take_notices(), [])


class SliceTests(SalvageCase):
    def test_nothing_comes_in_twice_meanwhile(self) -> None:
        self.replace()
        self.assertEqual(self.receive(3, SIZE - 1, 1000, 200), [None, None, 404, None])
        self.keep_up()
        self.assertEqual(self.receive(*range(SIZE)), [None] * SIZE)
        entries = self.all()
        self.assertEqual(entries.pop(404).msg_id, uuid(1000))
        self.assertEqual(entries, self.entries)

    def test_a_late_ack_for_what_is_not_taken_over_yet(self) -> None:
        self.replace()
        self.assertEqual(
            self.do(lambda journal: journal.settled("failed", "delivered", "")), [True]
        )
        self.keep_up()
        states = {entry.msg_id: entry.state for entry in self.all().values()}
        self.assertEqual(states["failed"], "delivered")

    def test_bounded_work_the_last_stored_first(self) -> None:
        self.replace()
        self.keep_up(1)
        later = sorted(set(self.all()) - {371, 372})
        self.assertEqual(later, [*range(later[0], 371), *range(373, 404)][-len(later) :])
        self.assertLess(len(later), 30 + 2 * salvage.SLICE)
        self.assertGreater(len(later), 30)

    def test_no_more_text_at_once_than_is_indexed(self) -> None:
        self.patch(upkeep, "SLICE_TEXT", 100)
        self.keep_up()
        self.replace()
        counts = [len(self.all())]
        while counts[-1] < len(self.entries):
            self.keep_up(1)
            counts.append(len(self.all()))
        steps = {after - before for before, after in pairwise(counts)}
        self.assertLessEqual(steps, set(range(1, 100 // len("text 1"))))
        self.keep_up()
        self.assertEqual(self.all(), self.entries)

    def test_it_goes_on_after_a_kill(self) -> None:
        self.replace()
        self.keep_up(2)
        self.assertLess(len(self.all()), len(self.entries))
        self.assertEqual(self.killed(self.files()).notices, [])
        self.assertEqual(self.receive(3), [None])
        self.keep_up()
        self.assertEqual(self.all(), self.entries)

    def test_a_kill_before_anything_is_taken_over(self) -> None:
        states = []

        def note(*_: object) -> None:
            states.append(self.files())

        begin = salvage.begin

        def note_and_begin(*arguments: Any) -> Any:
            note()
            return begin(*arguments)

        self.patch(salvage, "begin", note_and_begin)
        rename = Path.rename

        def note_and_rename(path: Path, target: Any) -> Any:
            note()
            return rename(path, target)

        self.patch(Path, "rename", note_and_rename)
        self.replace()
        note()
        self.assertGreaterEqual(len(states), 3)
        for files in list(states):
            opened = self.killed(files)
            self.assertEqual([one.msg_id for one in opened.outbox], ["waits", "written"])
            self.keep_up()
            self.assertEqual(self.all(), self.entries)

    def test_one_that_is_damaged_before_it_has_taken_over_all(self) -> None:
        self.replace()
        self.keep_up(2)
        self.assertEqual(self.receive(1000), [404])
        self.replace()
        self.assertEqual(self.receive(3, 1000), [None, None])
        self.keep_up()
        entries = self.all()
        self.assertEqual(entries.pop(404).msg_id, uuid(1000))
        self.assertEqual(entries, self.entries)
        self.assertEqual(len(self.database.take_notices()), 2)

    def test_a_transaction_that_fails_leaves_it_to_the_next_one(self) -> None:
        self.replace()
        forget = self.database.journal.register.forget_wreck

        def fail() -> None:
            forget()
            raise sqlite3.OperationalError("disk I/O error")

        self.patch(self.database.journal.register, "forget_wreck", fail)
        while (outcome := self.transactions.keep_up()).error is None:
            self.assertTrue(outcome.value)
        self.patch(self.database.journal.register, "forget_wreck", forget)
        self.keep_up()
        self.assertEqual(self.all(), self.entries)

    def test_a_file_that_is_gone(self) -> None:
        self.replace()
        self.database.close()
        self.path.with_name("history.db.bad").unlink()
        self.begin()
        self.keep_up()
        text = f"nothing more could be taken over from {self.path}.bad"
        self.assertEqual(self.database.take_notices(), [("warning", text)])
        self.assertEqual(len(self.all()), 32)


class BoundedTests(SalvageCase):
    bounds = Bounds(max_messages=SIZE + 3, max_days=1)

    def test_no_more_than_is_kept(self) -> None:
        self.database.close()
        self.bounds = Bounds(max_messages=100)
        self.begin()
        self.replace()
        self.keep_up()
        self.assertEqual(len(self.all()), 100)
        (more,) = self.database.take_notices()
        self.assertIn(" messages more", more[1])

    def test_nothing_that_is_too_old_but_for_the_outbox(self) -> None:
        self.now = at(SIZE - 50) + timedelta(days=1)
        self.replace()
        self.assertEqual(len(answers.outbox(self.database.journal.db)), 2)
        self.keep_up()
        self.assertEqual(len(self.all()), 52)

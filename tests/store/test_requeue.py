"""What is under way is put back into the outbox of a file that took the place of a damaged one."""

import os
from collections.abc import Sequence

from p2pchat.history import Bounds, OutboxEntry
from p2pchat.identity import PeerId
from tests.store.cases import BOB, EVE, StoreCase, at, received, uuid


class RequeueTests(StoreCase):
    bounds = Bounds(max_outbox=3, max_outbox_per_peer=3)

    def setUp(self) -> None:
        super().setUp()
        self.replaced = 0
        self.history.watch(self.count)
        self.receive(*map(received, range(5)))
        for number in range(3):
            self.queue(number)
        self.get(self.history.written(uuid(1)))
        self.waiting = self.outbox()

    def count(self) -> None:
        self.replaced += 1

    def queue(self, number: int, to: PeerId = BOB) -> int:
        return self.get(self.history.queue(to, uuid(number), f"text {number}", at(number)))

    def outbox(self) -> list[OutboxEntry]:
        return self.get(self.history.outbox())

    def requeue(self, entries: Sequence[OutboxEntry]) -> int:
        return self.get(self.history.requeue(entries))

    def spoil(self) -> None:
        """Write over all of the file, and have that found out."""
        for name in ("history.db", "history.db-wal"):
            (self.folder / name).write_bytes(os.urandom(20_000))
        self.history._database.suspect("it is spoilt")  # type: ignore[attr-defined]
        self.receive(received(100))

    def test_who_watches_is_told_once(self) -> None:
        self.spoil()
        self.receive(received(101))
        self.assertEqual(self.replaced, 1)
        self.assertIn("it is spoilt", self.told[0][1])

    def test_a_file_that_was_damaged_before_the_start_is_nothing_to_them(self) -> None:
        self.end()
        self.path.write_bytes(os.urandom(20_000))
        self.history = self.make()
        self.history.watch(self.count)
        self.assertTrue(self.get(self.history.open()).notices)
        self.receive(received(100))
        self.assertEqual(self.replaced, 0)

    def test_all_of_it_comes_back_as_it_was(self) -> None:
        self.spoil()
        self.assertEqual(self.outbox(), [])
        self.assertEqual(self.requeue(self.waiting), 3)
        self.assertEqual(self.outbox(), self.waiting)
        self.assertEqual([entry.state for entry in self.all()], ["queued", "sent", "queued", ""])
        self.assertEqual(self.crash().outbox, self.waiting)
        self.assertEqual(len(self.get(self.history.search("text", 9))), 3)

    def test_new_ones_come_behind_it(self) -> None:
        self.spoil()
        later = self.queue(9, EVE)
        self.assertGreater(later, self.waiting[-1].stored_id)
        self.requeue(self.waiting)
        self.assertEqual([entry.stored_id for entry in self.outbox()][-1], later)

    def test_more_than_the_outbox_may_have(self) -> None:
        self.spoil()
        self.queue(9)
        self.assertEqual(self.requeue(self.waiting), 3)
        self.assertEqual(len(self.outbox()), 4)

    def test_twice_is_as_once(self) -> None:
        self.assertEqual(self.requeue(self.waiting), 0)
        self.spoil()
        self.assertEqual(self.requeue(self.waiting[:2]), 2)
        self.assertEqual(self.requeue(self.waiting), 1)
        self.assertEqual(self.outbox(), self.waiting)

    def test_what_has_ended_stays_so(self) -> None:
        self.get(self.history.settled(uuid(0), "delivered"))
        self.get(self.history.cancel(uuid(1)))
        self.assertEqual(self.requeue(self.waiting), 0)
        self.assertEqual(self.outbox(), self.waiting[2:])

    def test_what_is_there_but_not_in_the_outbox(self) -> None:
        db = self.history._database.journal.db  # type: ignore[attr-defined]
        db.execute("DELETE FROM outbox")
        self.assertEqual(self.requeue(self.waiting), 3)
        self.assertEqual(self.outbox(), self.waiting)

    def test_a_number_that_another_one_has(self) -> None:
        taken = OutboxEntry(1, uuid(50), EVE, "taken", at(50), 0)
        self.assertEqual(self.requeue([taken]), 1)
        (last,) = self.outbox()[3:]
        self.assertEqual((last.stored_id, last.text), (9, "taken"))

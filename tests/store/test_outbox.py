"""What waits to be delivered: its states, its bounds, and that it survives."""

from p2pchat.errors import QueueFullError
from p2pchat.history import WITHDRAWN, Bounds, OutboxEntry
from p2pchat.identity import PeerId
from tests.store.cases import BOB, EVE, StoreCase, at, received, uuid


class OutboxTests(StoreCase):
    bounds = Bounds(max_outbox=4, max_outbox_per_peer=2)

    def queue(self, number: int, to: PeerId = BOB) -> int:
        return self.get(self.history.queue(to, uuid(number), f"text {number}", at(number)))

    def waiting(self) -> list[int]:
        return [entry.stored_id for entry in self.get(self.history.outbox())]

    def state(self, stored_id: int) -> tuple[str, str]:
        (entry,) = [entry for entry in self.all() if entry.stored_id == stored_id]
        return entry.state, entry.reason

    def test_what_waits_after_a_restart_and_after_a_kill(self) -> None:
        self.queue(1)
        self.queue(2, EVE)
        self.get(self.history.written(uuid(2)))
        self.get(self.history.written(uuid(2)))
        expected = [
            OutboxEntry(1, uuid(1), BOB, "text 1", at(1), 0),
            OutboxEntry(2, uuid(2), EVE, "text 2", at(2), 2),
        ]
        self.assertEqual(self.get(self.history.outbox()), expected)
        self.assertEqual(self.restart().outbox, expected)
        self.assertEqual(self.crash().outbox, expected)

    def test_states(self) -> None:
        number = self.queue(1)
        self.assertEqual(self.state(number), ("queued", ""))
        self.assertTrue(self.get(self.history.written(uuid(1))))
        self.assertEqual(self.state(number), ("sent", ""))
        self.assertEqual(self.waiting(), [number])
        self.assertTrue(self.get(self.history.settled(uuid(1), "failed", "nobody there")))
        self.assertEqual(self.state(number), ("failed", "nobody there"))
        self.assertEqual(self.waiting(), [])

    def test_a_late_acknowledgement_is_noted_and_nothing_else(self) -> None:
        number, msg_id = self.queue(1), uuid(1)
        self.get(self.history.settled(msg_id, "failed", "why"))
        self.assertFalse(self.get(self.history.settled(msg_id, "failed", "too late")))
        self.assertFalse(self.get(self.history.written(msg_id)))
        self.assertEqual(self.state(number), ("failed", "why"))
        self.assertTrue(self.get(self.history.settled(msg_id, "delivered")))
        self.assertEqual(self.state(number), ("delivered", ""))
        for state in ("failed", "delivered"):
            self.assertFalse(self.get(self.history.settled(msg_id, state)))
        self.assertEqual(self.state(number), ("delivered", ""))

    def test_withdrawing_by_number_and_by_id(self) -> None:
        first, second = self.queue(1), self.queue(2)
        self.assertTrue(self.get(self.history.cancel(first)))
        self.assertFalse(self.get(self.history.cancel(first)))
        self.assertTrue(self.get(self.history.cancel(uuid(2))))
        for unknown in (uuid(2), uuid(3), 0, 99):
            self.assertFalse(self.get(self.history.cancel(unknown)))
        self.assertEqual(self.waiting(), [])
        self.assertEqual(self.state(first), ("failed", WITHDRAWN))
        self.assertEqual(self.state(second), ("failed", WITHDRAWN))

    def test_what_came_in_cannot_be_settled_or_withdrawn(self) -> None:
        self.receive(received(1))
        published = self.get(self.history.published("*", uuid(2), "to all", at(2)))
        self.assertFalse(self.get(self.history.cancel(1)))
        self.assertFalse(self.get(self.history.cancel(published)))
        for msg_id in (uuid(1), uuid(2), "unknown"):
            self.assertFalse(self.get(self.history.written(msg_id)))
            self.assertFalse(self.get(self.history.settled(msg_id, "delivered")))
        self.assertEqual([entry.state for entry in self.all()], ["", ""])

    def test_bounds_per_peer_and_in_all(self) -> None:
        self.queue(1)
        self.queue(2)
        refused = self.failureResultOf(
            self.history.queue(BOB, uuid(3), "no", at(3)), QueueFullError
        )
        self.assertEqual(str(refused.value), "2 messages wait for bob@CIC already")
        self.queue(4, EVE)
        self.queue(5, EVE)
        other = PeerId("zoe@CIC")
        refused = self.failureResultOf(
            self.history.queue(other, uuid(6), "no", at(6)), QueueFullError
        )
        self.assertEqual(str(refused.value), "4 messages wait in the outbox already")
        self.get(self.history.settled(uuid(1), "delivered"))
        self.queue(6, other)
        self.assertEqual([entry.msg_id for entry in self.all()], [uuid(n) for n in (1, 2, 4, 5, 6)])

    def test_what_is_refused_is_refused_alone(self) -> None:
        self.pool.held = True
        first = self.history.queue(BOB, uuid(0), "first", at(0))
        group = [self.history.queue(BOB, uuid(n), "group", at(n)) for n in (1, 2, 3)]
        other = self.history.receive([received(4)])
        for _ in range(10):
            self.pool.run()
        self.assertEqual(self.get(first), 1)
        self.assertEqual(self.get(group[0]), 2)
        for refused in group[1:]:
            self.failureResultOf(refused, QueueFullError)
        self.assertEqual(self.get(other), [3])
        self.pool.held = False

    def test_asked_for_again_nothing_is_added(self) -> None:
        number = self.queue(1)
        self.queue(2)
        self.assertEqual(self.queue(1), number)
        first = self.get(self.history.published("*", uuid(7), "to all", at(7)))
        self.assertEqual(self.get(self.history.published("*", uuid(7), "to all", at(7))), first)
        self.get(self.history.settled(uuid(1), "delivered"))
        self.assertEqual(self.queue(1), number)
        self.assertEqual(self.waiting(), [2])
        self.assertEqual(len(self.all()), 3)

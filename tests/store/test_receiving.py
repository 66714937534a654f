"""What came in is kept once, whatever it is, and counted until it is read."""

from p2pchat.history import Entry
from tests.store.cases import ALICE, BOB, EVE, StoreCase, at, received, texts, uuid


class ReceivingTests(StoreCase):
    def test_numbers_grow_and_what_is_there_has_none(self) -> None:
        self.assertEqual(self.receive(received(1), received(2)), [1, 2])
        self.assertEqual(self.receive(received(2), received(3), received(3)), [None, 3, None])
        self.restart()
        self.assertEqual(self.receive(received(1), received(3), received(4)), [None, None, 4])

    def test_an_empty_batch(self) -> None:
        self.assertEqual(self.receive(), [])

    def test_the_same_msg_id_from_somebody_else_is_another_message(self) -> None:
        twice = received(1), received(1, sender=EVE)
        self.assertEqual(self.receive(*twice), [1, 2])
        self.assertEqual(self.receive(*twice), [None, None])

    def test_nobody_forestalls_a_message_by_relaying_it(self) -> None:
        self.assertEqual(self.receive(received(1, relayed=True)), [1])
        self.assertEqual(self.receive(received(1)), [2])
        self.assertEqual([entry.relayed for entry in self.all()], [True, False])

    def test_our_own_ids_are_ours(self) -> None:
        self.get(self.history.queue(BOB, uuid(1), "from us", at(0)))
        self.assertEqual(self.receive(received(1)), [2])

    def test_what_is_kept(self) -> None:
        self.receive(
            received(1, "one"),
            received(2, "two", kind="pub", to="#CIC"),
            received(3, "three", relayed=True, sender=EVE),
        )
        common = {"direction": "in", "unread": True}
        self.assertEqual(
            self.all(),
            [
                Entry(
                    stored_id=1,
                    time=at(1),
                    msg_id=uuid(1),
                    source=BOB,
                    to=ALICE,
                    text="one",
                    kind="send",
                    **common,
                ),
                Entry(
                    stored_id=2,
                    time=at(2),
                    msg_id=uuid(2),
                    source=BOB,
                    to="#CIC",
                    text="two",
                    kind="pub",
                    **common,
                ),
                Entry(
                    stored_id=3,
                    time=at(3),
                    msg_id=uuid(3),
                    source=EVE,
                    to=ALICE,
                    text="three",
                    kind="send",
                    relayed=True,
                    **common,
                ),
            ],
        )

    def test_ids_of_any_form_and_texts_of_any_kind(self) -> None:
        lower = "abcdef01-2345-4678-9abc-def012345678"
        ids = [lower, lower.upper(), lower.replace("-", "_"), lower.replace("-", ""), lower + " "]
        ids += ["", "1", "0" * 16, " " * 36, "\0", "é" * 36, "a" * 32 + "----", "-" * 36]
        ids += ["abcdef01-2345-4678-9abc-def01234567 ", "abcdef0 12345-4678-9abc-def01234567"]
        messages = [received(0, f"\0text\n{n}", msg_id=msg_id) for n, msg_id in enumerate(ids)]
        self.assertEqual(self.receive(*messages), list(range(1, len(ids) + 1)))
        self.assertEqual(self.receive(*messages), [None] * len(ids))
        self.assertEqual([entry.msg_id for entry in self.all()], ids)
        self.assertEqual(texts(self.all()), [message.text for message in messages])

    def test_the_batch_that_cannot_be_encoded_fails_alone(self) -> None:
        self.pool.held = True
        answers = [
            self.history.receive([received(1)]),
            self.history.receive([received(2)]),
            self.history.receive([received(3, "\ud800")]),
            self.history.receive([received(4)]),
        ]
        while self.pool.run():
            pass
        self.assertEqual(self.get(answers[0]), [1])
        self.assertEqual(self.get(answers[1]), [2])
        self.failureResultOf(answers[2], UnicodeEncodeError)
        self.assertEqual(self.get(answers[3]), [3])
        self.pool.held = False
        self.assertEqual([entry.msg_id for entry in self.all()], [uuid(1), uuid(2), uuid(4)])
        self.assertEqual(self.receive(received(3)), [4])


class UnreadTests(StoreCase):
    def unread(self, count: int = 9) -> tuple[int, list[str]]:
        total, entries = self.get(self.history.unread(count))
        self.assertTrue(all(entry.unread for entry in entries))
        return total, texts(entries)

    def test_counted_and_read(self) -> None:
        self.receive(received(1, "one"), received(2, "two"))
        self.get(self.history.queue(BOB, uuid(3), "ours", at(3)))
        self.get(self.history.published("*", uuid(4), "ours too", at(4)))
        self.receive(received(5, "three"))
        self.assertEqual(self.unread(), (3, ["one", "two", "three"]))
        self.assertEqual(self.unread(2), (3, ["two", "three"]))
        self.assertEqual(self.unread(0), (3, []))
        self.assertEqual(self.restart().unread, 3)
        self.get(self.history.read(2))
        self.assertEqual(self.unread(), (1, ["three"]))
        self.get(self.history.read(1))
        self.assertEqual(self.unread(), (1, ["three"]))
        self.assertEqual(self.restart().unread, 1)
        unread = [entry.unread for entry in self.all()]
        self.assertEqual(unread, [False, False, False, False, True])

    def test_nobody_reads_ahead(self) -> None:
        self.get(self.history.read(10**9))
        self.receive(received(1, "one"))
        self.assertEqual(self.unread(), (1, ["one"]))

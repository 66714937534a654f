"""Messages by conversation and time, and all of them as an export."""

from p2pchat.history import NOT_EXPORTED, Entry
from p2pchat.store import answers
from tests.store.cases import ALICE, BOB, EVE, StoreCase, at, received, texts, uuid


class ConversationTests(StoreCase):
    def setUp(self) -> None:
        super().setUp()
        self.receive(received(1, "from bob"), received(2, "from eve", sender=EVE))
        self.get(self.history.queue(BOB, uuid(3), "to bob", at(3)))
        self.receive(received(4, "bob to all", kind="pub", to="*"))
        self.get(self.history.published("#CIC", uuid(5), "to CIC", at(5)))
        self.receive(received(6, "relayed from bob", relayed=True))

    def entries(
        self, conversation: str | None, count: int = 9, before: float | None = None
    ) -> list[str]:
        time = None if before is None else at(before)
        return texts(self.get(self.history.entries(conversation, count, time)))

    def check(self) -> None:
        self.assertEqual(self.entries(BOB), ["from bob", "to bob", "relayed from bob"])
        self.assertEqual(self.entries(EVE), ["from eve"])
        self.assertEqual(self.entries("*"), ["bob to all"])
        self.assertEqual(self.entries("#CIC"), ["to CIC"])
        for nobody in ("#other", "zoe@CIC", ""):
            self.assertEqual(self.entries(nobody), [])
        self.assertEqual(len(self.entries(None)), 6)
        self.assertEqual(self.entries(BOB, 2), ["to bob", "relayed from bob"])
        self.assertEqual(self.entries(BOB, 2, 6), ["from bob", "to bob"])
        self.assertEqual(self.entries(BOB, 2, 3.001), ["from bob", "to bob"])
        self.assertEqual(self.entries(BOB, 2, 3), ["from bob"])
        self.assertEqual(self.entries(None, 1, 6), ["to CIC"])
        for few in (0, -1):
            self.assertEqual(self.entries(BOB, few), [])

    def test_before_and_after_it_is_indexed(self) -> None:
        self.check()
        self.reactor.advance(1)
        self.check()
        self.restart()
        self.check()

    def test_older_ones_that_come_later_stand_where_they_belong(self) -> None:
        self.receive(received(10, "older", time=at(-1)))
        self.reactor.advance(1)
        self.receive(received(11, "old", time=at(0)))
        self.assertEqual(
            self.entries(BOB), ["older", "old", "from bob", "to bob", "relayed from bob"]
        )
        self.assertEqual(self.entries(None, 2), ["to CIC", "relayed from bob"])

    def test_no_more_than_so_many_at_once(self) -> None:
        self.patch(answers, "MAX_COUNT", 2)
        self.assertEqual(self.entries(None, 10**9), ["to CIC", "relayed from bob"])
        self.assertEqual(len(self.get(self.history.unread(10**9)).entries), 2)
        self.assertEqual(len(self.get(self.history.search("bob", 10**9))), 2)


class SearchTests(StoreCase):
    def search(self, words: str, count: int = 9) -> list[str]:
        found = self.get(self.history.search(words, count))
        return [one.entry.text for one in found]

    def test_newest_first_whenever_they_were_stored(self) -> None:
        self.receive(received(1, "first word"), received(3, "third word"))
        self.receive(received(4, "older word", time=at(0)), received(2, "second word"))
        newest = ["third word", "second word", "first word", "older word"]
        self.assertEqual(self.search("word"), newest)
        self.assertEqual(self.search("WORD", 2), newest[:2])
        for few in (0, -1):
            self.assertEqual(self.search("word", few), [])

    def test_marked_where_it_was_found(self) -> None:
        self.receive(received(1, "Olá, é a Reunião"))
        (found,) = self.get(self.history.search("reuniao ola", 9))
        self.assertEqual(found.marks, [(0, 3), (9, 16)])
        self.assertEqual(found.entry, self.all()[0])

    def test_nothing_is_found_by_nothing(self) -> None:
        self.receive(received(1, "word"), received(2, ""))
        for words in ("", " ", '""', "*", "!"):
            self.assertEqual(self.search(words), [])

    def test_among_too_many_those_stored_last_are_looked_at(self) -> None:
        self.patch(answers, "MAX_MATCHES", 2)
        self.receive(received(2, "word 1"), received(3, "word 2"), received(1, "word old"))
        self.assertEqual(self.search("word"), ["word 2", "word old"])


class ExportTests(StoreCase):
    def setUp(self) -> None:
        super().setUp()
        self.receive(received(2, "two"), received(1, "one", relayed=True))
        self.receive(received(3, "three", kind="pub", to="*"))
        for number in (4, 5, 6):
            self.get(self.history.queue(BOB, uuid(number), f"to bob {number}", at(number)))
        self.get(self.history.settled(uuid(4), "delivered"))
        self.get(self.history.settled(uuid(5), "failed", "gone"))
        self.get(self.history.published("#CIC", uuid(7), "to CIC", at(7)))

    def test_everything_oldest_first_in_pages(self) -> None:
        self.patch(answers, "PAGE", 3)
        pages = self.exported()
        self.assertEqual([len(page) for page in pages], [3, 3, 1])
        self.assertEqual([entry for page in pages for entry in page], self.all())
        self.assertEqual(texts(pages[0]), ["one", "two", "three"])

    def test_to_another_history_twice(self) -> None:
        (page,) = self.exported()
        self.end()
        self.path = self.folder / "other.db"
        self.begin()
        self.assertEqual(self.get(self.history.import_entries(page)), (7, 0))
        self.assertEqual(self.get(self.history.import_entries(page)), (0, 7))
        expected = [(entry.text, entry.state, entry.reason) for entry in page]
        expected[5] = ("to bob 6", "failed", NOT_EXPORTED)
        found = [(entry.text, entry.state, entry.reason) for entry in self.all()]
        self.assertEqual(found, expected)
        self.assertEqual(self.get(self.history.unread(9)).total, 0)
        self.assertEqual({entry.unread for entry in self.all()}, {False})
        self.assertEqual(self.get(self.history.outbox()), [])
        for mine, theirs in zip(self.all(), page, strict=True):
            for field in ("time", "msg_id", "source", "to", "kind", "direction", "relayed"):
                self.assertEqual(getattr(mine, field), getattr(theirs, field))

    def test_to_where_it_came_from(self) -> None:
        (page,) = self.exported()
        self.assertEqual(self.get(self.history.import_entries(page)), (0, 7))

    def test_messages_of_another_name_are_taken_as_ours(self) -> None:
        theirs = [
            Entry(
                time=at(20),
                msg_id="a",
                source="al@X",
                to=EVE,
                text="1",
                kind="send",
                direction="out",
            ),
            Entry(
                time=at(21),
                msg_id="b",
                source=EVE,
                to="al@X",
                text="2",
                kind="send",
                direction="in",
            ),
        ]
        self.assertEqual(self.get(self.history.import_entries(theirs)), (2, 0))
        mine = self.get(self.history.entries(EVE, 9))
        self.assertEqual([(entry.source, entry.to) for entry in mine], [(ALICE, EVE), (EVE, ALICE)])

"""Files that were cut or written over while nobody had them open.

Whatever happened to the file, the history opens, and never gives back what was not put into it.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from p2pchat.history import Entry, StoreError
from p2pchat.identity import Address
from p2pchat.store import check, wreck
from tests.store.cases import BOB, EVE, StoreCase, at, received, uuid

WORDS = ("um", "dois", "três", "quatro")

#: What SQLite keeps beside the file while it is open.
LOG = "history.db-wal"

#: How many messages there are; more than a few pages of each kind.
SIZE = 300


class DamageCase(StoreCase):
    """A history with something of everything; `closed` are its files, `killed` those of a crash."""

    def setUp(self) -> None:
        super().setUp()
        # where no number can be read so many are tried
        self.patch(wreck, "MAX_TAIL", 2 * SIZE)
        self.random = Random(1)
        for number in range(SIZE):
            sender = BOB if number % 3 else EVE
            text = " ".join(self.random.choices(WORDS, k=20))
            self.receive(received(number, text, sender=sender))
            if number % 10 == 0:
                self.get(
                    self.history.queue(EVE, uuid(1000 + number), f"waits {number}", at(number))
                )
            if number == SIZE - 20:
                self.reactor.advance(1)
        self.get(self.history.peer_seen(BOB, [Address("10.0.0.1", 4000)], at(0)))
        self.good = {entry.stored_id: entry for entry in self.all()}
        self.killed = self.files()
        self.end()
        self.closed = self.files()

    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.folder.iterdir()}

    def open_damaged(self, files: dict[str, bytes]) -> list[str]:
        """Use a history that lies in these files; return what the user was told."""
        self.fill_folder(files)
        self.told.clear()
        notices = self.begin().notices
        for entry in self.everything():
            self.assertEqual(entry, self.good.get(entry.stored_id))
        # by now it has been noticed, or there is nothing to notice
        self.assertEqual(len(self.receive(received(5000), received(5001))), 2)
        self.reactor.advance(1)
        self.assertEqual([entry.msg_id for entry in self.all()][-2:], [uuid(5000), uuid(5001)])
        notices += [text for _, text in self.told]
        if not notices:
            # who cuts the log takes back what was committed last, and nobody can tell
            left = sorted(entry.stored_id for entry in self.all())[:-2]
            self.assertEqual(left, list(self.good)[: len(left)])
            if files.get(LOG, b"") == self.killed[LOG] or LOG not in files:
                self.assertEqual(len(left), len(self.good))
        self.assertEqual(bool(notices), "history.db.bad" in self.names())
        self.end()
        return notices

    def everything(self) -> Iterator[Entry]:
        """Yield whatever the history gives back, in all ways to ask for it."""
        for _ in range(2):
            for ask in (
                lambda: self.history.entries(None, 1000),
                lambda: self.history.entries(BOB, 1000, at(100)),
                lambda: self.history.entries(EVE, 1000),
                lambda: Deferred.fromCoroutine(self.export()),
            ):
                yield from self.answer(ask())
            for word in WORDS:
                yield from (found.entry for found in self.answer(self.history.search(word, 1000)))
            for waiting in self.answer(self.history.outbox()):
                entry = self.good[waiting.stored_id]
                self.assertEqual((entry.text, entry.to), (waiting.text, waiting.to))
            self.answer(self.history.peers())
            self.reactor.advance(1)

    async def export(self) -> list[Entry]:
        return [entry async for page in self.history.export() for entry in page]

    def answer(self, asked):
        """Return the answer, or nothing if there is none."""
        answers, failures = [], []
        asked.addCallbacks(answers.append, failures.append)
        for failure in failures:
            self.assertTrue(failure.check(StoreError), failure)
        return answers[0] if answers else []


#: What is done to a file: cut, or written over; where, as a share of its length; to how many bytes.
KINDS = st.sampled_from(["cut", "noise", "zeros"])
PLACES = st.floats(0, 1, exclude_max=True)
SIZES = st.sampled_from([1, 16, 600, 4096, 9000])


def damaged(data: bytes, kind: str, place: float, size: int, noise: Random) -> bytes:
    """Return the data with some of it gone, or other than it was."""
    start = int(place * len(data))
    if kind == "cut":
        return data[:start]
    if size == 4096:
        start &= ~4095
    lost = len(data[start : start + size])
    other = bytes(lost) if kind == "zeros" else noise.randbytes(lost)
    return data[:start] + other + data[start + lost :]


class RandomDamageTests(DamageCase):
    def test_no_damage(self) -> None:
        self.assertEqual(self.open_damaged(self.closed), [])
        self.assertEqual(self.open_damaged(self.killed), [])

    @settings(deadline=None, max_examples=15, suppress_health_check=list(HealthCheck))
    @given(KINDS, PLACES, SIZES, st.randoms(use_true_random=False))
    def test_the_database_anywhere(self, kind: str, place: float, size: int, noise: Random) -> None:
        for files in (self.closed, self.killed):
            data = damaged(files["history.db"], kind, place, size, noise)
            self.open_damaged({**files, "history.db": data})

    @settings(deadline=None, max_examples=15, suppress_health_check=list(HealthCheck))
    @given(KINDS, PLACES, SIZES, st.randoms(use_true_random=False))
    def test_what_lies_beside_it_anywhere(
        self, kind: str, place: float, size: int, noise: Random
    ) -> None:
        for files in (self.closed, self.killed):
            for name in files.keys() - {"history.db"}:
                data = damaged(files[name], kind, place, size, noise)
                self.open_damaged({**files, name: data})


class PlainDamageTests(DamageCase):
    def test_no_database_at_all(self) -> None:
        for data in (b"not a database", bytes(5000), b"SQLite format 3\0" + bytes(5000)):
            (notice,) = self.open_replaced(data)
            self.assertTrue(notice.startswith("history.db cannot be used: "), notice)
            self.assertTrue(notice.endswith(f"the old file is {self.bad()}"), notice)
            self.assertEqual(self.bad().read_bytes(), data)

    def test_cut_to_nothing(self) -> None:
        for files in (self.closed, self.killed):
            (notice,) = self.open_damaged({**files, "history.db": b""})
            self.assertIn("it was cut off", notice)
            logs = [path.read_bytes() for path in self.folder.glob("history.db.bad*-wal")]
            self.assertEqual(logs, [files[LOG]] if LOG in files else [])

    def test_a_file_that_was_never_written_to_was_not_cut(self) -> None:
        self.fill_folder({"history.db": b""})
        self.assertEqual(self.begin().notices, [])

    def test_of_another_program(self) -> None:
        with closing(sqlite3.connect(self.folder / "other")) as db:
            db.execute("CREATE TABLE note (text)")
        (notice,) = self.open_replaced((self.folder / "other").read_bytes())
        self.assertIn("it is not a history", notice)

    def test_a_letter_of_a_message(self) -> None:
        data = self.closed["history.db"]
        notice, _ = self.open_replaced(data.replace(b"waits 150", b"waits 151"))
        self.assertIn("is not as it was written", notice)

    def test_a_letter_of_an_old_message_is_noticed_when_it_is_read(self) -> None:
        self.patch(check, "SAMPLE", 1)
        self.fill_folder(self.closed)
        with closing(sqlite3.connect(self.path)) as db:
            db.execute("UPDATE message SET text = 'other' WHERE id = 3")
            db.commit()
        self.assertEqual(self.begin().notices, [])
        self.assertEqual(len(self.get(self.history.entries(None, 9))), 9)
        failure = self.failureResultOf(self.history.entries(None, 1000), StoreError)
        self.assertEqual(str(failure.value), "message 3 is not as it was written")
        (begun, ended) = self.told
        last = len(self.good)
        self.assertEqual(
            begun,
            (
                "error",
                "history.db cannot be used: message 3 is not as it was written; a new one is begun"
                " with 30 messages, 30 of them in the outbox, what else can be read follows,"
                f" the old file is {self.bad()}",
            ),
        )
        text = f"{last - 31} messages more were taken over from {self.bad()}"
        self.assertEqual(ended, ("info", text))
        del self.good[3]
        self.assertEqual({entry.stored_id: entry for entry in self.all()}, self.good)
        again = received(3, "", sender=EVE)
        self.assertEqual(self.receive(again, received(5000)), [None, last + 1])

    def test_an_index_that_lacks_a_message(self) -> None:
        for table in ("identity", "timeline", "calendar"):
            self.fill_folder(self.closed)
            with closing(sqlite3.connect(self.path)) as db:
                db.execute(f"UPDATE {table} SET id = 99999 WHERE id = 7")
                db.commit()
            self.told.clear()
            self.assertEqual(self.begin().notices, [])
            (_, begun), _ = self.told
            self.assertIn("its indexes don't fit its messages", begun)
            self.assertEqual(len(self.all()), len(self.good))
            self.end()

    def test_an_old_log_is_not_taken_into_a_new_file(self) -> None:
        logs = {name: data for name, data in self.killed.items() if name != "history.db"}
        self.assertIn(LOG, logs)
        self.fill_folder(logs)
        self.assertEqual(self.begin().notices, [])
        self.assertEqual(self.all(), [])

    def open_replaced(self, data: bytes) -> list[str]:
        return self.open_damaged({"history.db": data})

    def bad(self) -> Path:
        return self.folder / "history.db.bad"

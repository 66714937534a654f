"""What goes when there is too much: messages, names and peers."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from typing import Any

from p2pchat.history import MAX_ARCHIVE_PEERS, Bounds, Entry, KnownPeer
from p2pchat.identity import Address, PeerId
from p2pchat.store import statements, upkeep
from tests.store.cases import ALICE, BOB, EVE, StoreCase, at, received, texts, uuid


class BoundsTests(StoreCase):
    bounds = Bounds(max_messages=3, max_days=1)

    def test_the_oldest_go_first_but_not_from_the_outbox(self) -> None:
        self.get(self.history.queue(BOB, uuid(1), "waits", at(1)))
        self.receive(*(received(n, f"{n}", sender=PeerId(f"{n}@CIC")) for n in range(2, 6)))
        self.reactor.advance(1)
        self.assertEqual(texts(self.all()), ["waits", "4", "5"])
        self.get(self.history.settled(uuid(1), "delivered"))
        self.receive(received(6, "6"))
        self.reactor.advance(1)
        self.assertEqual(texts(self.all()), ["4", "5", "6"])
        self.assertEqual(self.get(self.history.search("2 OR 3", 9)), [])
        self.assertEqual(self.receive(received(2, sender=PeerId("2@CIC"))), [7])

    def test_what_is_too_old_goes_within_the_hour(self) -> None:
        self.receive(received(1, "1"), received(7200, "2"))
        self.reactor.advance(1)
        self.now = at(86400 + 3600)
        self.assertEqual(texts(self.all()), ["1", "2"])
        self.reactor.advance(3600)
        self.assertEqual(texts(self.all()), ["2"])
        self.now = at(86400 + 7201)
        self.restart()
        self.assertEqual(self.all(), [])
        self.assertEqual(self.get(self.history.search("2", 9)), [])

    def test_what_is_too_old_is_not_imported(self) -> None:
        self.now = at(86400 + 1.5)
        entries = [
            Entry(
                time=at(n),
                msg_id=f"{n}",
                source=BOB,
                to=ALICE,
                text="",
                kind="send",
                direction="in",
            )
            for n in (1, 2)
        ]
        self.assertEqual(self.get(self.history.import_entries(entries)), (1, 1))

    def test_numbers_are_not_used_again(self) -> None:
        self.receive(received(1))
        self.reactor.advance(1)
        self.now = at(2 * 86400)
        self.restart()
        self.assertEqual(self.all(), [])
        self.restart()
        self.assertEqual(self.receive(received(1)), [2])

    def test_names_that_nothing_refers_to_go_too(self) -> None:
        self.receive(*(received(n, sender=PeerId(f"{n}@CIC")) for n in range(100)))
        self.reactor.advance(1)
        self.assertEqual(self.names_in_file(), ["97@CIC", "98@CIC", "99@CIC"])
        self.receive(*(received(100 + n, sender=BOB) for n in range(3)))
        self.reactor.advance(1)
        self.assertEqual(self.names_in_file(), [BOB])
        self.receive(received(200, sender=PeerId("97@CIC")))
        self.assertEqual([entry.source for entry in self.all()][-1], "97@CIC")

    def test_a_name_stays_for_what_is_not_indexed_yet(self) -> None:
        self.patch(upkeep, "SLICE", 1)
        senders = [BOB, *(PeerId(f"{n}@CIC") for n in range(4)), BOB]
        for number, sender in enumerate(senders):
            self.receive(received(number, sender=sender))
        self.reactor.advance(1)
        self.assertEqual([entry.source for entry in self.all()], ["2@CIC", "3@CIC", BOB])
        self.assertEqual(self.names_in_file(), ["2@CIC", "3@CIC", BOB])

    def test_a_slice_of_the_index_has_so_many_bytes(self) -> None:
        lengths = (40, 60, 1, 500, 99, 1, 1, 100, 101, 0, 0)
        indexed = self.slices(*("x" * length for length in lengths))
        self.assertEqual(indexed, [2, 1, 1, 2, 1, 1, 1, 2])
        self.assertEqual(len(self.get(self.history.search("x*", 99))), 9)

    def test_what_is_behind_a_nul_counts_too(self) -> None:
        """Else somebody has half a thousand of the longest messages indexed at once."""
        self.assertEqual(self.slices(*["\0" + "x" * 59] * 3), [1, 1, 1])

    def test_no_more_text_than_that_is_dropped_at_a_time(self) -> None:
        self.patch(upkeep, "SLICE_TEXT", 100)
        dropped: list[int] = []
        delete = statements.delete

        def note(db: sqlite3.Connection, old: Sequence[statements.Old]) -> None:
            dropped.append(len(old))
            delete(db, old)

        self.patch(statements, "delete", note)
        self.receive(
            *(received(n, text) for n, text in enumerate(("x" * 40, "y" * 60, "\0" * 500)))
        )
        self.reactor.advance(1)
        self.now = at(2 * 86400)
        self.reactor.advance(3600)
        self.assertEqual(dropped, [2, 1])
        self.assertEqual(self.all(), [])

    def slices(self, *messages: str) -> list[int]:
        """Receive messages; return how many of them are indexed at a time, for 100 bytes."""
        self.patch(upkeep, "SLICE_TEXT", 100)
        self.patch(upkeep, "prune", lambda journal: False)
        indexed: list[int] = []
        index = statements.index

        def note(db: sqlite3.Connection, first: int, last: int, *others: Any) -> None:
            indexed.append(last + 1 - first)
            index(db, first, last, *others)

        self.patch(statements, "index", note)
        self.receive(*(received(n, text) for n, text in enumerate(messages)))
        self.reactor.advance(1)
        return indexed

    def names_in_file(self) -> list[str]:
        with closing(sqlite3.connect(self.path)) as db:
            return [name for (name,) in db.execute("SELECT text FROM name ORDER BY text")]


class ArchivePeerTests(StoreCase):
    def test_the_last_contact_comes_first_and_the_first_ones_are_forgotten(self) -> None:
        for number in range(MAX_ARCHIVE_PEERS + 3):
            self.get(self.history.archive_peer_seen(f"10.0.0.{number}", at(number)))
        self.get(self.history.archive_peer_seen("10.0.0.3", at(1000)))
        self.restart()
        hosts = self.get(self.history.archive_peers())
        self.assertEqual(len(hosts), MAX_ARCHIVE_PEERS)
        self.assertEqual(hosts[:2], ["10.0.0.3", f"10.0.0.{MAX_ARCHIVE_PEERS + 2}"])
        self.assertNotIn("10.0.0.2", hosts)


class PeerTests(StoreCase):
    bounds = Bounds(max_peers=2)

    def test_the_last_contact_and_the_last_addresses(self) -> None:
        home, away = Address("10.0.0.1", 4000), Address("::1", 4001)
        self.get(self.history.peer_seen(EVE, [], at(1)))
        self.get(self.history.peer_seen(BOB, [home, away], at(2)))
        self.get(self.history.peer_seen(BOB, [], at(3)))
        expected = [KnownPeer(BOB, (home, away), at(3)), KnownPeer(EVE, (), at(1))]
        self.assertEqual(self.get(self.history.peers()), expected)
        self.get(self.history.peer_seen(EVE, [away], at(4)))
        self.restart()
        expected[1] = KnownPeer(EVE, (away,), at(4))
        self.assertEqual(self.get(self.history.peers()), expected)

    def test_with_whom_there_are_messages(self) -> None:
        zoe, me_too = PeerId("zoe@CIC"), PeerId("al@CIC")
        self.get(self.history.peer_seen(BOB, [], at(1)))
        self.get(self.history.queue(zoe, uuid(1), "waits", at(2)))
        self.get(self.history.published("#CIC", uuid(2), "to all", at(3)))
        self.receive(received(3, sender=me_too, kind="pub", to="*"), received(4), received(5))
        expected = [KnownPeer(BOB, (), at(1)), KnownPeer(zoe, (), at(2))]
        self.assertEqual(self.get(self.history.peers()), expected)
        self.receive(received(6, sender=EVE))
        self.reactor.advance(1)
        # there is room for one more
        expected[1] = KnownPeer(EVE, (), at(6))
        self.assertEqual(self.get(self.history.peers()), expected)

    def test_who_was_not_seen_for_the_longest_time_is_forgotten(self) -> None:
        zoe = PeerId("zoe@CIC")
        for seconds, peer in enumerate((BOB, EVE, BOB, zoe)):
            self.get(self.history.peer_seen(peer, [], at(seconds)))
        self.assertEqual([peer.peer_id for peer in self.get(self.history.peers())], [BOB, zoe])

"""How a message stands in the tables: ids, flags, and what a checksum covers."""

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.history import Entry, from_milliseconds, to_milliseconds
from p2pchat.store.errors import DamagedError
from p2pchat.store.rows import (
    IN,
    OUT,
    RELAYED,
    STATES,
    Named,
    Row,
    checksum,
    entry_of,
    identity,
    make_flags,
    outbox_entry_of,
    pack_id,
    state_of,
    unpack_id,
    way_of,
    with_state,
)
from tests.store.cases import ALICE, BOB, at

UUID_LIKE = st.text("0123456789abcdefABCDEF- ", min_size=36, max_size=36)


def named(**others: object) -> Named:
    """Return a message from Bob with a checksum that is right; then change it."""
    flags = make_flags(IN, False)
    row = Row(1, 7, 7, to_milliseconds(at(1)), flags, "id", 0, "Olá", None)
    code = checksum(row.time, flags, BOB, BOB, "id", row.text)
    row = row._replace(checksum=code)
    names = {name: others.pop(name, BOB) for name in ("author", "conversation")}
    return Named(row._replace(**others), **names)


class IdTests(SynchronousTestCase):
    @given(st.uuids().map(str))
    def test_a_uuid_takes_its_sixteen_bytes(self, msg_id: str) -> None:
        packed = pack_id(msg_id)
        self.assertIsInstance(packed, bytes)
        self.assertEqual(len(packed), 16)
        self.assertEqual(unpack_id(packed), msg_id)

    @given(st.text(max_size=40) | UUID_LIKE | st.uuids().map(str).map(str.upper))
    @example("abcdef01-2345-4678-9abc-def01234567 ")
    @example("ab cdef0-2345-4678-9abc-def012345678")
    @example("abcdef0--2345-4678-9abc-def012345678")
    def test_anything_is_given_back_as_it_was(self, msg_id: str) -> None:
        self.assertEqual(unpack_id(pack_id(msg_id)), msg_id)

    def test_what_makes_a_message_another_one(self) -> None:
        different = {
            identity(*of)
            for of in ((IN, BOB, "1"), (RELAYED, BOB, "1"), (IN, ALICE, "1"), (IN, BOB, "2"))
        }
        self.assertEqual(len(different), 4)

    def test_what_is_in_files_does_not_change(self) -> None:
        self.assertEqual(identity(IN, BOB, "1"), -5642803283109082911)
        self.assertEqual(named().row.checksum, 1804858867)


class FlagsTests(SynchronousTestCase):
    def test_each_value_by_itself(self) -> None:
        for way in (OUT, IN, RELAYED):
            for pub in (False, True):
                for imported in (False, True):
                    for state in STATES:
                        flags = make_flags(way, pub, "", imported)
                        changed = with_state(flags, state)
                        self.assertEqual(changed, make_flags(way, pub, state, imported))
                        self.assertEqual((way_of(changed), state_of(changed)), (way, state))
                        # so that they take one byte in the file
                        self.assertLess(changed, 128)


class EntryTests(SynchronousTestCase):
    def test_as_it_was_written(self) -> None:
        entry = entry_of(named(), ALICE, 0)
        expected = Entry(
            stored_id=1,
            time=at(1),
            msg_id="id",
            source=BOB,
            to=ALICE,
            text="Olá",
            kind="send",
            direction="in",
            unread=True,
        )
        self.assertEqual(entry, expected)
        self.assertFalse(entry_of(named(), ALICE, 1).unread)

    def test_anything_else_is_noticed(self) -> None:
        for change in (
            {"text": "Ola"},
            {"text": None},
            {"text": b"Ol\xc3\xa1"},
            {"time": 1},
            {"time": None},
            {"msg_id": "ID"},
            {"msg_id": None},
            {"msg_id": 5},
            {"flags": make_flags(RELAYED, False)},
            {"flags": make_flags(IN, True)},
            {"flags": make_flags(IN, False, "", True)},
            {"flags": IN | len(STATES) << 4},
            {"flags": IN - (1 << 4)},
            {"flags": None},
            {"checksum": 1},
            {"author": ALICE},
            {"author": None},
            {"conversation": ALICE},
            {"conversation": None},
        ):
            self.assertRaises(DamagedError, entry_of, named(**change), ALICE, 0)
            self.assertRaises(DamagedError, outbox_entry_of, named(**change), 0)

    @given(st.datetimes().map(lambda time: time.replace(tzinfo=at(0).tzinfo)))
    def test_times_are_rounded_down_to_the_millisecond(self, time) -> None:
        rounded = from_milliseconds(to_milliseconds(time))
        self.assertEqual(rounded, time.replace(microsecond=time.microsecond // 1000 * 1000))

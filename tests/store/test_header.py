"""The header of a database: what is mended in it, and what is left alone."""

from contextlib import closing

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.store.connection import connect
from p2pchat.store.header import SIZE, mend, mended, trouble
from p2pchat.store.schema import APPLICATION_ID, migrate
from tests.temporary import temporary_path


class HeaderTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = temporary_path(self)
        folder.mkdir()
        self.path = folder / "history.db"
        with closing(connect(self.path)) as db:
            migrate(db)
        self.header = self.path.read_bytes()[:SIZE]

    def damaged(self, place: int, data: bytes) -> bytes:
        return self.header[:place] + data + self.header[place + len(data) :]

    def test_what_we_write_is_as_it_should_be(self) -> None:
        self.assertEqual(mended(self.header), self.header)
        self.assertEqual(trouble(self.header), "")

    def test_little_damage_is_mended(self) -> None:
        for place, data in ((0, b"sqlite"), (16, b"\0\0\0\0"), (44, b"\xff" * 4), (56, b"\0" * 4)):
            self.assertEqual(mended(self.damaged(place, data)), self.header, place)

    def test_what_differs_from_file_to_file_stays(self) -> None:
        for place in (24, 28, 32, 40, 48, 60, 92, 96):
            changed = self.damaged(place, b"\x12\x34\x56\x78")
            self.assertEqual(mended(changed), changed)

    def test_what_is_something_else_is_left_alone(self) -> None:
        foreign = self.damaged(68, b"else")
        for header in (
            *(b"", self.header[:99], bytes(SIZE), b"%PDF-1.7" * 20, foreign),
            self.damaged(0, bytes(30)),
        ):
            self.assertEqual(mended(header), header)

    def test_only_the_header_of_a_file_is_changed(self) -> None:
        data = self.path.read_bytes()
        self.path.write_bytes(b"X" + data[1:])
        mend(self.path)
        self.assertEqual(self.path.read_bytes(), data)
        self.path.write_bytes(b"short")
        mend(self.path)
        self.assertEqual(self.path.read_bytes(), b"short")

    @given(st.binary(max_size=120))
    def test_any_bytes(self, data: bytes) -> None:
        found = mended(data)
        self.assertEqual(len(found), len(data))
        if data[68:72] != APPLICATION_ID.to_bytes(4, "big"):
            self.assertEqual(found, data)
        self.assertIsInstance(trouble(data), str)

"""A stream of the archive's messages, in any pieces: nothing is lost, and nothing invented."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.archive.codec import (
    ARCHIVE_REQUEST,
    PEER_REQUEST,
    Framer,
    archive_header,
    identification,
    notification,
    peer_list,
)
from p2pchat.errors import LocalProtocolError, RemoteProtocolError
from tests.archive.examples import EXAMPLE, wire
from tests.archive.heard import Heard, heard

#: 4,294,967,295
HIGHEST = b"\xff" * 4


addresses = st.ip_addresses(v=4).map(str)
chats = st.binary(max_size=255).map(lambda text: bytes([len(text)]) + text + bytes(32))

#: Messages, each as bytes and as what is reported of it.
messages = st.one_of(
    st.just((PEER_REQUEST, ["peer request"])),
    st.just((ARCHIVE_REQUEST, ["archive request"])),
    st.lists(addresses, max_size=20).map(lambda listed: (peer_list(listed), [("peers", listed)])),
    st.binary(max_size=255).map(
        lambda text: (bytes([5, len(text)]) + text, [("notification", text)])
    ),
    st.lists(chats, max_size=5).map(
        lambda many: (
            archive_header(len(many)) + b"".join(many),
            [("begins", len(many)), ("ends", b"".join(many))],
        )
    ),
)
firsts = st.none() | addresses
pieces = st.lists(st.integers(1, 40), min_size=1, max_size=6)


class Framing(SynchronousTestCase):
    @settings(deadline=None, max_examples=200)
    @given(firsts, st.lists(messages, max_size=12), pieces)
    def test_any_messages_in_any_pieces(
        self, first: str | None, stream: list[Any], sizes: list[int]
    ) -> None:
        data = b"".join(data for data, _ in stream)
        reported = [report for _, reports in stream for report in reports]
        if first is not None:
            data = identification(first) + data
            reported.insert(0, ("identification", first))
        self.assertEqual(heard(data), reported)
        self.assertEqual(heard(data, *sizes), reported)
        self.assertEqual(heard(data, 1), reported)

    @settings(deadline=None, max_examples=200)
    @given(st.lists(messages, max_size=4), st.binary(max_size=30), pieces)
    def test_junk_behind_any_messages_in_any_pieces(
        self, stream: list[Any], junk: bytes, sizes: list[int]
    ) -> None:
        data = b"".join(data for data, _ in stream) + junk
        for accepted in (True, False):
            self.assertEqual(heard(data, *sizes, accepted=accepted), heard(data, accepted=accepted))

    @settings(deadline=None, max_examples=300)
    @given(
        st.lists(
            st.sampled_from([bytes([kind]) for kind in range(6)] + [HIGHEST, b"\0\0\0\2"])
            | st.binary(max_size=50),
            max_size=30,
        ),
        st.booleans(),
    )
    def test_arbitrary_bytes_are_messages_or_the_end(
        self, parts: list[bytes], accepted: bool
    ) -> None:
        # RemoteProtocolError is the one exception that heard() expects
        heard(b"".join(parts), accepted=accepted, verify=True)

    def test_types_that_do_not_exist(self) -> None:
        for kind in range(6, 256):
            error = f"no message begins with 0x{kind:02x}"
            self.assertEqual(heard(PEER_REQUEST + bytes([kind])), ["peer request", error])

    def test_a_stream_that_broke_stays_broken(self) -> None:
        framer = Framer(Heard(), accepted=True)
        for data in (b"\x07", PEER_REQUEST, PEER_REQUEST):
            self.assertRaises(RemoteProtocolError, framer.feed, data)

    def test_being_in_the_middle_of_a_message(self) -> None:
        for data in (
            peer_list(["1.2.3.4", "5.6.7.8"]),
            notification("a notification"),
            wire(EXAMPLE),
            identification("1.2.3.4"),
        ):
            framer = Framer(Heard(), accepted=True)
            self.assertFalse(framer.in_message)
            for byte in data[:-1]:
                framer.feed(bytes([byte]))
                self.assertTrue(framer.in_message)
            framer.feed(data[-1:])
            self.assertFalse(framer.in_message)


class Identifying(SynchronousTestCase):
    """Rule 4: 0x00 and an address, in front of all else (docs/protocols.md, 3.4)."""

    ERROR = "no message begins with 0x00"

    def test_rule_4_it_may_come_first_on_a_link_that_we_accepted(self) -> None:
        data = identification("127.0.0.9") + ARCHIVE_REQUEST
        for sizes in ((), (1,)):
            reported = [("identification", "127.0.0.9"), "archive request"]
            self.assertEqual(heard(data, *sizes), reported)

    def test_rule_4_not_on_a_link_that_we_dialled(self) -> None:
        self.assertEqual(heard(identification("127.0.0.9"), accepted=False), [self.ERROR])

    def test_rule_4_not_behind_anything(self) -> None:
        for first in (PEER_REQUEST, identification("1.2.3.4"), wire(EXAMPLE)):
            self.assertEqual(heard(first + identification("1.2.3.4"))[-1], self.ERROR)


class Writing(SynchronousTestCase):
    def test_the_bytes_of_each_message(self) -> None:
        self.assertEqual((PEER_REQUEST, ARCHIVE_REQUEST), (b"\x01", b"\x03"))
        self.assertEqual(peer_list([]), b"\2\0\0\0\0")
        self.assertEqual(peer_list(["1.2.3.4"]), b"\2\0\0\0\1\1\2\3\4")
        self.assertEqual(archive_header(5), b"\4\0\0\0\5")
        self.assertEqual(archive_header(2**32 - 1), b"\4" + HIGHEST)
        self.assertEqual(notification("invalid"), b"\5\7invalid")
        self.assertEqual(identification("127.0.0.2"), b"\0\x7f\0\0\2")

    def test_rule_5_a_notification_has_6_to_255_printable_characters(self) -> None:
        for length in (6, 255):
            self.assertEqual(notification("x" * length)[1], length)
        for text in ("", "short", "x" * 256, "a new\nline", "a\0zero", "rubout\x7f"):
            self.assertRaises(LocalProtocolError, notification, text)
        self.assertEqual(notification("não é válido")[2:], b"n?o ? v?lido")

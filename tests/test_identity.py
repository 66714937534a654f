"""Who a peer is, and where it listens."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.identity import (
    MAX_NAME_LENGTH,
    Address,
    is_ip_literal,
    is_loopback,
    is_name,
    make_peer_id,
    name_of,
    namespace_of,
    parse_peer_id,
    source_address,
)
from p2pchat.text import is_printable

names = st.text(min_size=1, max_size=MAX_NAME_LENGTH).filter(is_printable)


class PeerIds(SynchronousTestCase):
    @settings(deadline=None, max_examples=100)
    @given(names, names.filter(lambda name: "@" not in name))
    def test_a_name_and_a_namespace_survive(self, name: str, namespace: str) -> None:
        peer = parse_peer_id(make_peer_id(name, namespace))
        self.assertEqual((name_of(peer), namespace_of(peer)), (name, namespace))

    @settings(deadline=None, max_examples=100)
    @given(st.text(st.characters() | st.just("@"), max_size=140))
    def test_anything_else_is_a_value_error(self, text: str) -> None:
        try:
            peer = parse_peer_id(text)
        except ValueError as error:
            self.assertTrue(str(error).isprintable())
        else:
            self.assertEqual(peer, text)
            self.assertTrue(is_name(name_of(peer)))
            self.assertTrue(is_name(namespace_of(peer)))

    def test_a_name_may_hold_an_at_sign(self) -> None:
        peer = parse_peer_id("a@b@CIC")
        self.assertEqual((name_of(peer), namespace_of(peer)), ("a@b", "CIC"))

    def test_what_is_no_peer_id(self) -> None:
        long = "x" * (MAX_NAME_LENGTH + 1)
        for text in (
            "",
            "@",
            "bob",
            "bob@",
            "@CIC",
            "b\x1b@CIC",
            "b@C\n",
            f"{long}@C",
            f"b@{long}",
        ):
            self.assertRaises(ValueError, parse_peer_id, text)

    def test_the_longest_names(self) -> None:
        longest = "x" * MAX_NAME_LENGTH
        self.assertEqual(parse_peer_id(f"{longest}@{longest}"), f"{longest}@{longest}")

    def test_what_is_no_name(self) -> None:
        for value in ("", "\x00", "a\u202eb", "x" * 65, None, 5, b"bob"):
            self.assertFalse(is_name(value), value)


class Addresses(SynchronousTestCase):
    def test_as_text(self) -> None:
        self.assertEqual(str(Address("10.0.0.1", 4000)), "10.0.0.1:4000")
        self.assertEqual(str(Address("example.org", 1)), "example.org:1")
        self.assertEqual(str(Address("::1", 4000)), "[::1]:4000")

    def test_literals(self) -> None:
        for host in ("127.0.0.1", "0.0.0.0", "::1", "fe80::1"):
            self.assertTrue(is_ip_literal(host), host)
        for host in ("", "localhost", "example.org", "127.1", "1.2.3.4:80", "[::1]"):
            self.assertFalse(is_ip_literal(host), host)

    def test_loopback(self) -> None:
        for host in ("localhost", "127.0.0.1", "127.9.9.9", "::1"):
            self.assertTrue(is_loopback(host), host)
        for host in ("10.0.0.1", "example.org", "0.0.0.0", ""):
            self.assertFalse(is_loopback(host), host)

    def test_where_a_connection_comes_from(self) -> None:
        for bind, destination, source in (
            ("", "10.0.0.2", None),
            ("0.0.0.0", "10.0.0.2", None),
            ("::", "10.0.0.2", None),
            ("10.0.0.1", "10.0.0.2", "10.0.0.1"),
            ("10.0.0.1", "example.org", "10.0.0.1"),
            ("10.0.0.1", "127.0.0.1", "10.0.0.1"),
            ("10.0.0.1", "localhost", "10.0.0.1"),
            ("127.0.0.5", "127.0.0.1", "127.0.0.5"),
            ("127.0.0.5", "localhost", "127.0.0.5"),
            ("127.0.0.5", "example.org", None),
            ("127.0.0.5", "10.0.0.2", None),
            ("10.0.0.1", "2001:db8::1", None),
            ("2001:db8::1", "10.0.0.1", None),
            ("2001:db8::1", "2001:db8::2", "2001:db8::1"),
        ):
            self.assertEqual(source_address(bind, destination), source, (bind, destination))

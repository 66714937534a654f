"""Headers of the PROXY protocol: what they say, and what is none."""

import struct
from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st
from twisted.protocols.haproxy._v1parser import V1Parser
from twisted.protocols.haproxy._v2parser import V2Parser
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.rendezvous.proxy_header import (
    MAX_BINARY,
    MAX_LINE,
    ProxyHeader,
    ProxyHeaderError,
    Route,
    read_header,
)

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
LINE = b"PROXY TCP4 198.51.100.7 203.0.113.1 50000 8080\r\n"
ROUTE = Route("198.51.100.7", 50000, "203.0.113.1")


def binary(source, destination, port, *, command=0x21, extra=b""):
    """Make a header of version 2 with these addresses."""
    pair = ip_address(source).packed + ip_address(destination).packed
    family = 0x11 if len(pair) == 8 else 0x21
    body = pair + struct.pack("!HH", port, 8080) + extra
    return SIGNATURE + bytes([command, family]) + struct.pack("!H", len(body)) + body


V2 = binary("198.51.100.7", "203.0.113.1", 50000)


class ReadingTests(SynchronousTestCase):
    def test_both_versions_tell_the_same(self):
        for header in (LINE, V2):
            self.assertEqual(read_header(header), ProxyHeader(len(header), ROUTE))

    def test_what_comes_behind_it_is_not_looked_at(self):
        for header in (LINE, V2):
            for rest in (b"\n", b"PROXY ", b"x" * 5000, SIGNATURE):
                self.assertEqual(read_header(header + rest), ProxyHeader(len(header), ROUTE))

    def test_every_beginning_of_one_may_become_one(self):
        for header in (LINE, V2, binary("::1", "::2", 1, extra=b"x" * 300)):
            for length in range(len(header)):
                self.assertIsNone(read_header(header[:length]), length)

    def test_addresses_are_written_as_everywhere(self):
        for source, shown in (
            ("2001:db8:0:0:0:0:0:1", "2001:db8::1"),
            ("2001:DB8::1", "2001:db8::1"),
            ("::ffff:198.51.100.7", "198.51.100.7"),
        ):
            line = f"PROXY TCP6 {source} ::1 1 2\r\n".encode()
            for header in (line, binary(source, "::1", 1)):
                found = read_header(header)
                self.assertEqual(found.route, Route(shown, 1, "::1"))

    def test_a_balancer_that_asks_for_itself_or_does_not_know(self):
        for header in (
            b"PROXY UNKNOWN\r\n",
            b"PROXY UNKNOWN ff02::1 whatever 1 2\r\n",
            binary("198.51.100.7", "203.0.113.1", 1, command=0x20),
            SIGNATURE + b"\x20\x00\x00\x00",
            SIGNATURE + b"\x21\x00\x00\x00",
            SIGNATURE + b"\x21\x31\x00\xd8" + bytes(216),
        ):
            self.assertEqual(read_header(header), ProxyHeader(len(header), None), header)

    def test_what_is_none(self):
        for data in (
            b'{"type":"DISCOVER"}\n',
            b"\n",
            b"GET / HTTP/1.1\r\n\r\n",
            b"PROXY\r\n",
            b"PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n",
            b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n",
            b"PROXY TCP4 a.b.c.d 5.6.7.8 1 2\r\n",
            b"PROXY TCP4 ::1 ::1 1 2\r\n",
            b"PROXY TCP6 1.2.3.4 ::1 1 2\r\n",
            b"PROXY TCP4 1.2.3.4 5.6.7.8 65536 2\r\n",
            b"PROXY TCP4 1.2.3.4 5.6.7.8 -1 2\r\n",
            b"PROXY TCP4 1.2.3.4 5.6.7.8 \xb2 2\r\n",
            b"PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n",
            b"PROXY TCP4 " + b"1" * (MAX_LINE - 11),
            SIGNATURE + b"\x31\x11\x00\x0c" + bytes(12),
            SIGNATURE + b"\x22\x11\x00\x0c" + bytes(12),
            SIGNATURE + b"\x21\x11\x00\x0b" + bytes(11),
            SIGNATURE + b"\x21\x21\x00\x0c" + bytes(12),
            SIGNATURE + b"\x21\x11\xff\xff",
        ):
            with self.assertRaises(ProxyHeaderError, msg=data):
                read_header(data)

    def test_what_is_kept_of_one_that_does_not_end_is_bounded(self):
        self.assertIsNone(read_header(b"PROXY " + b"x" * (MAX_LINE - 7)))
        longest = SIGNATURE + b"\x21\x11" + struct.pack("!H", MAX_BINARY - 16)
        self.assertIsNone(read_header(longest + bytes(MAX_BINARY - 17)))

    @given(
        st.binary(max_size=300), st.sampled_from([b"", b"PROXY ", LINE[:20], SIGNATURE, V2[:14]])
    )
    def test_any_bytes_are_a_header_or_none_or_too_few(self, noise, beginning):
        try:
            header = read_header(beginning + noise)
        except ProxyHeaderError:
            return
        if header is not None:
            self.assertLessEqual(header.length, len(beginning + noise))


class SameAsTwistedTests(SynchronousTestCase):
    """What a balancer sends reads as it does by Twisted's parsers."""

    @given(st.ip_addresses(v=4), st.ip_addresses(v=4), st.integers(1, 65535))
    def test_line(self, source, destination, port):
        line = f"PROXY TCP4 {source} {destination} {port} 8080\r\n".encode()
        theirs, _ = V1Parser().feed(line)
        expected = Route(theirs.source.host, theirs.source.port, theirs.destination.host)
        self.assertEqual(read_header(line), ProxyHeader(len(line), expected))

    @given(st.ip_addresses(v=4), st.ip_addresses(v=4), st.integers(1, 65535))
    def test_binary(self, source, destination, port):
        header = binary(str(source), str(destination), port, extra=b"\x04\x00\x01x")
        theirs, _ = V2Parser().feed(header)
        expected = Route(theirs.source.host, theirs.source.port, theirs.destination.host)
        self.assertEqual(read_header(header), ProxyHeader(len(header), expected))

"""Request lines, built and read."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.identity import is_name
from p2pchat.rendezvous.messages import (
    Discover,
    Refusal,
    Register,
    Unregister,
    integer,
    parse_request,
    port_number,
    request_line,
)

labels = st.text(min_size=1, max_size=64).filter(is_name)
ports = st.integers(1, 65535)
requests = st.one_of(
    st.builds(Register, labels, labels, ports, st.integers(1, 86400)),
    st.builds(Discover, st.none() | labels),
    st.builds(Unregister, labels, st.none() | labels, st.none() | ports),
)


class RequestLineTests(SynchronousTestCase):
    def test_every_request_has_its_line(self):
        for request, line in [
            (
                Register("CIC", "alice", 4000, 7200),
                b'{"type":"REGISTER","namespace":"CIC","name":"alice","port":4000,"ttl":7200}\n',
            ),
            (Discover(), b'{"type":"DISCOVER"}\n'),
            (Discover("CIC"), b'{"type":"DISCOVER","namespace":"CIC"}\n'),
            (Unregister("CIC"), b'{"type":"UNREGISTER","namespace":"CIC"}\n'),
            (
                Unregister("CIC", "alice", 4000),
                b'{"type":"UNREGISTER","namespace":"CIC","name":"alice","port":4000}\n',
            ),
            (
                Unregister("CIC", "joão"),
                b'{"type":"UNREGISTER","namespace":"CIC","name":"jo\\u00e3o"}\n',
            ),
        ]:
            self.assertEqual(request_line(request), line)

    @settings(deadline=None)
    @given(requests)
    def test_what_is_built_is_read_the_same(self, request):
        line = request_line(request)
        self.assertEqual(line.find(b"\n"), len(line) - 1)
        self.assertEqual(parse_request(line[:-1]), request)

    @settings(deadline=None)
    @given(st.binary(max_size=200))
    def test_any_bytes_are_a_request_or_a_refusal(self, line):
        self.assertIsInstance(parse_request(line), Register | Discover | Unregister | Refusal)

    @settings(deadline=None)
    @given(
        st.dictionaries(
            st.sampled_from(["type", "name", "namespace", "port", "ttl"]),
            st.one_of(
                st.sampled_from(["REGISTER", "discover", "Unregister"]),
                st.none(),
                st.booleans(),
                st.integers(),
                st.floats(),
                st.text(),
                st.lists(st.integers(), max_size=2),
            ),
        )
    )
    def test_whatever_is_accepted_is_within_bounds(self, fields):
        request = parse_request(json.dumps(fields).encode())
        if isinstance(request, Register):
            self.assertTrue(is_name(request.name) and is_name(request.namespace))
            self.assertIn(request.port, range(1, 65536))
            self.assertIn(request.ttl, range(1, 86401))

    def test_surrounding_blanks_and_return_are_no_part_of_a_line(self):
        self.assertEqual(parse_request(b' {"type":"DISCOVER"} \r'), Discover())

    def test_bytes_that_are_not_utf8_are_replaced(self):
        line = b'{"type":"REGISTER","namespace":"CIC","name":"a\xff","port":1}'
        self.assertEqual(parse_request(line), Register("CIC", "a\ufffd", 1, 7200))


class NumberTests(SynchronousTestCase):
    def test_what_is_an_integer(self):
        for value, expected in [
            (4002, 4002),
            ("4002", 4002),
            (" 4002 ", 4002),
            (4003.9, 4003),
            (True, 1),
            (-3, -3),
            (1e308, int(1e308)),
            (None, None),
            ("abc", None),
            ("", None),
            ([], None),
            ([1], None),
            ({}, None),
            (float("nan"), None),
            (float("inf"), None),
            ("9" * 5000, None),
        ]:
            self.assertEqual(integer(value), expected, value)

    def test_what_is_a_port(self):
        for value, expected in [
            (1, 1),
            ("65535", 65535),
            (0, None),
            (65536, None),
            (-1, None),
            (float("inf"), None),
            (None, None),
        ]:
            self.assertEqual(port_number(value), expected, value)

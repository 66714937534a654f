"""Reading the usual requests quickly: the same as reading them with care."""

import json

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.identity import is_name
from p2pchat.rendezvous.messages import (
    Discover,
    Refusal,
    Register,
    Unregister,
    parse_request,
    request_line,
)
from p2pchat.rendezvous.strict import read_request

labels = st.text(min_size=1, max_size=64).filter(is_name)
keys = st.sampled_from(["type", "name", "namespace", "port", "ttl"])
values = st.one_of(
    st.sampled_from(["REGISTER", "DISCOVER", "UNREGISTER", "discover", "ana", 4000, 60, 60.0]),
    st.sampled_from([0, 65536, -1, 1e400, 10**400, 2**63, 2**64, True, None, "4000", "x" * 65, ""]),
    st.integers(),
    st.floats(),
    st.text(max_size=70),
    st.lists(st.none() | st.text(max_size=3), max_size=2),
    st.dictionaries(keys, st.integers(), max_size=2),
)
blanks = st.text(" \t\r\n\0\ufeff", max_size=2)


@st.composite
def json_lines(draw):
    """Write an object as JSON has it or nearly so: keys more than once, odd blanks, raw text."""
    members = draw(st.lists(st.tuples(keys | st.text(max_size=3), values), max_size=6))
    members.insert(0, ("type", draw(st.sampled_from(["REGISTER", "DISCOVER"]) | values)))
    if draw(st.booleans()):
        members += [("namespace", "CIC"), ("name", draw(labels)), ("port", draw(st.integers()))]
    written = [
        f"{draw(blanks)}{json.dumps(key)}:{draw(blanks)}{draw(dumped(value))}"
        for key, value in draw(st.permutations(members))
    ]
    return f"{{{','.join(written)}}}{draw(blanks)}".encode("utf-8", "surrogatepass")


def dumped(value):
    return st.booleans().map(lambda ascii_only: json.dumps(value, ensure_ascii=ascii_only))


@st.composite
def damaged(draw):
    """A line with some of its bytes replaced."""
    line = bytearray(draw(json_lines()))
    for _ in range(draw(st.integers(0, 3))):
        line[draw(st.integers(0, len(line) - 1))] = draw(st.integers(0, 255))
    return bytes(line)


class ReadRequestTests(SynchronousTestCase):
    def check(self, line):
        quick = read_request(line)
        if quick is not None:
            careful = parse_request(line)
            self.assertEqual(quick, careful, line)
            self.assertIs(type(quick), type(careful))

    @settings(deadline=None, max_examples=400)
    @given(json_lines() | damaged() | st.binary(max_size=50))
    @example(b'{"type":"DISCOVER","type":"REGISTER"}')
    @example(b'{"type":"DISCOVER","type":5}')
    @example(b'{"type":"DISCOVER","namespace":"a","namespace":null}')
    @example(b'{"type":"DISCOVER","namespace":null,"namespace":"a"}')
    @example(b'{"type":"DISCOVER","namespace":5,"namespace":"a"}')
    @example(b'{"type":"REGISTER","namespace":"a","name":"b","port":1,"port":2}')
    @example(b'{"type":"REGISTER","namespace":"a","name":"b","port":1.0,"ttl":-0.0}')
    @example(b'{"type":"REGISTER","namespace":"a","name":"b","port":1,"ttl":1e2}')
    @example(b'{"type":"REGISTER","namespace":"a","name":"b","port":1,"ttl":9223372036854775807}')
    @example(b'{"type":"REGISTER","namespace":"a","name":"b\t","port":1}')
    @example(b'{"type":"DISCOVER","namespace":"a\tb"}')
    @example(b'{"type":"DISCOVER","namespace":"\xed\xa0\x80"}')
    @example(b'{"type":"DISCOVER","namespace":"a\xff"}')
    @example(b'{"type":"DISCOVER","namespace":"\\ud800"}')
    @example(b'{"type":"DISCOVER","n\\u0061mespace":"a"}')
    @example(b'{"type":"DISCOVER","x":"a\tb"}')
    @example(b'{"type":"DISCOVER","x":01}')
    @example(b'{"type":"DISCOVER","x":' + b"[" * 5000 + b"]" * 5000 + b"}")
    @example(b"[" * 20_000)
    @example(b'\xef\xbb\xbf{"type":"DISCOVER"}')
    def test_whatever_is_read_is_read_as_it_is_with_care(self, line):
        self.check(line)

    @settings(deadline=None)
    @given(
        st.builds(Register, labels, labels, st.integers(1, 65535), st.integers(1, 86400))
        | st.builds(Discover, st.none() | labels)
    )
    def test_the_usual_is_read(self, request):
        self.assertEqual(read_request(request_line(request)[:-1]), request)

    def test_what_is_wrong_or_odd_is_left_to_be_read_with_care(self):
        for line, careful in (
            (b"", Refusal),
            (b"[]", Refusal),
            (b'{"type":"JOIN"}', Refusal),
            (b'{"type":"UNREGISTER","namespace":"CIC"}', Unregister),
            (b'{"type":"discover"}', Discover),
            (b'{"type":"DISCOVER","x":1}', Discover),
            (b'{"type":"DISCOVER","namespace":null}', Refusal),
            (b'{"type":"REGISTER","namespace":"CIC","name":"a","port":"1"}', Register),
            (b'{"type":"REGISTER","namespace":"CIC","name":"a","port":true}', Register),
            (b'{"type":"REGISTER","namespace":"CIC","name":"a","port":0}', Refusal),
            (b'{"type":"REGISTER","namespace":"CIC","name":"a\\u001b","port":1}', Refusal),
            (b'{"type":"REGISTER","namespace":"\\u202e","name":"a","port":1}', Refusal),
        ):
            self.assertIsNone(read_request(line), line)
            self.assertIsInstance(parse_request(line), careful, line)

    def test_a_ttl_is_kept_within_bounds(self):
        for ttl, kept in ((0, 1), (-5, 1), (86401, 86400)):
            line = b'{"type":"REGISTER","namespace":"CIC","name":"a","port":1,"ttl":%d}' % ttl
            self.assertEqual(read_request(line), Register("CIC", "a", 1, kept))

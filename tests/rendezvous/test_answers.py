"""Reading what deployed servers answer, and what hostile ones do."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.rendezvous import answers, replies
from p2pchat.rendezvous.answers import MAX_LISTED, STEP, Granted, granted, listed, read_answer
from p2pchat.rendezvous.errors import (
    BlockedError,
    NonsenseError,
    NotRegisteredError,
    RefusedError,
    RendezvousError,
)
from p2pchat.rendezvous.replies import Listed
from p2pchat.text import is_printable
from tests.rendezvous.test_replies import peers

ANA = {
    "ip": "10.0.0.1",
    "port": 4001,
    "name": "ana",
    "namespace": "CIC",
    "ttl": 7200,
    "expires_in": 7199,
}
LISTED_ANA = Listed("10.0.0.1", 4001, "ana", "CIC", 7200, 7199)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["status", "message", "error", "peers", "ip", "port", "name", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def read(line):
    """Read an answer to its end; return it and in how many steps."""
    reading, steps = read_answer(line), 0
    while True:
        try:
            next(reading)
        except StopIteration as end:
            return end.value, steps
        steps += 1


def answer_of(line):
    return read(line)[0]


def listing_of(*entries, **more):
    return answer_of(json.dumps({"status": "OK", "peers": entries, **more}).encode())


class ListingTests(SynchronousTestCase):
    @settings(deadline=None)
    @given(st.lists(peers, max_size=20))
    def test_what_our_server_writes_is_read_the_same(self, written):
        usable = [peer for peer in written if answers._peer(as_entry(peer)) is not None]
        answer = answer_of(replies.listing(written).rstrip(b"\n"))
        self.assertEqual(listed(answer), usable)
        self.assertEqual(answer.skipped, len(written) - len(usable))

    def test_bad_entries_are_skipped_one_by_one(self):
        bad = [
            None,
            5,
            "ana",
            [],
            {},
            ANA | {"ip": "example.com"},
            ANA | {"ip": "localhost"},
            ANA | {"ip": 167772161},
            ANA | {"ip": None},
            ANA | {"ip": "10.0.0.1 "},
            ANA | {"ip": "fe80::1%\x1b[2J"},
            ANA | {"port": 0},
            ANA | {"port": 65536},
            ANA | {"port": "abc"},
            ANA | {"port": None},
            ANA | {"port": float("inf")},
            ANA | {"port": 10**400},
            ANA | {"name": ""},
            ANA | {"name": "n" * 65},
            ANA | {"name": "\ud800"},
            ANA | {"name": "a\x1b[2Jb"},
            ANA | {"name": 5},
            ANA | {"namespace": ""},
            ANA | {"namespace": None},
            ANA | {"namespace": "n" * 65},
            ANA | {"namespace": "a\nb"},
            ANA | {"name": "n" * 30_000},
            {"ip": "10.0.0.1", "port": 4001},
        ]
        for entry in bad:
            answer = listing_of(entry, ANA, entry)
            self.assertEqual((listed(answer), answer.skipped), ([LISTED_ANA], 2), entry)

    def test_an_entry_with_a_number_of_any_length_is_read_or_skipped(self):
        line = b'{"status":"OK","peers":[%b,%b]}'
        good = json.dumps(ANA).encode()
        for digits in (b"9" * 4300, b"9" * 5000, b"1e400", b"NaN", b"-Infinity"):
            answer = answer_of(line % (good.replace(b"4001", digits), good))
            self.assertEqual((listed(answer), answer.skipped), ([LISTED_ANA], 1), digits[:9])
            answer = answer_of(line % (good.replace(b"7199", digits), good))
            self.assertEqual(answer.skipped, 0)
            self.assertIn(answer.peers[0].expires_in, (7200, 86400), digits[:9])

    def test_names_may_hold_at_signs_spaces_and_emoji(self):
        for name in ("ana@home", "ana maria", "🎉", "josé 👩‍👩‍👧"):
            self.assertEqual(
                [peer.name for peer in listed(listing_of(ANA | {"name": name}))], [name]
            )

    def test_what_may_be_missing_or_silly(self):
        for change, ttl, expires_in in [
            ({"expires_in": None}, 7200, 7200),
            ({"expires_in": -5}, 7200, 0),
            ({"expires_in": 10**9}, 7200, 86400),
            ({"expires_in": "60"}, 7200, 60),
            ({"ttl": None, "expires_in": None}, 7200, 7200),
            ({"ttl": 60, "expires_in": []}, 60, 60),
        ]:
            (peer,) = listed(listing_of(ANA | change))
            self.assertEqual((peer.ttl, peer.expires_in), (ttl, expires_in), change)

    def test_more_keys_in_any_order_and_any_blanks_harm_nothing(self):
        entry = json.dumps(ANA | {"observed_ip": "1.2.3.4", "tags": [{}]}, indent=3).encode()
        line = b' {"x": {"peers": [1]}, "peers" : [ %b ,%b ] ,\r\t"status": "ok", "y": [[]]} x'
        self.assertEqual(listed(answer_of(line % (entry, entry))), [LISTED_ANA] * 2)

    def test_no_peers(self):
        for line in (b'{"status":"OK","peers":[]}', b'{"status": "OK", "peers": [ ]}'):
            self.assertEqual(listed(answer_of(line)), [])

    def test_a_long_answer_is_read_in_steps(self):
        line = replies.listing([LISTED_ANA] * 10_000)
        answer, steps = read(line)
        self.assertEqual(listed(answer), [LISTED_ANA] * 10_000)
        self.assertTrue(answer.complete)
        self.assertGreater(steps, len(line) // STEP * 0.9)

    def test_an_endless_answer_is_read_up_to_a_bound(self):
        line = b'{"status":"OK","peers":[%b]}' % b",".join([b"[]"] * (MAX_LISTED + 10))
        answer, _ = read(line)
        self.assertEqual(answer.skipped, MAX_LISTED)
        self.assertFalse(answer.complete)
        self.assertEqual(listed(answer), [])

    def test_one_huge_value_is_not_decoded(self):
        line = b'{"status":"OK","peers":[[%b]]}' % b",".join([b"[]"] * 1_000_000)
        with self.assertRaises(NonsenseError):
            read(line)

    def test_members_without_end_are_not_kept(self):
        line = b'{"status":"OK"%b}' % (b',"x":1' * 1000)
        with self.assertRaises(NonsenseError):
            read(line)


def as_entry(peer):
    return {field: getattr(peer, field) for field in peer.__struct_fields__}


class StatusTests(SynchronousTestCase):
    def refusal(self, line, ask=listed):
        with self.assertRaises(RendezvousError) as caught:
            ask(answer_of(line))
        return caught.exception

    def test_an_error_is_told_by_message_or_else_by_error(self):
        for line, message in [
            (b'{"status":"ERROR","message":"bad_name"}', "bad_name"),
            (b'{"status":"ERROR","error":"bad_name"}', "bad_name"),
            (b'{"error":"bad_name"}', "bad_name"),
            (b'{"status":"ERROR","message":"bad_ttl","error":"bad_name"}', "bad_ttl"),
            (b'{"status":"ERROR","message":{},"error":"bad_name"}', "bad_name"),
            (b'{"status":"ERROR","message":"a\\u001b[2Jb"}', "a\\x1b[2Jb"),
            (b'{"status":"ERROR","message":"\\ud800"}', "\\ud800"),
        ]:
            error = self.refusal(line)
            self.assertIs(type(error), RefusedError)
            self.assertEqual(error.message, message)

    def test_a_long_message_is_cut(self):
        error = self.refusal(json.dumps({"status": "ERROR", "message": "x" * 9999}).encode())
        self.assertEqual(len(error.message), 200)

    def test_not_registered(self):
        for line in (
            b'{"status":"ERROR","message":"peer_not_registered"}',
            b'{"status":"ERROR","error":"peer_not_registered"}',
        ):
            self.assertIsInstance(self.refusal(line), NotRegisteredError)

    def test_blocked(self):
        for line in (
            b"",
            b"  \r",
            replies.blocked("10.0.0.1", 4711, 50, 59.5)[:-1],
            b"Connection from 10.0.0.1:5 has been blocked due to",
        ):
            self.assertIsInstance(self.refusal(line), BlockedError, line)

    def test_a_peer_that_is_named_like_a_block_is_no_block(self):
        self.assertEqual(len(listed(listing_of(ANA | {"name": "has been blocked"}))), 1)

    def test_nonsense(self):
        for line in (
            b"hello",
            b"5",
            b"[]",
            b"{",
            b'{"status"',
            b'{"status":',
            b'{"status":"OK"',
            b'{"status":"OK",}',
            b'{"status":"OK" "peers":[]}',
            b'{"status":"OK","peers":[',
            b'{"status":"OK","peers":[1 2]}',
            b'{"status":"OK","peers":{}}',
            b'{"status":"OK","peers":5}',
            b'{"status":"OK"}',
            b'{"peers":[]}',
            b"{}",
            b'{"status":5}',
            b"[" * 100_000,
            b'{"status":"OK","peers":[' + b"[" * 100_000,
            b'{"a":' * 100_000,
            b"\xff\xfe\x00",
            b"HTTP/1.1 400 Bad Request",
        ):
            self.assertIsInstance(self.refusal(line), NonsenseError, line[:40])

    def test_granted(self):
        for line, expected in [
            (b'{"status":"OK","ttl":60,"ip":"1.2.3.4","port":4000}', Granted(60, "1.2.3.4")),
            (b'{"status":"OK"}', Granted(7200, None)),
            (b'{"status":"OK","ttl":"60","ip":"example.com"}', Granted(60, None)),
            (b'{"status":"OK","ttl":Infinity,"ip":5}', Granted(7200, None)),
            (b'{"status":"OK","ttl":0,"ip":"::1"}', Granted(1, "::1")),
            (b'{"status":"OK","ttl":1e9,"observed_ip":"1.2.3.4"}', Granted(86400, None)),
        ]:
            self.assertEqual(granted(answer_of(line)), expected, line)


class HostileAnswerTests(SynchronousTestCase):
    def survive(self, line):
        for ask in (granted, listed, answers.check):
            try:
                ask(answer_of(line))
            except RendezvousError as error:
                self.assertTrue(is_printable(str(error)))

    @settings(deadline=None)
    @given(st.binary(max_size=300))
    def test_any_bytes(self, line):
        self.survive(line)

    @settings(deadline=None, max_examples=200)
    @given(json_values)
    def test_any_json(self, value):
        self.survive(json.dumps(value).encode())

    @settings(deadline=None)
    @given(json_values, st.data())
    def test_any_damaged_answer(self, value, data):
        line = json.dumps({"status": "OK", "peers": [ANA, value, ANA]}).encode()
        cut = data.draw(st.integers(0, len(line)))
        self.survive(line[:cut] + data.draw(st.binary(max_size=3)) + line[cut:])

"""Every row of docs/protocols.md, section 1, as bytes over a connection."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.rendezvous.server import RendezvousFactory
from tests.rendezvous.backends import MemoryBackend, RedisBackend, SqliteBackend
from tests.rendezvous.memory_tcp import Network, connect

UNKNOWN_COMMAND = b'{"status": "ERROR", "message": "Unknown command"}\n'
EMPTY = b'{"status": "ERROR", "message": "Empty request line"}\n'
TOO_LONG = b'{"status": "ERROR", "message": "line_too_long", "limit": 32768}\n'
TIMEOUT = b'{"status": "ERROR", "message": "Timeout: no data received, closing connection"}\n'
OK = b'{"status": "OK"}\n'
NO_PEERS = b'{"status": "OK", "peers": []}\n'


def error(message):
    return b'{"status": "ERROR", "message": "%b"}\n' % message


def register(name=b'"alice"', namespace=b'"CIC"', port=b"4000", ttl=b"60"):
    return b'{"type":"REGISTER","namespace":%b,"name":%b,"port":%b,"ttl":%b}' % (
        namespace,
        name,
        port,
        ttl,
    )


def granted(ttl, port=4000):
    return b'{"status": "OK", "ttl": %d, "ip": "127.0.0.1", "port": %d}\n' % (ttl, port)


REGISTER_ROWS = [
    # name
    (b'{"type":"REGISTER","namespace":"CIC","port":4000,"ttl":60}', error(b"bad_name")),
    (register(name=b"5"), error(b"bad_name")),
    (register(name=b"null"), error(b"bad_name")),
    (register(name=b'""'), error(b"bad_name")),
    (register(name=b'"%b"' % (b"n" * 65)), error(b"bad_name")),
    (register(name=b'"%b"' % (b"n" * 64)), granted(60)),
    (register(name=b'"\\ud800"'), error(b"bad_name")),
    (register(name=b'"a\\u001bb"'), error(b"bad_name")),
    (register(name=b'"a\\nb"'), error(b"bad_name")),
    (register(name='"joão @ casa 🎉"'.encode()), granted(60)),
    # ttl
    (register(ttl=b"null"), error(b"bad_ttl")),
    (register(ttl=b'"abc"'), error(b"bad_ttl")),
    (register(ttl=b"[]"), error(b"bad_ttl")),
    (register(ttl=b"NaN"), error(b"bad_ttl")),
    (register(ttl=b"Infinity"), error(b"bad_ttl")),
    (register(ttl=b"-Infinity"), error(b"bad_ttl")),
    (register(ttl=b"1e400"), error(b"bad_ttl")),
    (register(ttl=b"9" * 5000), error(b"bad_ttl")),
    (register(ttl=b'"%b"' % (b"9" * 5000)), error(b"bad_ttl")),
    (register(ttl=b"1" + b"0" * 400), granted(86400)),
    (register(ttl=b'"4002"'), granted(4002)),
    (register(ttl=b"4003.9"), granted(4003)),
    (register(ttl=b"true"), granted(1)),
    (register(ttl=b"0"), granted(1)),
    (register(ttl=b"-5"), granted(1)),
    (register(ttl=b"86401"), granted(86400)),
    (b'{"type":"REGISTER","namespace":"CIC","name":"alice","port":4000}', granted(7200)),
    # namespace
    (b'{"type":"REGISTER","name":"alice","port":4000}', error(b"bad_namespace")),
    (register(namespace=b"5"), error(b"bad_namespace")),
    (register(namespace=b'""'), error(b"bad_namespace")),
    (register(namespace=b'"%b"' % (b"n" * 65)), error(b"bad_namespace")),
    (register(namespace=b'"\\udfff"'), error(b"bad_namespace")),
    # port
    (b'{"type":"REGISTER","namespace":"CIC","name":"alice"}', error(b"bad_port")),
    (register(port=b"null"), error(b"bad_port")),
    (register(port=b'"abc"'), error(b"bad_port")),
    (register(port=b"Infinity"), error(b"bad_port")),
    (register(port=b"9" * 5000), error(b"bad_port")),
    (register(port=b"0"), error(b"bad_port")),
    (register(port=b"65536"), error(b"bad_port")),
    (register(port=b"65535"), granted(60, 65535)),
    (register(port=b'"4001"'), granted(60, 4001)),
    # the order of the checks
    (register(b"5", b"5", b"0", b"null"), error(b"bad_name")),
    (register(b'"a"', b"5", b"0", b"null"), error(b"bad_ttl")),
    (register(b'"a"', b"5", b"0"), error(b"bad_namespace")),
    # the type in any case, and keys that nobody knows
    (b'{"type":"register","namespace":"CIC","name":"a","port":4000,"x":[1]}', granted(7200)),
]

# The asker has registered alice@CIC at port 4000, and nothing else is registered.
DISCOVER_ROWS = [
    (b'{"type":"DISCOVER","namespace":""}', error(b"bad_namespace")),
    (b'{"type":"DISCOVER","namespace":"%b"}' % (b"n" * 65), error(b"bad_namespace")),
    (b'{"type":"DISCOVER","namespace":5}', error(b"bad_namespace")),
    (b'{"type":"DISCOVER","namespace":null}', error(b"bad_namespace")),
    (b'{"type":"DISCOVER","namespace":"nobody"}', NO_PEERS),
    (b'{"type":"DISCOVER","namespace":"\\ud800"}', NO_PEERS),
    (
        b'{"type":"discover"}',
        b'{"status": "OK", "peers": [{"ip": "127.0.0.1", "port": 4000, "name": "alice", '
        b'"namespace": "CIC", "ttl": 60, "expires_in": 60}]}\n',
    ),
]

UNREGISTER_ROWS = [
    (b'{"type":"UNREGISTER"}', error(b"namespace_required")),
    (b'{"type":"UNREGISTER","namespace":""}', error(b"bad_namespace")),
    (b'{"type":"UNREGISTER","namespace":"%b"}' % (b"n" * 65), error(b"bad_namespace")),
    (b'{"type":"UNREGISTER","namespace":5}', error(b"bad_namespace")),
    (b'{"type":"UNREGISTER","namespace":"CIC","port":"abc"}', error(b"bad_port (abc)")),
    (b'{"type":"UNREGISTER","namespace":"CIC","port":0}', error(b"bad_port (0)")),
    (b'{"type":"UNREGISTER","namespace":"CIC","port":65536}', error(b"bad_port (65536)")),
    (b'{"type":"UNREGISTER","namespace":"CIC","port":Infinity}', error(b"bad_port (inf)")),
    (b'{"type":"UNREGISTER","namespace":"CIC","port":null}', error(b"bad_port (None)")),
    (b'{"type":"UNREGISTER","namespace":"CIC","port":[1]}', error(b"bad_port ([1])")),
    (b'{"type":"UNREGISTER","namespace":"CIC","port":"\\ud800"}', error(b"bad_port (\\ud800)")),
    (b'{"type":"UNREGISTER","port":"abc"}', error(b"namespace_required")),
    (b'{"type":"UNREGISTER","namespace":"","port":"abc"}', error(b"bad_namespace")),
    (
        b'{"type":"UNREGISTER","namespace":"nobody"}',
        error(b"peer_credentials_do_not_match"),
    ),
    (
        b'{"type":"UNREGISTER","namespace":"CIC","name":"bob"}',
        error(b"peer_credentials_do_not_match"),
    ),
    (
        b'{"type":"UNREGISTER","namespace":"CIC","name":5}',
        error(b"peer_credentials_do_not_match"),
    ),
    (
        b'{"type":"UNREGISTER","namespace":"CIC","name":"alice","port":4001}',
        error(b"peer_credentials_do_not_match"),
    ),
    (b'{"type":"UNREGISTER","namespace":"CIC","name":"alice","port":4000}', OK),
    (b'{"type":"UNREGISTER","namespace":"CIC","name":"alice"}', OK),
    (b'{"type":"UNREGISTER","namespace":"CIC","port":"4000"}', OK),
    (b'{"type":"unregister","namespace":"CIC"}', OK),
]

OTHER_ROWS = [
    (b"", EMPTY),
    (b"   \t", EMPTY),
    (b"\r", EMPTY),
    (b'{"type":"HELLO"}', UNKNOWN_COMMAND),
    (b'{"type":5}', UNKNOWN_COMMAND),
    (b"{}", UNKNOWN_COMMAND),
    (b"not json", UNKNOWN_COMMAND),
    (b"[1]", UNKNOWN_COMMAND),
    (b"NaN", UNKNOWN_COMMAND),
    (b'"DISCOVER"', UNKNOWN_COMMAND),
    (b"[" * 15_000, UNKNOWN_COMMAND),
    (b'{"a":' * 6_000, UNKNOWN_COMMAND),
    (b"9" * 5000, UNKNOWN_COMMAND),
    (b"x" * 32767, UNKNOWN_COMMAND),
    (b"x" * 32768, TOO_LONG),
    (b"\xff\xfe", UNKNOWN_COMMAND),
]


class ProtocolTable:
    """What every server answers, whatever it keeps its registrations in."""

    def setUp(self):
        self.backend = self.make_backend(self)
        self.network = Network()
        self.reactor = self.network.reactor()
        self.serve()

    def serve(self):
        """Begin anew, with a server that knows nobody."""
        self.network.ports.clear()
        registry = self.backend.begin(self.reactor)
        limiter = self.backend.limiter(self.reactor)
        self.factory = RendezvousFactory(self.reactor, registry, limiter=limiter)
        self.reactor.listenTCP(8080, self.factory)

    def ask(self, sends, seconds=0.0):
        client = connect(self.reactor, "127.0.0.1", 8080, sends)
        self.network.settle(seconds)
        self.assertIsNotNone(client.closed, sends[:80])
        return client.received

    def check_rows(self, rows, before=b""):
        for line, expected in rows:
            for ending in (b"\n", b"\r\n", b"\nmore of it\n"):
                if len(line + ending) > 32768 and expected != TOO_LONG:
                    continue
                self.serve()
                if before:
                    self.ask(before + b"\n")
                self.assertEqual(self.ask(line + ending), expected, line[:80])

    def test_register(self):
        self.check_rows(REGISTER_ROWS)

    def test_discover(self):
        self.check_rows(DISCOVER_ROWS, before=register())

    def test_unregister(self):
        self.check_rows(UNREGISTER_ROWS, before=register())

    def test_everything_else(self):
        self.check_rows(OTHER_ROWS)

    def test_who_is_not_registered_hears_that_before_all_else(self):
        rows = [
            (line, error(b"peer_not_registered")) for line, _ in DISCOVER_ROWS + UNREGISTER_ROWS
        ]
        self.check_rows(rows)

    def test_who_was_registered_is_not_any_more(self):
        self.ask(register() + b"\n")
        self.network.settle(60)
        self.assertEqual(self.ask(b'{"type":"DISCOVER"}\n'), error(b"peer_not_registered"))

    def test_registering_again_replaces(self):
        self.ask(register() + b"\n")
        self.ask(register(port=b"4001", ttl=b"7200") + b"\n")
        self.assertEqual(
            self.ask(b'{"type":"DISCOVER"}\n'),
            b'{"status": "OK", "peers": [{"ip": "127.0.0.1", "port": 4001, "name": "alice", '
            b'"namespace": "CIC", "ttl": 7200, "expires_in": 7200}]}\n',
        )

    def test_what_is_left_of_the_ttl_is_told_in_whole_seconds(self):
        self.ask(register(ttl=b"7200") + b"\n")
        self.network.settle(0.5)
        self.assertIn(b'"ttl": 7200, "expires_in": 7199}', self.ask(b'{"type":"DISCOVER"}\n'))

    def test_only_one_namespace_is_listed_if_one_is_given(self):
        self.ask(register(name=b'"ana"') + b"\n")
        self.ask(register(name=b'"bob"', namespace=b'"lab"') + b"\n")
        listing = self.ask(b'{"type":"DISCOVER","namespace":"lab"}\n')
        self.assertEqual(
            listing,
            b'{"status": "OK", "peers": [{"ip": "127.0.0.1", "port": 4000, "name": "bob", '
            b'"namespace": "lab", "ttl": 60, "expires_in": 60}]}\n',
        )

    def test_unregister_without_a_name_forgets_all_of_the_namespace(self):
        for name in (b'"ana"', b'"bob"'):
            self.ask(register(name=name) + b"\n")
        self.ask(register(name=b'"eve"', namespace=b'"lab"') + b"\n")
        self.assertEqual(self.ask(b'{"type":"UNREGISTER","namespace":"CIC"}\n'), OK)
        self.assertEqual(self.ask(b'{"type":"DISCOVER","namespace":"CIC"}\n'), NO_PEERS)
        self.assertIn(b"eve", self.ask(b'{"type":"DISCOVER"}\n'))

    def test_nothing_or_half_a_line_for_five_seconds(self):
        for sends in (b"", b'{"type":'):
            self.assertEqual(self.ask(sends, seconds=5.2), TIMEOUT)

    def test_more_than_the_limit_without_a_newline(self):
        for sends in (b"x" * 32769, b"x" * 1_000_000):
            self.assertEqual(self.ask(sends), TOO_LONG)

    def test_the_fifty_first_connection_in_a_minute_and_those_after_it(self):
        for _ in range(50):
            self.assertEqual(self.ask(b"x\n"), UNKNOWN_COMMAND)
        self.assertEqual(self.ask(b"x\n"), b"")
        self.network.settle(0.5)
        client = connect(self.reactor, "127.0.0.1", 8080)
        self.network.settle()
        port = client.transport.getHost().port
        self.assertEqual(
            client.received,
            b'{"status": "ERROR", "message": "Connection from 127.0.0.1:%d has been blocked due '
            b"to excessive login attempts (limit: 50). The block will be lifted in 59 "
            b'seconds."}\n' % port,
        )
        self.network.settle(59.5)
        self.assertEqual(self.ask(b"x\n"), UNKNOWN_COMMAND)


class InMemoryTests(ProtocolTable, SynchronousTestCase):
    make_backend = MemoryBackend


class InAFileTests(ProtocolTable, SynchronousTestCase):
    make_backend = SqliteBackend


class InRedisTests(ProtocolTable, SynchronousTestCase):
    make_backend = RedisBackend


class AtTheDoorTests(ProtocolTable, SynchronousTestCase):
    """What comes as a whole is answered as a server of its own does it; the rest as ever."""

    make_backend = MemoryBackend

    def ask(self, sends, seconds=0.0):
        answer = self.factory.answer_at_once("127.0.0.1", sends, lambda: "127.0.0.1")
        if answer is not None:
            self.assertIn(b"\n", sends)
            return answer
        is_short = 0 < sends.find(b"\n") + 1 <= 32768
        came = super().ask(sends, seconds)
        self.assertFalse(is_short and came != b"", "it was not answered at the door")
        return came

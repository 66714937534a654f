"""Bad input costs its sender the line or the link, and nobody else anything."""

import contextlib
import socket
from typing import Any

from tests.integration.cases import NetworkCase
from tests.integration.kinds import OurKind
from tests.integration.programs import HERE
from tests.integration.raw import Notes, RawLink, connect, encoded
from tests.integration.waiting import wait_until

DEEP = b"[" * 15_000 + b"]" * 15_000
SEND: dict[str, Any] = {"type": "SEND", "msg_id": "1", "payload": "hi"}

#: What is said first, and words of the refusal; the last ones are no whole line.
FIRST_WORDS = (
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n", "not a message"),
    (b"GET / HTTP/1.1\r\nHost: alice\r\n\r\n", "not a message"),
    (DEEP + b"\n", "not a message"),
    (b'{"type":"HELLO","peer_id":"eve@CIC","features":' + DEEP[1:-1] + b"}\n", "not a message"),
    (b'{"type":"HELLO","peer_id":"eve@CIC","later":' + DEEP + b"}\n", "not a message"),
    (b'{"type":"HELLO","peer_id":"eve@CIC","ttl":NaN}\n', "not a message"),
    (b'{"type":"HELLO","peer_id":"eve@CIC","ttl":Infinity}\n', "not a message"),
    (b'{"type":"HELLO","peer_id":["eve@CIC"]}\n', "not a message"),
    (b'{"type":"HELLO","peer_id":"\xff\xfe@CIC"}\n', "not a message"),
    (b'{"type":"HELLO","peer_id":"nobody"}\n', "is not name@namespace"),
    (b'{"type":"HELLO","peer_id":"alice@CIC"}\n', "our own name"),
    (b'{"type":"HELLO","peer_id":"bob@CIC","agent":"x"}\n', "duplicate"),
    (encoded(SEND), "SEND is not allowed"),
    (b"", "no HELLO within"),
    (b'{"type":"HE', "no HELLO within"),
)

#: What costs a link that is greeted no more than the line.
BAD_LINES = (
    b"garbage",
    DEEP,
    b'{"type":"SEND","msg_id":"2","later":' + DEEP + b"}",
    b'{"type":"SEND","msg_id":"2","payload":NaN}',
    b'{"type":"SEND","msg_id":"2","payload":-Infinity}',
    b'{"type":"SEND","msg_id":{},"payload":"hi"}',
    b'{"type":"SEND","msg_id":"2","payload":"\xff"}',
    b'{"type":"PUB","msg_id":null,"dst":[],"payload":{}}',
    b'{"type":"HELLO","peer_id":"eve@CIC"}',
    b"[]",
)


class AttackedCase(NetworkCase):
    """A node with a link to bob, who is honest, and others who write to it whatever they like."""

    def setUp(self) -> None:
        super().setUp()
        limits = {"handshake_timeout": 2, "queue_bytes": 1_000_000}
        self.alice = self.start_ready("alice", "--no-rendezvous", limits=limits)
        self.bob = OurKind("bob")
        self.addCleanup(self.bob.close)
        self.link = self.bob.dial(self.alice.port)
        self.alice.wait_for("peer_up", peer_id="bob@CIC", modern=True)

    def connect(self) -> RawLink:
        link = RawLink(connect(self.alice.port), Notes())
        self.addCleanup(link.close)
        return link

    def greet(self, name: str, link: RawLink) -> RawLink:
        """Say HELLO as one of our own kind."""
        link.send({"type": "HELLO", "peer_id": f"{name}@CIC", "agent": "raw"})
        link.wait_for("HELLO_OK")
        self.alice.wait_for("peer_up", peer_id=f"{name}@CIC")
        return link

    def assert_unharmed(self) -> None:
        """The honest peer and the node still exchange messages, and no link of it was lost."""
        self.alice.deliver("bob", "still there?")
        self.bob.send_text(self.link, "alice@CIC", "of course")
        self.alice.wait_for("message", from_="bob@CIC", text="of course")
        self.assertEqual(self.alice.events("peer_down", peer_id="bob@CIC"), [])
        self.assertEqual((self.link.received.ended, self.bob.violations), ("", []))


class BadInputTests(AttackedCase):
    def test_before_the_handshake(self) -> None:
        said = []
        for data, refusal in FIRST_WORDS:
            link = self.connect()
            link.write(data)
            said.append((link, data, refusal))
        for link, data, refusal in said:
            reason = link.wait_for("HELLO_REJECT")["reason"]
            self.assertIn(refusal, reason, data[:60])
            link.wait_for_end()
        self.assertEqual([event["peer_id"] for event in self.alice.events("peer_up")], ["bob@CIC"])
        self.assert_unharmed()

    def test_lines_on_a_link(self) -> None:
        link = self.greet("eve", self.connect())
        for line in BAD_LINES:
            link.write(line + b"\n")
        link.send({"type": "NEWS", "of": "a later version"})
        link.send({**SEND, "later": {"fields": [1, 2]}})
        link.wait_for("ACK", msg_id="1")
        self.alice.wait_for("message", from_="eve@CIC", text="hi")
        link.write(b"one too many\n")
        self.assertIn("not a message", link.wait_for("BYE")["reason"])
        link.wait_for_end()
        self.alice.wait_for("peer_down", peer_id="eve@CIC")
        self.assertEqual(len(self.alice.events("message", from_="eve@CIC")), 1)
        self.assert_unharmed()

    def test_a_line_without_an_end(self) -> None:
        before = self.alice.memory
        for greeted in (False, True):
            link = self.connect()
            if greeted:
                self.greet("eve", link)
            with contextlib.suppress(OSError):  # it need not take all of it
                link.write(b"x" * 1_000_000)
            link.wait_for_end()
        self.alice.wait_for("peer_down", peer_id="eve@CIC")
        self.assertLess(self.alice.memory - before, 10_000_000)
        self.assert_unharmed()

    def test_200_silent_connections(self) -> None:
        silent = [socket.create_connection((HERE, self.alice.port)) for _ in range(200)]
        for connection in silent:
            self.addCleanup(connection.close)
        self.assert_unharmed()
        dave = self.greet("dave", self.connect())
        dave.send(SEND)
        dave.wait_for("ACK")
        self.assertLessEqual(self.alice.data("/status")["handshakes"], 64)
        wait_until(lambda: self.alice.data("/status")["handshakes"] == 0, "they are gone")
        self.assert_unharmed()


class NeverReadingTests(AttackedCase):
    """Peers that never read: what waits for them is bounded in the node's memory."""

    def deaf(self, name: str, **hello: str) -> socket.socket:
        """Connect, say HELLO, and read nothing but the greeting."""
        connection = socket.socket()
        self.addCleanup(connection.close)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect((HERE, self.alice.port))
        connection.sendall(encoded({"type": "HELLO", "peer_id": f"{name}@CIC", **hello}))
        self.alice.wait_for("peer_up", peer_id=f"{name}@CIC")
        return connection

    def test_publications(self) -> None:
        self.deaf("modern", agent="raw")
        self.deaf("legacy")
        text = "x" * 20_000
        self.assertEqual(self.alice.data(f"/pub * {text}")["peers"], 3)
        # by then all that is bounded is full: queues, and what the store keeps in memory
        self.publish(text, rounds=20)
        before = self.alice.memory
        self.assertEqual(self.publish(text, rounds=40)["peers"], 1)
        growth = self.alice.memory - before
        self.assertLess(growth, 5_000_000, "of 24 MB that were published to each")
        self.assertEqual(self.link.kinds().count("PUB"), 1801)
        self.assert_unharmed()

    def publish(self, text: str, rounds: int) -> Any:
        """Publish thirty times a round, until who reads has them; return the last reply's data."""
        for _ in range(rounds):
            published = [self.alice.data(f"/pub * {text}") for _ in range(30)]
            self.link.wait_for("PUB", msg_id=published[-1]["msg_id"])
        return published[-1]

    def test_questions(self) -> None:
        """One asks and asks, and never reads the answers: it is not heard any more."""
        before = self.alice.memory
        asking = self.deaf("eve", agent="raw")
        asking.settimeout(2.0)
        pings = encoded({"type": "PING", "msg_id": "x" * 36}) * 1000
        asked = 0
        with self.assertRaises(TimeoutError):
            while asked < 100_000_000:
                asked += asking.send(pings)
        self.assertLess(self.alice.memory - before, 15_000_000)
        self.assert_unharmed()

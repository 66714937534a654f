"""The fakes themselves: they must see what a node may not do."""

import json
import socket

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.kinds import BlankFearing, FirstLineOnly, FloatTimed, Impatient
from tests.integration.legacy import LegacyPeer
from tests.integration.raw import Notes, RawLink, connect, encoded
from tests.integration.rules import faults
from tests.integration.waiting import wait_until

MSG_ID = "5f0c2f9e-0000-4000-8000-000000000000"
HELLO = {
    "type": "HELLO",
    "peer_id": "alice@CIC",
    "version": "1.0",
    "features": ["ack", "metrics"],
    "ttl": 1,
}
PING = {"type": "PING", "msg_id": MSG_ID, "timestamp": "2025-01-01T00:00:00.000Z", "ttl": 1}
SEND = {
    "type": "SEND",
    "msg_id": MSG_ID,
    "src": "alice@CIC",
    "dst": "bob@CIC",
    "payload": "",
    "require_ack": True,
    "ttl": 1,
}
PUB = {**SEND, "type": "PUB", "dst": "*", "require_ack": False}


class RuleTests(SynchronousTestCase):
    def test_good_lines(self) -> None:
        for message in (HELLO, {**HELLO, "agent": "p2pchat/1"}, PING, SEND, PUB):
            self.assertEqual(faults(json.dumps(message).encode()), [])

    def test_bad_lines(self) -> None:
        for line in (b"", b"  \r", b"{", b"[]", b"17", b'{"type":"NEWS"}', b"x" * 32768):
            self.assertEqual(len(faults(line)), 1, line[:50])
        for message in (
            {**PING, "ttl": 0},
            {**PING, "ttl": True},
            {**PING, "timestamp": 1.5},
            {**PING, "timestamp": "2025-01-01T00:00:00"},
            {**PING, "msg_id": 5},
            {**SEND, "payload": None},
            {**PUB, "require_ack": True},
            {**PUB, "dst": "CIC"},
            {name: value for name, value in SEND.items() if name != "require_ack"},
            {name: value for name, value in PING.items() if name != "ttl"},
        ):
            self.assertEqual(len(faults(json.dumps(message).encode())), 1, message)


class FakeTests(SynchronousTestCase):
    def open(self, peer: LegacyPeer) -> RawLink:
        """Connect to a fake and be greeted."""
        self.addCleanup(peer.close)
        link = RawLink(connect(peer.port), Notes())
        self.addCleanup(link.close)
        link.send(HELLO)
        link.wait_for("HELLO_OK")
        return link

    def test_nothing_is_wrong_with_good_manners(self) -> None:
        for program in (LegacyPeer, FirstLineOnly, BlankFearing):
            peer = program("bob")
            link = self.open(peer)
            for message, answer in ((PING, "PONG"), (SEND, "ACK"), (PING, "PONG")):
                link.send(message)
                link.wait_for(answer)
            self.assertEqual(peer.violations, [])

    def test_two_lines_in_a_segment(self) -> None:
        if not hasattr(socket, "TCP_INFO"):
            self.skipTest("the system does not tell of segments")
        peer = FirstLineOnly("bob")
        link = self.open(peer)
        link.send(PUB)
        link.write(encoded(PUB) + encoded(PING))
        wait_until(lambda: peer.violations, "the complaint")
        self.assertIn("1 lines are lost", peer.violations[0])
        link.send(PING)
        link.wait_for("PONG")
        self.assertEqual(link.kinds(), ["HELLO_OK", "PONG"])

    def test_not_waiting_for_an_answer(self) -> None:
        for message in (HELLO, PING, SEND):
            peer = LegacyPeer("bob")
            link = self.open(peer)
            link.send(message)
            link.send(PING)
            link.wait_for("PONG")
            self.assertIn(f"follows {message['type']} before its answer", peer.violations[0])

    def test_what_some_close_on(self) -> None:
        for program, data in ((BlankFearing, b"\n"), (FloatTimed, encoded(PUB))):
            peer = program("bob")
            link = self.open(peer)
            link.write(data)
            link.wait_for_end()
            self.assertTrue(peer.violations)

    def test_silence(self) -> None:
        class VeryImpatient(Impatient):
            silence = 0.3

        peer = VeryImpatient("bob")
        link = self.open(peer)
        ping = link.wait_for("PING")
        link.send({**ping, "type": "PONG"})
        link.wait_for_end()
        self.assertIn("0.3 s of silence", peer.violations)

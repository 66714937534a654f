"""The field `archive` of HELLO and HELLO_OK: told to our own kind, and never worth a link."""

import json
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET, Raw
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chat.codec import decode, decode_offer, encode, encode_offer
from p2pchat.chat.messages import ArchiveOffer, Hello, HelloOk
from p2pchat.chat.session import Role, Session, State, offer_nothing
from p2pchat.chat.switchboard import PROBE_TIMEOUT, SIMULTANEOUS
from p2pchat.errors import RemoteProtocolError
from p2pchat.identity import PeerId
from tests.chat.cases import ChatCase, ChatNode
from tests.chat.scripted import ScriptedLink, ScriptedPeer
from tests.chat.strategies import offers

ME = PeerId("alice@CIC")
TIP = "00000000000000000000000000000abc"
OURS = ArchiveOffer(51511, 7, TIP)
THEIRS = {"port": 51512, "height": 3, "tip": TIP}
MODERN: dict[str, Any] = {"agent": "p2pchat/9", "archive": THEIRS}

#: What the field must not be; all of it is JSON, or nearly.
MALFORMED = (
    *(b"null", b"true", b"5", b'"51511"', b"[]", b"{}", b"1e400", b"9" * 5000),
    *(b'"\xff"', b"[" * 500 + b"]" * 500, b'{"port":51511}', b'[51511,3,""]'),
    *(
        json.dumps({**THEIRS, **wrong}).encode()
        for wrong in (
            *({"port": port} for port in (0, -1, 65536, "51511", True, None, 1.5)),
            *({"height": height} for height in (-1, 2**32, 10**30, "3", False, None, 0.5)),
            *({"tip": tip} for tip in ("0" * 33, 5, None, [])),
        )
    ),
)


def introduction(kind: str, archive: bytes) -> bytes:
    """Return the line, without its newline, in which a modern bob says this of his archive."""
    begin = b'{"type":"%s","peer_id":"bob@CIC","agent":"p2pchat/9","archive":' % kind.encode()
    return begin + archive + b"}"


def session(
    role: Role, offer: Callable[[], ArchiveOffer | None] = offer_nothing, **options: Any
) -> Session:
    return Session(ME, role, agent="p2pchat/1", offer=offer, **options)


class Field(SynchronousTestCase):
    """What is written, and what is read."""

    @settings(deadline=None, max_examples=50)
    @given(st.none() | offers)
    def test_an_offer_survives(self, offer: ArchiveOffer | None) -> None:
        for kind in (Hello, HelloOk):
            message = decode(encode(kind("bob@CIC", archive=encode_offer(offer))))
            assert isinstance(message, kind)
            self.assertEqual(decode_offer(message.archive), offer)

    def test_it_is_written_as_three_fields(self) -> None:
        hello = json.loads(encode(session(Role.DIALLER, lambda: OURS).hello()))
        self.assertEqual(hello["archive"], {"port": 51511, "height": 7, "tip": TIP})

    def test_what_else_is_in_it_is_ignored(self) -> None:
        field = Raw(json.dumps({"x": [], **THEIRS}).encode())
        self.assertEqual(decode_offer(field), ArchiveOffer(**THEIRS))

    def test_malformed_is_as_good_as_none(self) -> None:
        self.assertIsNone(decode_offer(UNSET))
        for archive in MALFORMED:
            self.assertIsNone(decode_offer(Raw(archive)), archive[:80])


class Introductions(SynchronousTestCase):
    """Both roles of a session."""

    def heard(self, role: Role, archive: bytes) -> Session:
        heard = session(role)
        heard.receive(introduction("HELLO" if role is Role.LISTENER else "HELLO_OK", archive))
        return heard

    def test_an_offer_is_heard_in_both_roles(self) -> None:
        for role in Role:
            heard = self.heard(role, json.dumps(THEIRS).encode())
            self.assertEqual(heard.peer_archive, ArchiveOffer(**THEIRS), role)

    def test_a_malformed_one_does_not_cost_the_handshake(self) -> None:
        for archive in MALFORMED:
            for role in Role:
                heard = self.heard(role, archive)
                self.assertEqual((heard.peer, heard.modern), ("bob@CIC", True), archive[:80])
                self.assertIsNone(heard.peer_archive, archive[:80])

    def test_only_a_modern_peer_is_believed(self) -> None:
        for role, kind in ((Role.LISTENER, "HELLO"), (Role.DIALLER, "HELLO_OK")):
            heard = session(role)
            legacy = {"type": kind, "peer_id": "bob@CIC", "archive": THEIRS}
            heard.receive(json.dumps(legacy).encode())
            self.assertEqual((heard.peer, heard.peer_archive), ("bob@CIC", None))

    def test_who_is_turned_away_has_offered_nothing(self) -> None:
        for name, expected in (("alice@CIC", None), ("eve@CIC", PeerId("bob@CIC"))):
            heard = session(Role.DIALLER, expected=expected)
            hello_ok = {"type": "HELLO_OK", "peer_id": name, **MODERN}
            self.assertRaises(RemoteProtocolError, heard.receive, json.dumps(hello_ok).encode())
            self.assertIsNone(heard.peer_archive)

    def test_the_offer_is_made_when_the_introduction_is(self) -> None:
        asked: list[State] = []
        speaker: Session

        def offer() -> ArchiveOffer:
            asked.append(speaker.state)
            return OURS

        speaker = session(Role.LISTENER, offer)
        speaker.receive(introduction("HELLO", b"{}"))
        self.assertEqual(asked, [])
        self.assertEqual(decode_offer(speaker.accept().archive), OURS)
        speaker = session(Role.DIALLER, offer)
        self.assertEqual(decode_offer(speaker.hello().archive), OURS)
        self.assertEqual(len(asked), 2)

    def test_without_an_offer_not_a_byte_differs(self) -> None:
        fields = (
            b'"peer_id":"alice@CIC","version":"1.0","features":["ack","metrics"],"ttl":1,'
            b'"agent":"p2pchat/1"}\n'
        )
        self.assertEqual(encode(session(Role.DIALLER).hello()), b'{"type":"HELLO",' + fields)
        # nor does it for a legacy dialler, whatever there is to offer
        for offer, agent in ((offer_nothing, b"p2pchat/9"), (lambda: OURS, None)):
            listener = session(Role.LISTENER, offer)
            said = b',"agent":"%s"' % agent if agent else b""
            listener.receive(b'{"type":"HELLO","peer_id":"bob@CIC"' + said + b"}")
            self.assertEqual(encode(listener.accept()), b'{"type":"HELLO_OK",' + fields)


class Reports(ChatCase):
    """What a node's owner is told."""

    def modern(self, name: str = "bob", **options: Any) -> ScriptedPeer:
        peer = self.legacy(name, **options)
        peer.introduction |= MODERN
        return peer

    def assert_offered(self, node: ChatNode, *hosts: str) -> None:
        self.assertEqual(node.offered, [(host, ArchiveOffer(**THEIRS)) for host in hosts])

    def test_two_nodes_tell_each_other(self) -> None:
        alice, bob = self.node("alice"), self.node("bob")
        alice.offer, bob.offer = OURS, ArchiveOffer(1, 0, "")
        self.dial(alice, bob)
        self.assertEqual(alice.offered, [("10.0.0.2", bob.offer)])
        self.assertEqual(bob.offered, [("10.0.0.1", OURS)])

    def test_one_without_an_archive_tells_nothing(self) -> None:
        alice, bob = self.node("alice"), self.node("bob")
        bob.offer = OURS
        self.dial(alice, bob)
        self.assertEqual((alice.offered, bob.offered), ([("10.0.0.2", OURS)], []))

    def test_each_handshake_tells_the_latest(self) -> None:
        node = self.node()
        for height in (1, 2):
            node.offer = ArchiveOffer(51511, height, TIP)
            for link in (self.dialled_by(node, self.modern(f"in{height}")), self.dials(node)):
                self.assertEqual(link.lines[0].message["archive"]["height"], height)

    def dials(self, node: ChatNode) -> ScriptedLink:
        peer = self.legacy(f"out{len(self.peers)}")
        self.dial(node, peer)
        return peer.link

    def test_once_for_each_link_that_comes_up(self) -> None:
        node, peer = self.node(), self.modern()
        link = self.dialled_by(node, peer)
        link.send(type="SEND", msg_id="1", payload="hi")
        link.say_hello_ok()
        self.run_for(60)
        self.assert_offered(node, "10.0.1.1")
        link.close()
        self.dialled_by(node, peer)
        self.assert_offered(node, "10.0.1.1", "10.0.1.1")

    def test_the_owner_is_told_once_the_peer_is_up(self) -> None:
        node, peer = self.node(), self.modern()
        seen: list[tuple[int, int]] = []
        node.listener = lambda event: seen.append((len(node.connected), len(node.offered)))
        self.dialled_by(node, peer)
        self.assertEqual(seen, [(1, 0)])
        self.assert_offered(node, "10.0.1.1")

    def test_a_malformed_field_costs_no_link(self) -> None:
        node = self.node()
        for archive in MALFORMED:
            peer = self.modern(listens=False)
            link = peer.dial(node.address, hello=False)
            self.run_for(0.01)
            link.write(introduction("HELLO", archive) + b"\n")
            self.run_for(0.2)
            self.assertEqual((link.types, link.lost), (["HELLO_OK", "PING"], None), archive[:80])
            link.send(type="BYE", msg_id="1")
            self.run_for(3)
        self.assertEqual(node.offered, [])

    def test_legacy_peers_neither_tell_nor_are_told_more_than_they_ignore(self) -> None:
        node = self.node()
        node.offer = OURS
        for peer in (self.legacy("old"), self.legacy("older")):
            peer.introduction["archive"] = THEIRS
        old, older = self.peers
        self.assertNotIn("archive", self.dialled_by(node, old).lines[0].message)
        self.dial(node, older)
        self.assertEqual(node.connected, ["old@CIC", "older@CIC"])
        self.assertEqual(node.offered, [])

    def test_a_refused_link_is_not_reported(self) -> None:
        node, honest = self.node("zed"), self.modern("amy")
        self.dial(node, honest)
        self.run_for(SIMULTANEOUS)
        impostor = self.modern("amy", listens=False)
        link = impostor.dial(node.address)
        self.run_for(2 * PROBE_TIMEOUT)
        self.assertEqual(link.types, ["HELLO_REJECT", "BYE"])
        self.assert_offered(node, "10.0.1.1")

    def test_nor_is_one_in_our_own_name_or_in_one_that_was_not_dialled(self) -> None:
        node, eve = self.node(), self.modern("eve")
        own = self.dialled_by(node, self.modern("alice"))
        node.chat.discovered([(PeerId("bob@CIC"), eve.address)])
        self.run_for(3)
        self.assertIn("BYE", own.types)
        self.assertIn("BYE", eve.links[0].types)
        self.assertEqual(node.offered, [])

    def test_a_link_that_waits_for_an_older_one_is_reported_when_it_is_let_in(self) -> None:
        node, crashed = self.node("zed"), self.legacy("amy")
        self.dial(node, crashed)
        self.run_for(SIMULTANEOUS)
        crashed.link.answers.clear()
        self.modern("amy", listens=False).dial(node.address)
        self.run_for(PROBE_TIMEOUT / 2)
        self.assert_offered(node)
        self.run_for(PROBE_TIMEOUT)
        self.assert_offered(node, "10.0.1.2")

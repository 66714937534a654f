"""Bad input costs its sender, and nobody else: each time a link beside it goes on."""

import json
from collections.abc import Callable

from tests.chat.cases import ChatCase
from tests.chat.scripted import ScriptedLink
from tests.chat.test_codec import FIELDS, WRONG, valid

Attack = Callable[[ScriptedLink], None]


class BadInput(ChatCase):
    def setUp(self) -> None:
        super().setUp()
        self.alice = self.node()
        self.bob = self.legacy()
        self.witness = self.dialled_by(self.alice, self.bob)

    def attack(self, attack: Attack, *, hello: bool) -> ScriptedLink:
        """Attack from a new connection, behind its HELLO or instead of it, and check the rest."""
        mallory = self.legacy(f"mallory{len(self.peers)}", listens=False)
        link = mallory.dial(self.alice.address, hello=hello)
        self.run_for(0.2)
        attack(link)
        self.run_for(2)
        self.check_witness()
        return link

    def check_witness(self) -> None:
        """Check that messages on the link beside still go both ways."""
        self.assertIsNone(self.witness.lost)
        count = len(self.witness.got("ACK"))
        self.witness.send(type="SEND", msg_id=f"{self.world.now}", payload="still here?")
        msg_id = self.alice.sends(self.bob, "yes")
        self.run_for(0.5)
        self.assertEqual(len(self.witness.got("ACK")), count + 1)
        self.assertEqual(self.alice.states(msg_id), ["queued", "sent", "delivered"])

    def assert_turned_away(self, link: ScriptedLink, *, named: bool = False) -> None:
        """Check that the sender was told a reason, and the link closed; with a BYE if `named`."""
        self.assertEqual(link.types, ["HELLO_REJECT", "BYE"] if named else ["HELLO_REJECT"])
        reason = link.lines[-1].message["reason"]
        self.assertTrue(reason)
        self.assertTrue(reason.isprintable())
        self.assertTrue(link.node_end.closed)

    GARBAGE = (
        b"GET / HTTP/1.1\r\nHost: alice\r\n\r\n",
        bytes(range(256)) + b"\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n",
        b"null\n",
        b"[]\n",
        b'"HELLO"\n',
        b'{"type":"HELLO"}\n',
        b'{"type":"HELLO","peer_id":NaN}\n',
        b'{"type":"HELLO","peer_id":Infinity}\n',
        b'{"type":"HELLO","peer_id":"m@CIC","ttl":NaN}\n',
        b"[" * 15_000 + b"\n",
        b"[" * 15_000 + b"]" * 15_000 + b"\n",
        b'{"type":"HELLO","peer_id":' + b"[" * 15_000 + b"]" * 15_000 + b"}\n",
        b'{"a":' * 5_000 + b"1" + b"}" * 5_000 + b"\n",
        b'{"type":"HELLO","peer_id":"\\ud800@CIC"}\n',
        b'{"type":"HELLO","peer_id":"\xff\xfe@CIC"}\n',
    )

    def test_garbage_instead_of_hello(self) -> None:
        for garbage in self.GARBAGE:
            self.assert_turned_away(self.attack(lambda link: link.write(garbage), hello=False))  # noqa: B023
        self.assertEqual(self.alice.connected, ["bob@CIC"])

    def test_garbage_behind_hello_is_survived_and_its_sender_still_understood(self) -> None:
        for garbage in self.GARBAGE:
            link = self.attack(lambda link: link.write(garbage), hello=True)  # noqa: B023
            self.assertIsNone(link.lost, garbage[:40])
            link.send(type="PING", msg_id="after")
            self.run_for(0.1)
            self.assertEqual(link.got("PONG")[-1]["msg_id"], "after")

    def test_much_garbage_is_not(self) -> None:
        link = self.attack(lambda link: link.write(b"garbage\n" * 100), hello=True)
        self.assertEqual(link.types[-1], "BYE")
        self.assertTrue(link.node_end.closed)

    def test_a_megabyte_without_newline(self) -> None:
        for hello in (False, True):
            link = self.attack(lambda link: link.write(b"x" * 1_000_000), hello=hello)
            self.assertIn("32768", link.lines[-1].message["reason"])
            self.assertTrue(link.node_end.closed)

    def test_a_megabyte_without_newline_in_small_pieces(self) -> None:
        def attack(link: ScriptedLink) -> None:
            for _ in range(1000):
                link.write(b"x" * 1000)

        self.assertTrue(self.attack(attack, hello=True).node_end.closed)

    def test_a_wrong_type_in_every_field_of_hello(self) -> None:
        for field, what in FIELDS["HELLO"].items():
            for wrong in WRONG[what][:1]:
                line = json.dumps({**valid("HELLO"), field: wrong}).encode() + b"\n"
                self.assert_turned_away(self.attack(lambda link: link.write(line), hello=False))  # noqa: B023

    def test_a_wrong_type_in_every_field_of_everything_else(self) -> None:
        for kind in FIELDS.keys() - {"HELLO", "HELLO_OK", "HELLO_REJECT"}:
            lines = [
                json.dumps({**valid(kind), field: WRONG[what][0]}).encode() + b"\n"
                for field, what in FIELDS[kind].items()
            ]
            link = self.attack(lambda link: link.write(b"".join(lines)), hello=True)  # noqa: B023
            self.assertIsNone(link.lost, kind)
            self.assertEqual(set(link.types), {"HELLO_OK", "PING"}, kind)

    def test_our_own_name(self) -> None:
        link = self.attack(lambda link: link.say_hello(peer_id="alice@CIC"), hello=False)
        self.assert_turned_away(link, named=True)

    def test_the_name_of_one_who_is_here(self) -> None:
        link = self.attack(lambda link: link.say_hello(peer_id="bob@CIC"), hello=False)
        self.assert_turned_away(link, named=True)
        self.assertEqual(link.lines[-1].message["reason"], "duplicate")

    def test_hello_twice(self) -> None:
        link = self.attack(lambda link: link.say_hello(peer_id="bob@CIC"), hello=True)
        self.assertEqual(set(self.alice.connected), {"bob@CIC", link._peer.peer_id})

    def test_hello_never(self) -> None:
        link = self.attack(lambda link: self.run_for(5), hello=False)
        self.assert_turned_away(link)

    def test_only_blank_lines(self) -> None:
        link = self.attack(lambda link: link.write(b"\n\r\n \n" * 30), hello=True)
        self.assertIsNone(link.lost)
        link = self.attack(lambda link: link.write(b"\n" * 100_000), hello=True)
        self.assertEqual(link.lines[-1].message["reason"], "blank lines")
        self.assertTrue(link.node_end.closed)
        link = self.attack(lambda link: link.write(b"\n" * 1000), hello=False)
        self.run_for(5)
        self.assert_turned_away(link)

    def test_a_flood_of_hellos_under_many_names(self) -> None:
        for number in range(100):
            peer = self.legacy(f"flood{number}", listens=False, ip="10.0.7.7")
            peer.dial(self.alice.address)
        self.run_for(1)
        self.check_witness()

    def test_a_connection_that_is_gone_before_it_was_answered(self) -> None:
        for cut in (True, False):
            self.attack(lambda link: link.transport.cut() if cut else link.close(), hello=True)  # noqa: B023
        self.assertEqual(self.alice.connected, ["bob@CIC"])

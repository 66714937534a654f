"""Rule 2.7: the peer is what the link's HELLO said; nobody takes the name of one who is there."""

from p2pchat.chat.switchboard import PROBE_TIMEOUT
from p2pchat.events import MessageReceived, PeerDown, PeerUp
from tests.chat.cases import ChatCase


class Names(ChatCase):
    def setUp(self) -> None:
        super().setUp()
        self.alice = self.node()

    def test_rule_07_a_src_that_says_otherwise_is_shown_as_the_links_peer(self) -> None:
        link = self.dialled_by(self.alice, self.legacy())
        link.send(type="SEND", msg_id="1", src="eve@CIC", payload="hi")
        link.send(type="PUB", msg_id="2", src="eve@CIC", dst="*", payload="hi")
        self.run_for(0.1)
        sources = [event.source for event in self.alice.reported(MessageReceived)]
        self.assertEqual(sources, ["bob@CIC", "bob@CIC"])

    def test_rule_07_hello_with_our_own_name_is_refused(self) -> None:
        link = self.dialled_by(self.alice, self.legacy("alice"))
        self.assertEqual(link.types, ["HELLO_REJECT", "BYE"])
        self.assertIn("our own name", link.lines[-1].message["reason"])
        self.assertIsNotNone(link.lost)
        self.assertEqual(self.alice.events, [])

    def test_rule_07_hello_ok_with_our_own_name_is_refused(self) -> None:
        bob = self.legacy()
        bob.introduction["peer_id"] = "alice@CIC"
        self.dial(self.alice, bob)
        self.assertEqual(bob.link.types, ["HELLO", "BYE"])
        self.assertEqual(self.alice.events, [])

    def test_rule_07_hello_ok_must_name_the_peer_that_was_dialled(self) -> None:
        bob = self.legacy()
        bob.introduction["peer_id"] = "eve@CIC"
        self.dial(self.alice, bob)
        self.assertEqual(bob.link.types, ["HELLO", "BYE"])
        self.assertIn("answered instead", bob.link.lines[-1].message["reason"])
        self.run_for(100)
        self.assertEqual(len(self.world.dials), 1, "dialling again would find the same one")

    def test_rule_07_a_name_that_is_none_is_refused(self) -> None:
        for number, name in enumerate(["", "bob", "@CIC", "b\x1bb@CIC", "x" * 65 + "@CIC"]):
            peer = self.legacy(str(number))
            peer.introduction["peer_id"] = name
            link = self.dialled_by(self.alice, peer)
            self.assertEqual(link.types, ["HELLO_REJECT"], name)
            self.assertTrue(link.lines[-1].message["reason"].isprintable())


class SecondLinkOfOneName(ChatCase):
    def setUp(self) -> None:
        super().setUp()
        self.alice = self.node()
        self.bob = self.legacy()
        self.old = self.dialled_by(self.alice, self.bob)
        self.impostor = self.legacy("bob", listens=False)

    def test_rule_07_the_old_link_is_probed_and_the_new_one_refused_if_it_answers(self) -> None:
        pings = len(self.old.got("PING"))
        new = self.impostor.dial(self.alice.address)
        self.run_for(0.5)
        self.assertEqual(len(self.old.got("PING")), pings + 1)
        self.assertEqual(new.types, ["HELLO_REJECT", "BYE"])
        self.assertEqual(new.lines[0].message["reason"], "duplicate")
        self.assertEqual(new.lines[1].message["reason"], "duplicate")
        self.assertIsNotNone(new.lost)
        self.assertIsNone(self.old.lost)
        self.assertEqual(len(self.alice.reported(PeerUp)), 1)

    def test_rule_07_the_new_link_replaces_an_old_one_that_fails_a_ping(self) -> None:
        self.old.answers.clear()
        new = self.impostor.dial(self.alice.address)
        self.run_for(PROBE_TIMEOUT - 0.01)
        self.assertEqual(new.types, [])
        self.run_for(0.2)
        self.assertEqual(new.types, ["HELLO_OK", "PING"])
        self.assertEqual(self.old.types[-1], "BYE")
        self.run_for(3)
        self.assertIsNotNone(self.old.lost)
        self.assertEqual(self.alice.connected, ["bob@CIC"])

    def test_rule_07_an_old_link_that_was_not_asked_yet_stays(self) -> None:
        """The PING waits behind a SEND that has no ACK yet: its peer may only be slow (2.2)."""
        self.old.answers.clear()
        first = self.alice.sends(self.bob, "1")
        second = self.alice.sends(self.bob, "2")
        self.run_for(0.1)
        new = self.impostor.dial(self.alice.address)
        self.run_for(PROBE_TIMEOUT + 0.5)
        self.assertEqual(new.types, ["HELLO_REJECT", "BYE"])
        self.run_for(2.6)  # now its ACK is overdue
        self.assertEqual(self.alice.states(first), ["queued", "sent"])
        new = self.impostor.dial(self.alice.address)
        self.run_for(PROBE_TIMEOUT + 0.5)
        self.assertEqual([m["msg_id"] for m in new.got("SEND")], [first, second])
        self.assertEqual(self.alice.states(second)[-1], "delivered")

    def test_rule_07_a_sign_of_life_does_not_last_for_ever(self) -> None:
        """It spoke once while it could not be asked, and then fell silent."""
        self.old.answers.clear()
        self.alice.sends(self.bob, "1")
        self.run_for(0.1)
        self.impostor.dial(self.alice.address)
        self.run_for(PROBE_TIMEOUT + 0.5)
        self.old.send(type="PUB", msg_id="1", dst="*", payload="busy")
        self.run_for(2)
        for expected in ("HELLO_REJECT", "HELLO_OK"):
            new = self.impostor.dial(self.alice.address)
            self.run_for(PROBE_TIMEOUT + 0.5)
            self.assertEqual(new.types[0], expected)
            self.run_for(4)

    def test_rule_07_an_old_link_that_says_anything_lives(self) -> None:
        self.old.answers.clear()
        new = self.impostor.dial(self.alice.address)
        self.run_for(1)
        self.old.send(type="SEND", msg_id="1", payload="busy, not dead")
        self.run_for(PROBE_TIMEOUT)
        self.assertEqual(new.types, ["HELLO_REJECT", "BYE"])
        self.assertIsNone(self.old.lost)

    def test_rule_07_an_old_link_that_goes_while_it_is_probed_makes_room(self) -> None:
        self.old.answers.clear()
        new = self.impostor.dial(self.alice.address)
        self.run_for(0.5)
        self.old.transport.cut()
        self.run_for(0.2)
        self.assertEqual(new.types[0], "HELLO_OK")
        self.assertEqual(self.alice.connected, ["bob@CIC"])

    def test_rule_07_a_new_link_that_goes_while_it_waits_changes_nothing(self) -> None:
        self.old.answers.clear()
        new = self.impostor.dial(self.alice.address)
        self.run_for(0.5)
        new.transport.cut()
        self.old.answers.add("SEND")
        self.run_for(PROBE_TIMEOUT + 1)
        self.assertIsNone(self.old.lost)
        self.assertEqual(self.alice.reported(PeerDown), [])

    def test_rule_07_a_third_link_meanwhile_is_refused_at_once(self) -> None:
        self.old.answers.clear()
        second = self.impostor.dial(self.alice.address)
        self.run_for(0.5)
        third = self.impostor.dial(self.alice.address)
        self.run_for(0.2)
        self.assertEqual(third.types, ["HELLO_REJECT", "BYE"])
        self.run_for(PROBE_TIMEOUT)
        self.assertEqual(second.types[0], "HELLO_OK")

    def test_rule_07_what_the_waiting_link_says_is_not_lost(self) -> None:
        self.old.answers.clear()
        new = self.impostor.dial(self.alice.address)
        self.run_for(0.5)
        new.send(type="SEND", msg_id="1", payload="early")
        self.run_for(PROBE_TIMEOUT + 1)
        self.assertEqual(self.alice.texts, ["early"])
        self.assertEqual([m["msg_id"] for m in new.got("ACK")], ["1"])


class LittleRoom(ChatCase):
    def test_rule_07_what_found_no_room_on_the_old_link_goes_behind_what_did(self) -> None:
        alice, bob = self.node(limits={"queue_messages": 2}), self.legacy()
        self.dialled_by(alice, bob).answers.clear()
        ids = [alice.sends(bob, str(number)) for number in range(6)]
        self.run_for(0.1)
        again = self.legacy("bob", listens=False)
        again.dial(alice.address)
        self.run_for(PROBE_TIMEOUT + 3.1)
        new = again.dial(alice.address)
        self.run_for(PROBE_TIMEOUT + 1)
        self.assertEqual([m["msg_id"] for m in new.got("SEND")], ids)

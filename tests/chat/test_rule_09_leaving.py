"""Rule 2.9: BYE, wait a second for BYE_OK, close; who said BYE is not dialled by backoff."""

import json

from p2pchat.chat.switchboard import PROBE_TIMEOUT
from p2pchat.events import PeerDown
from tests.at_once import at_once
from tests.chat.cases import ChatCase
from tests.chat.scripted import ScriptedLink
from tests.chat.slow_history import SlowHistory

LONG = 120.0


class Goodbye(ChatCase):
    def setUp(self) -> None:
        super().setUp()
        self.alice, self.bob = self.node(), self.legacy()

    def up(self) -> ScriptedLink:
        self.dial(self.alice, self.bob)
        return self.bob.link

    def test_rule_09_bye_then_bye_ok_then_the_link_closes(self) -> None:
        link = self.up()
        self.alice.leaves()
        self.run_for(0.1)
        bye = link.lines[-1].message
        self.assertEqual((bye["type"], bye["src"], bye["dst"]), ("BYE", "alice@CIC", "bob@CIC"))
        self.assertIsInstance(bye["msg_id"], str)
        self.assertIsInstance(bye["reason"], str)
        self.assertIsNotNone(link.lost)
        assert self.alice.left is not None
        self.successResultOf(self.alice.left)
        self.assertEqual(self.world.clock.getDelayedCalls(), [])

    def test_rule_09_without_bye_ok_the_link_closes_after_a_second(self) -> None:
        link = self.up()
        link.answers.discard("BYE")
        self.alice.leaves()
        self.run_for(0.9)
        self.assertIsNone(link.lost)
        self.run_for(0.2)
        self.assertIsNotNone(link.lost)

    def test_rule_09_every_link_gets_a_bye(self) -> None:
        links = [self.up(), *(self.dialled_by(self.alice, self.legacy(n)) for n in ("eve", "joe"))]
        self.alice.leaves()
        self.run_for(0.1)
        self.assertEqual([link.types[-1] for link in links], ["BYE"] * 3)

    def test_rule_09_who_said_nothing_yet_gets_no_bye_but_is_told(self) -> None:
        link = self.bob.dial(self.alice.address, hello=False)
        self.run_for(0.1)
        self.alice.leaves()
        self.run_for(0.1)
        self.assertEqual([line.message["reason"] for line in link.lines], ["leaving"])
        self.assertEqual(link.types, ["HELLO_REJECT"])
        self.assertIsNotNone(link.lost)

    def test_rule_09_who_was_dialled_and_has_not_answered_gets_a_bye(self) -> None:
        self.bob.answers.discard("HELLO")
        link = self.up()
        self.alice.leaves()
        self.run_for(0.1)
        self.assertEqual([bye["dst"] for bye in link.got("BYE")], ["bob@CIC"])

    def test_rule_09_who_is_turned_away_is_said_bye_to_by_the_name_it_gave(self) -> None:
        eve = self.legacy("eve")
        eve.introduction["peer_id"] = "alice@CIC"
        link = self.dialled_by(self.alice, eve)
        self.assertEqual([bye["dst"] for bye in link.got("BYE")], ["alice@CIC"])

    def test_rule_09_messages_heard_while_we_leave_are_shown(self) -> None:
        link = self.up()
        link.answers.discard("BYE")
        self.alice.leaves()
        self.run_for(0.1)
        link.send(type="SEND", msg_id="1", payload="wait!")
        self.run_for(2)
        self.assertEqual(self.alice.texts, ["wait!"])

    def test_rule_09_bye_is_answered_and_bye_ok_never_sent_unasked(self) -> None:
        link = self.up()
        self.run_for(LONG)
        self.assertEqual(link.got("BYE_OK"), [])
        link.send(type="BYE", msg_id="7", src="bob@CIC", dst="alice@CIC", reason="tired")
        self.run_for(0.1)
        (answer,) = link.got("BYE_OK")
        self.assertEqual(answer["msg_id"], "7")
        self.assertEqual((answer["src"], answer["dst"]), ("alice@CIC", "bob@CIC"))
        self.assertEqual(link.types[-1], "BYE_OK")
        self.assertIsNotNone(link.lost)

    def test_rule_09_a_bye_ok_that_nobody_asked_for_is_harmless(self) -> None:
        link = self.up()
        link.send(type="BYE_OK", msg_id="7")
        self.run_for(1)
        self.assertIsNone(link.lost)

    def test_rule_09_who_said_bye_is_not_dialled_by_backoff(self) -> None:
        link = self.up()
        link.send(type="BYE", msg_id="7", reason="tired")
        self.run_for(LONG)
        self.assertEqual(len(self.world.dials), 1)
        (down,) = self.alice.reported(PeerDown)
        self.assertIn("tired", down.reason)
        self.assertEqual(self.alice.state_of(self.bob), "known")

    def test_rule_09_but_once_each_time_that_discovery_shows_it(self) -> None:
        link = self.up()
        link.send(type="BYE", msg_id="7", reason="tired")
        self.bob.stop_listening()
        self.run_for(LONG)
        for times in (2, 3):
            self.alice.discovers(self.bob)
            self.run_for(LONG)
            self.assertEqual(len(self.world.dials), times)
        self.bob.listen()
        self.alice.discovers(self.bob)
        self.run_for(3)
        self.assertEqual(self.alice.connected, ["bob@CIC"])

    def test_rule_09_two_nodes_that_leave_at_once(self) -> None:
        carl = self.node("carl")
        self.dial(self.alice, carl)
        self.alice.leaves()
        carl.leaves()
        self.run_for(0.1)
        for node in (self.alice, carl):
            assert node.left is not None
            self.successResultOf(node.left)


class SlowDisk(ChatCase):
    """What was said before a link ends is acknowledged, if the disk takes it in time."""

    def setUp(self) -> None:
        super().setUp()
        self.history = SlowHistory()
        self.alice = self.node(history=self.history)
        self.link = self.dialled_by(self.alice, self.legacy())
        self.history.held = True

    def test_rule_09_a_message_and_bye_in_one_read(self) -> None:
        said = {"type": "SEND", "msg_id": "1", "payload": "hi"}, {"type": "BYE", "msg_id": "2"}
        self.link.write(b"".join(json.dumps(line).encode() + b"\n" for line in said))
        self.run_for(0.5)
        self.history.commit()
        self.run_for(0.5)
        self.assertEqual(self.link.types[-2:], ["ACK", "BYE_OK"])
        self.assertEqual(self.alice.texts, ["hi"])

    def test_rule_09_we_leave_when_it_is_acknowledged(self) -> None:
        self.link.send(type="SEND", msg_id="1", payload="hi")
        self.run_for(0.1)
        self.alice.leaves()
        self.run_for(0.5)
        self.history.commit()
        self.run_for(0.5)
        self.assertEqual(self.link.types[-2:], ["ACK", "BYE"])
        assert self.alice.left is not None
        self.successResultOf(self.alice.left)

    def test_rule_09_a_disk_that_never_answers_holds_us_up_for_a_second(self) -> None:
        self.link.send(type="SEND", msg_id="1", payload="hi")
        self.run_for(0.1)
        self.link.answers.discard("BYE")
        self.alice.leaves()
        self.run_for(3.0)
        assert self.alice.left is not None
        self.successResultOf(self.alice.left)
        self.assertEqual((self.link.types[-1], self.link.got("ACK")), ("BYE", []))


class Leave(ChatCase):
    """leave() of the whole service: bounded, and nothing stays behind."""

    def test_rule_09_it_ends_within_its_bound_whatever_the_peers_do(self) -> None:
        node = self.node()
        deaf = self.dialled_by(node, self.legacy("deaf"))
        stuck = self.dialled_by(node, self.legacy("stuck"))
        silent = self.legacy("silent").dial(node.address, hello=False)
        mute = self.legacy("mute", answers=())
        node.discovers(mute)
        self.run_for(2.1)
        deaf.answers.clear()
        stuck.stop_reading()
        node.leaves()
        self.run_for(2.1)
        assert node.left is not None
        self.successResultOf(node.left)
        self.run_for(0.1)
        self.assertEqual(self.world.clock.getDelayedCalls(), [])
        for link in (deaf, stuck, silent, mute.link):
            self.assertTrue(link.node_end.closed)

    def test_rule_09_with_a_dial_under_way_and_one_waiting_to_begin(self) -> None:
        node, far, next_one = self.node(), self.legacy("far"), self.legacy("next")
        self.world.black_holes.add(far.address)
        node.discovers(far)
        self.run_for(2.1)
        node.discovers(next_one)
        self.assertEqual(len(self.world.dials), 1)
        node.leaves()
        assert node.left is not None
        self.successResultOf(node.left)
        self.assertEqual(self.world.clock.getDelayedCalls(), [])
        self.assertEqual(next_one.links, [])

    def test_rule_09_with_a_redial_waiting(self) -> None:
        node, bob = self.node(), self.legacy()
        self.dial(node, bob)
        bob.stop_listening()
        bob.link.transport.cut()
        self.run_for(4)
        node.leaves()
        self.assertEqual(self.world.clock.getDelayedCalls(), [])

    def test_rule_09_with_a_probe_under_way(self) -> None:
        node = self.node()
        old = self.dialled_by(node, self.legacy())
        old.answers.clear()
        new = self.legacy("bob", listens=False, answers=()).dial(node.address)
        self.run_for(PROBE_TIMEOUT - 0.5)
        node.leaves()
        self.run_for(3)
        self.assertEqual(self.world.clock.getDelayedCalls(), [])
        self.assertEqual(new.types, ["BYE"])

    def test_rule_09_what_is_still_under_way_stays_stored_and_has_not_failed(self) -> None:
        node, bob = self.node(), self.legacy()
        self.dial(node, bob)
        bob.link.answers.discard("SEND")
        known = self.legacy("known")
        node.discovers(known)
        waiting, sent, queued = node.sends(known, "1"), node.sends(bob, "2"), node.sends(bob, "3")
        self.run_for(0.1)
        node.leaves()
        self.run_for(3)
        self.assertEqual(node.states(waiting), ["queued"])
        self.assertEqual(node.states(sent), ["queued", "sent"])
        self.assertEqual(node.states(queued), ["queued"])
        stored = [entry.msg_id for entry in at_once(node.history.outbox())]
        self.assertEqual(stored, [waiting, sent, queued])

    def test_rule_09_nobody_comes_in_any_more(self) -> None:
        node, bob = self.node(), self.legacy()
        node.leaves()
        link = bob.dial(node.address)
        self.run_for(1)
        self.assertIsNone(link.transport, "the connection was refused")

    def test_rule_09_without_any_link_it_is_done_at_once(self) -> None:
        node = self.node()
        node.leaves()
        assert node.left is not None
        self.successResultOf(node.left)

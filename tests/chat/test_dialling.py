"""Dialling peers again: the exact pauses, when they begin anew, and when they end."""

import itertools
from datetime import UTC, datetime
from typing import Any

from p2pchat.chat.contacts import SLICE
from p2pchat.history import KnownPeer
from p2pchat.identity import Address, PeerId
from tests.chat.cases import ChatCase, ChatNode
from tests.chat.scripted import ScriptedPeer
from tests.chat.world import Dial

EARLIER = datetime(2025, 1, 1, tzinfo=UTC)


class Backoff(ChatCase):
    def known(self, **sections: Any) -> tuple[ChatNode, ScriptedPeer]:
        """Return a node and a peer that it knows of and that can't be reached."""
        return self.node(**sections), self.legacy(listens=False)

    def assert_pauses(self, expected: list[float], dials: list[Dial]) -> None:
        """Check the pauses between dials: each as expected but for a jitter of 10 %."""
        pauses = [b.time - a.time for a, b in itertools.pairwise(dials)]
        self.assertEqual(len(pauses), len(expected), pauses)
        for pause, base in zip(pauses, expected, strict=True):
            self.assertGreaterEqual(pause, base * 0.9)
            self.assertLessEqual(pause, base * 1.1 + 0.01)

    def test_the_pauses_double_from_two_seconds_and_then_it_is_stale(self) -> None:
        node, peer = self.known()
        node.discovers(peer)
        self.run_for(2)
        self.assertEqual(node.state_of(peer), "connecting")
        self.run_for(500)
        self.assert_pauses([2, 4, 8, 16, 32], self.world.dials)
        self.assertEqual(node.state_of(peer), "stale")

    def test_in_vain_it_is_told_once_that_the_peer_may_have_moved(self) -> None:
        node, peer = self.known()
        node.discovers(peer)
        self.assertEqual(node.moves, 0)
        self.run_for(500)
        self.assertEqual(node.moves, 1)
        for moves, port in ((1, peer.address.port), (2, 4444)):  # stale, and then found elsewhere
            peer.address = peer.address._replace(port=port)
            node.discovers(peer)
            self.run_for(500)
            self.assertEqual(node.moves, moves)

    def test_who_was_known_before_gets_all_attempts_when_it_is_found_too(self) -> None:
        for found in (False, True):
            node, peer = self.known()
            earlier = len(self.world.dials)
            node.chat.remember([KnownPeer(peer.peer_id, (peer.address,), EARLIER)])
            if found:
                node.discovers(peer)
            self.run_for(500)
            self.assertEqual(len(self.world.dials) - earlier, 6 if found else 1)
            self.assertEqual(node.moves, int(found))

    def test_the_pauses_have_jitter(self) -> None:
        node, peer = self.known()
        node.discovers(peer)
        self.run_for(500)
        times = [dial.time for dial in self.world.dials]
        shares = {(b - a) / 2**n for n, (a, b) in enumerate(itertools.pairwise(times), 1)}
        self.assertEqual(len(shares), 5)
        self.assertGreater(max(shares) - min(shares), 0.01)

    def test_base_maximum_and_attempts_come_from_the_configuration(self) -> None:
        node, peer = self.known(
            connection={
                "reconnect_backoff_base": 3,
                "reconnect_backoff_max": 20,
                "max_reconnect_attempts": 4,
            }
        )
        node.discovers(peer)
        self.run_for(500)
        self.assert_pauses([3, 9, 20, 20], self.world.dials)

    def test_no_attempts_configured_means_one_dial(self) -> None:
        node, peer = self.known(connection={"max_reconnect_attempts": 0})
        node.discovers(peer)
        self.run_for(500)
        self.assertEqual(len(self.world.dials), 1)
        self.assertEqual(node.state_of(peer), "stale")

    def test_a_handshake_resets_the_pauses(self) -> None:
        node, peer = self.known()
        node.discovers(peer)
        self.run_for(10)
        peer.listen()
        self.run_for(20)
        self.assertEqual(node.connected, [peer.peer_id])
        peer.stop_listening()
        before = len(self.world.dials)
        lost_at = self.world.now
        peer.link.transport.cut()
        self.run_for(500)
        dials = self.world.dials[before:]
        self.assertApproximates(dials[0].time - lost_at, 2.0, 0.25)
        self.assert_pauses([4, 8, 16, 32], dials)
        self.assertEqual(node.state_of(peer), "stale")

    def test_a_connection_without_a_handshake_resets_nothing(self) -> None:
        node, peer = self.node(), self.legacy(answers=())
        node.discovers(peer)
        self.run_for(500)
        silence = 5  # each connection is given up after the handshake timeout
        pauses = [silence + pause for pause in (2, 4, 8, 16, 32)]
        dials = self.world.dials
        self.assertEqual(len(dials), len(pauses) + 1)
        for before, after, pause in zip(dials, dials[1:], pauses, strict=False):
            self.assertApproximates(after.time - before.time, pause, 0.1 * pause)
        self.assertEqual(node.state_of(peer), "stale")

    def test_a_link_that_we_accepted_and_lost_is_dialled_by_backoff(self) -> None:
        node, peer = self.node(), self.legacy()
        link = self.dialled_by(node, peer)
        node.discovers(peer)
        peer.stop_listening()
        before = len(self.world.dials)
        link.transport.cut()
        self.run_for(500)
        self.assert_pauses([2, 4, 8, 16, 32], self.world.dials[before:])

    def test_a_peer_that_only_dialled_us_can_not_be_dialled(self) -> None:
        node, peer = self.node(), self.legacy()
        link = self.dialled_by(node, peer)
        link.transport.cut()
        self.run_for(500)
        self.assertEqual(len(self.world.dials), 1)


class ManyShown(ChatCase):
    """Discovery shows more peers than can be looked at without keeping others waiting."""

    def shown(self, count: int) -> list[tuple[PeerId, Address]]:
        return [(PeerId(f"{number}@CIC"), Address("10.0.9.9", 4000)) for number in range(count)]

    def known(self, node: ChatNode) -> int:
        return len(node.chat.known_ids())

    def test_the_first_are_noted_at_once_and_the_others_in_turns(self) -> None:
        node = self.node()
        node.chat.discovered(self.shown(2 * SLICE + 1))
        self.assertEqual(self.known(node), SLICE)
        self.run_for(0)
        self.assertEqual(self.known(node), 2 * SLICE + 1)

    def test_another_list_meanwhile_displaces_none_of_them(self) -> None:
        node = self.node()
        node.chat.discovered(self.shown(2 * SLICE))
        node.chat.discovered([(PeerId("late@CIC"), Address("10.0.9.9", 4000))])
        self.assertIsNotNone(node.chat.find(PeerId("late@CIC")))
        self.run_for(0.1)
        self.assertEqual(self.known(node), 2 * SLICE + 1)

    def test_who_leaves_looks_at_no_more(self) -> None:
        node = self.node()
        node.chat.discovered(self.shown(2 * SLICE))
        node.leaves()
        self.run_for(0.1)
        self.assertEqual(self.known(node), SLICE)


class OnceMore(ChatCase):
    def setUp(self) -> None:
        super().setUp()
        self.alice, self.bob = self.node(), self.legacy(listens=False)
        self.alice.discovers(self.bob)
        self.run_for(500)
        self.assertEqual(self.alice.state_of(self.bob), "stale")
        self.before = len(self.world.dials)

    def test_a_stale_peer_is_left_alone(self) -> None:
        self.run_for(5000)
        self.assertEqual(len(self.world.dials), self.before)

    def test_it_is_dialled_once_each_time_that_discovery_shows_it(self) -> None:
        for times in (1, 2):
            self.alice.discovers(self.bob)
            self.run_for(500)
            self.assertEqual(len(self.world.dials), self.before + times)
            self.assertEqual(self.alice.state_of(self.bob), "stale")

    def test_at_a_new_address_it_gets_all_its_attempts(self) -> None:
        self.bob.address = self.bob.address._replace(port=4444)
        self.alice.discovers(self.bob)
        self.run_for(500)
        to_new = [dial for dial in self.world.dials if dial.address.port == 4444]
        self.assertEqual(len(to_new), 6)

    def test_reconnect_dials_at_once_with_all_attempts(self) -> None:
        self.assertEqual(self.alice.chat.reconnect(), 1)
        self.run_for(0.01)
        self.assertEqual(len(self.world.dials), self.before + 1)
        self.run_for(500)
        self.assertEqual(len(self.world.dials), self.before + 6)

    def test_reconnect_forgives(self) -> None:
        self.bob.listen()
        self.bob.answers.clear()
        self.alice.chat.reconnect()
        self.run_for(0.1)
        self.bob.link.close()
        self.run_for(0.1)
        self.assertEqual(self.alice.state_of(self.bob), "known", "refused is not out of reach")

    def test_once_reached_it_is_not_stale_any_more(self) -> None:
        self.bob.listen()
        self.alice.discovers(self.bob)
        self.run_for(3)
        self.assertEqual(self.alice.connected, ["bob@CIC"])
        self.bob.link.transport.cut()
        self.run_for(1)
        self.assertEqual(self.alice.state_of(self.bob), "connecting")


class Reconnect(ChatCase):
    def test_it_counts_and_dials_who_has_no_link(self) -> None:
        node, here, gone = self.node(), self.legacy("here"), self.legacy("gone")
        self.dial(node, here)
        self.dial(node, gone)
        gone.link.send(type="BYE", msg_id="1")
        self.run_for(1)
        self.assertEqual(node.chat.reconnect(), 1)
        self.run_for(1)
        self.assertEqual(node.connected, ["gone@CIC", "here@CIC"])
        self.assertEqual(len(here.links), 1)

    def test_it_cuts_a_pause_short(self) -> None:
        node, peer = self.node(), self.legacy(listens=False)
        node.discovers(peer)
        self.run_for(40)
        peer.listen()
        node.chat.reconnect()
        self.run_for(0.1)
        self.assertEqual(node.connected, ["bob@CIC"])
        self.run_for(100)
        self.assertEqual(len(peer.links), 1, "the pause that was cut short must not dial as well")

    def test_while_a_handshake_is_under_way_no_second_link_stays(self) -> None:
        node, peer = self.node(), self.legacy(answers={"PING", "SEND", "BYE"})
        node.discovers(peer)
        self.run_for(2.1)
        node.chat.reconnect()
        self.run_for(0.1)
        for link in peer.links:
            link.say_hello_ok()
        self.run_for(10)
        self.assertEqual([link.lost is None for link in peer.links].count(True), 1)
        self.assertEqual(node.connected, ["bob@CIC"])

    def test_a_handshake_that_is_done_late_ends_the_attempts_behind_it(self) -> None:
        node, peer = self.node(), self.legacy(answers={"PING", "SEND", "BYE"})
        node.discovers(peer)
        self.run_for(2.1)
        peer.stop_listening()
        node.chat.reconnect()
        self.run_for(0.5)
        peer.link.say_hello_ok()
        self.run_for(0.1)
        self.assertEqual(node.connected, ["bob@CIC"])
        dials = len(self.world.dials)
        self.run_for(100)
        self.assertEqual(len(self.world.dials), dials)
        peer.link.close()
        self.run_for(1)
        self.assertTrue(node.chat.dialling)
        self.run_for(500)
        self.assertFalse(node.chat.dialling)

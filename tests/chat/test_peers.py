"""The peers we know: their number, their addresses, the link to write to, and which link stays."""

import sys
import tracemalloc
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chat.peers import MAX_ADDRESSES, MAX_STRANGERS, Peer, PeerTable, Verdict, arbitrate
from p2pchat.chat.session import Role
from p2pchat.identity import Address, PeerId

ANN, BOB, EVE = PeerId("ann@CIC"), PeerId("bob@CIC"), PeerId("eve@CIC")
OUT, IN = Role.DIALLER, Role.LISTENER


@dataclass(eq=False)
class FakeLink:
    """What a table asks of a link."""

    role: Role = OUT
    modern: bool = True
    heard_at: float = 0.0
    talking: bool = True
    peer: PeerId | None = BOB


def link(role: Role = OUT, **options: Any) -> Any:
    return FakeLink(role, **options)


class LookedAt(list[Any]):
    """The links of a peer without any; counts how often somebody wants to know."""

    looks = 0

    def __len__(self) -> int:
        LookedAt.looks += 1
        return 0


class Table(SynchronousTestCase):
    def test_the_one_unheard_of_for_longest_makes_room(self) -> None:
        table = PeerTable(2)
        table.meet(ANN, 1.0)
        table.meet(BOB, 2.0)
        table.meet(ANN, 3.0)
        table.meet(EVE, 4.0)
        self.assertEqual([peer.peer_id for peer in table], [ANN, EVE])

    def test_a_peer_with_a_link_never_makes_room(self) -> None:
        table = PeerTable(1)
        table.meet(ANN, 1.0).links.append(link())
        table.meet(BOB, 2.0)
        self.assertIsNotNone(table.get(ANN))

    def test_whoever_is_met_is_in_the_table(self) -> None:
        table = PeerTable(1)
        table.meet(ANN, 1.0).links.append(link())
        bob = table.meet(BOB, 2.0)
        self.assertIs(table.get(BOB), bob, "its link would be of a peer that nobody finds")

    def test_absent_ones_are_forgotten_after_a_while(self) -> None:
        table = PeerTable(9)
        table.meet(ANN, 1.0).links.append(link())
        table.meet(BOB, 2.0)
        table.meet(EVE, 5.0)
        table.forget_absent(before=5.0)
        self.assertEqual([peer.peer_id for peer in table], [ANN, EVE])

    def test_meeting_again_keeps_what_is_known(self) -> None:
        table = PeerTable(2)
        peer = table.meet(ANN, 1.0)
        self.assertIs(table.meet(ANN, 5.0), peer)
        self.assertEqual((peer.last_seen, len(table)), (5.0, 1))

    def test_strangers_make_room_for_each_other_only(self) -> None:
        table = PeerTable(1000)
        table.meet(ANN, 1.0).learn_address(Address("10.0.0.1", 4000))
        table.meet(BOB, 2.0).links.append(link())
        for number in range(MAX_STRANGERS + 50):
            table.meet(PeerId(f"{number}@CIC"), 3.0)
        met = {peer.peer_id for peer in table}
        self.assertEqual(len(met), MAX_STRANGERS + 2)
        self.assertLessEqual({ANN, BOB, "50@CIC", f"{MAX_STRANGERS + 49}@CIC"}, met)

    def test_who_was_shown_later_is_no_stranger_any_more(self) -> None:
        table = PeerTable(1000)
        early = [table.meet(PeerId(f"early{number}@CIC"), 1.0) for number in range(100)]
        for number in range(MAX_STRANGERS - 100):
            table.meet(PeerId(f"late{number}@CIC"), 2.0)
        for peer in early:
            peer.learn_address(Address("10.0.0.1", 4000))
        for number in range(100):
            table.meet(PeerId(f"new{number}@CIC"), 3.0)
        self.assertEqual(len(table), MAX_STRANGERS + 100)

    def test_meeting_one_more_does_not_look_at_all_the_others(self) -> None:
        table = PeerTable(2000)
        for number in range(2000):
            peer = table.meet(PeerId(f"{number}@CIC"), 1.0)
            peer.learn_address(Address("10.0.0.1", 4000))
            peer.links = LookedAt()
        LookedAt.looks = 0
        for number in range(100):
            table.meet(PeerId(f"new{number}@CIC"), 2.0)
        self.assertEqual(len(table), 2000)
        self.assertLess(LookedAt.looks, 1000)

    def test_a_newcomer_costs_no_new_table_of_strangers(self) -> None:
        table = PeerTable(2000)
        for number in range(MAX_STRANGERS):
            table.meet(PeerId(f"{number}@CIC"), 1.0)
        whole = sys.getsizeof(dict.fromkeys(range(MAX_STRANGERS)))
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        table.meet(PeerId("new@CIC"), 2.0)
        _, peak = tracemalloc.get_traced_memory()
        self.assertLess(peak, whole)

    @settings(deadline=None, max_examples=100)
    @given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=60), st.integers(1, 4))
    def test_the_bound_holds_but_for_peers_with_a_link(
        self, meetings: list[tuple[int, bool]], limit: int
    ) -> None:
        table = PeerTable(limit)
        for number, connects in meetings:
            peer = table.meet(PeerId(f"{number}@CIC"), 0.0)
            if connects and not peer.links:
                peer.links.append(link())
            linked = len(table.connected())
            self.assertLessEqual(len(table), max(limit, linked + 1))
            self.assertIs(table.get(peer.peer_id), peer)

    def test_connected_ones_of_all_and_of_one_namespace(self) -> None:
        table = PeerTable(9)
        for name in ("ann@CIC", "bob@UNB", "odd@CIC@UNB"):
            table.meet(PeerId(name), 0.0).links.append(link())
        table.meet(PeerId("eve@CIC"), 0.0)
        names = [peer.peer_id for peer in table.connected()]
        self.assertEqual(names, ["ann@CIC", "bob@UNB", "odd@CIC@UNB"])
        self.assertEqual([peer.peer_id for peer in table.connected("CIC")], ["ann@CIC"])
        names = [peer.peer_id for peer in table.connected("UNB")]
        self.assertEqual(names, ["bob@UNB", "odd@CIC@UNB"])


class OnePeer(SynchronousTestCase):
    def test_the_newest_address_comes_first_and_old_ones_go(self) -> None:
        peer = Peer(BOB)
        for number in range(MAX_ADDRESSES + 1):
            self.assertTrue(peer.learn_address(Address(f"10.0.0.{number}", 1)))
        self.assertEqual(len(peer.addresses), MAX_ADDRESSES)
        self.assertEqual(peer.addresses[0], Address("10.0.0.4", 1))
        self.assertFalse(peer.learn_address(Address("10.0.0.2", 1)))
        self.assertEqual(peer.addresses[0], Address("10.0.0.2", 1))
        self.assertEqual(len(set(peer.addresses)), MAX_ADDRESSES)

    def test_writes_to_the_talking_link_that_was_heard_last(self) -> None:
        peer = Peer(BOB)
        self.assertIsNone(peer.writing_link())
        older, newer = link(heard_at=1.0), link(heard_at=2.0)
        peer.links = [newer, older, link(heard_at=3.0, talking=False)]
        self.assertIs(peer.writing_link(), newer)
        peer.links = [link(talking=False)]
        self.assertIsNone(peer.writing_link())

    def test_its_state_in_words(self) -> None:
        peer = Peer(BOB)
        self.assertEqual((peer.state(False), peer.state(True)), ("known", "connecting"))
        peer.stale = True
        self.assertEqual((peer.state(False), peer.state(True)), ("stale", "connecting"))
        peer.links.append(link())
        self.assertEqual(peer.state(False), "connected")


class Arbitration(SynchronousTestCase):
    """2.7 and 2.8: the whole table."""

    def judge(self, me: PeerId, old: Role, new: Role, *, modern: bool) -> Verdict:
        before = link(old, modern=modern)
        verdict, about = arbitrate(me, [before], link(new, modern=modern))
        self.assertIs(about, None if verdict is Verdict.KEEP_BOTH else before)
        return verdict

    def test_the_first_link_stays(self) -> None:
        for role in Role:
            self.assertEqual(arbitrate(ANN, [], link(role)), (Verdict.KEEP_BOTH, None))

    def test_a_second_one_of_the_same_direction_probes_the_first(self) -> None:
        for role in Role:
            for modern in (True, False):
                verdict = self.judge(ANN, role, role, modern=modern)
                self.assertIs(verdict, Verdict.PROBE_OLD)

    def test_legacy_links_of_both_directions_stay(self) -> None:
        for old, new in ((OUT, IN), (IN, OUT)):
            self.assertIs(self.judge(ANN, old, new, modern=False), Verdict.KEEP_BOTH)

    def test_of_modern_ones_that_of_the_smaller_id_stays(self) -> None:
        for me, old, new, verdict in (
            (ANN, IN, OUT, Verdict.REPLACE_OLD),  # ann dialled the new one, and is smaller
            (ANN, OUT, IN, Verdict.PROBE_OLD),
            (EVE, OUT, IN, Verdict.REPLACE_OLD),  # bob dialled the new one, and is smaller
            (EVE, IN, OUT, Verdict.PROBE_OLD),
        ):
            self.assertIs(self.judge(me, old, new, modern=True), verdict, (me, old, new))

    def test_one_program_is_not_of_two_kinds(self) -> None:
        for first, second in ((True, False), (False, True)):
            old = link(OUT, modern=first)
            verdict, probed = arbitrate(ANN, [old], link(IN, modern=second))
            self.assertEqual((verdict, probed), (Verdict.PROBE_OLD, old))

    def test_both_sides_agree_on_the_link_that_stays(self) -> None:
        for dialler, other in ((ANN, BOB), (BOB, ANN)):
            ours, _ = arbitrate(dialler, [link(IN, peer=other)], link(OUT, peer=other))
            theirs, _ = arbitrate(other, [link(OUT, peer=dialler)], link(IN, peer=dialler))
            self.assertIs(ours, theirs)

"""Rule 3.3: peer lists are hearsay."""

import socket
from itertools import pairwise

from p2pchat.archive.addresses import MAX_WAITING
from tests.archive.world import (
    LATENCY,
    PEER_LIST,
    PEER_REQUEST,
    SOON,
    ArchiveCase,
    ScriptedLink,
    listing,
)

ALICE, BOB, CAROL, DAVE = "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"


def bogus(count: int, network: int = 20) -> list[str]:
    """Return addresses that nobody has."""
    return [f"{network}.{at >> 16}.{at >> 8 & 255}.{at & 255}" for at in range(1, count + 1)]


class OursTests(ArchiveCase):
    """What stands in the lists that we send."""

    def ask(self, link: ScriptedLink) -> list[str]:
        link.forget()
        link.say(PEER_REQUEST)
        self.run_for(SOON)
        (answer,) = link.got(PEER_LIST)
        return sorted(answer.addresses)

    def test_rule_03_live_links_and_never_who_asks(self) -> None:
        alice = self.world.node(ALICE)
        bob, carol = self.linked(alice, BOB), self.dialled(alice, CAROL)
        dave = self.linked(alice, DAVE)
        self.assertEqual(self.ask(bob), [CAROL, DAVE])
        self.assertEqual(self.ask(carol), [BOB, DAVE])
        dave.hang_up()
        self.run_for(SOON)
        self.assertEqual(self.ask(bob), [CAROL])

    def test_rule_03_nobody_else_is_no_answer_but_an_empty_list(self) -> None:
        self.assertEqual(self.ask(self.linked(self.world.node(ALICE), BOB)), [])

    def test_rule_03_an_address_with_two_links_stands_there_once(self) -> None:
        alice = self.world.node(ALICE)
        bob = self.linked(alice, BOB)
        self.dialled(alice, CAROL).peer.dial(ALICE)
        self.assertEqual(self.ask(bob), [CAROL])

    def test_rule_03_who_connects_and_says_nothing_is_not_listed(self) -> None:
        alice = self.world.node(ALICE)
        self.linked(alice, CAROL, b"")
        self.assertEqual(self.ask(self.linked(alice, BOB)), [])

    def test_rule_03_until_it_says_something(self) -> None:
        alice = self.world.node(ALICE)
        carol, bob = self.linked(alice, CAROL, b""), self.linked(alice, BOB)
        self.assertEqual(self.ask(bob), [])
        carol.say(PEER_REQUEST)
        self.run_for(SOON)
        self.assertEqual(self.ask(bob), [CAROL])

    def test_rule_03_nor_who_was_only_heard_of(self) -> None:
        alice = self.world.node(ALICE)
        bob = self.linked(alice, BOB)
        self.linked(alice, CAROL).say(listing(DAVE, "10.0.0.77"))
        self.assertEqual(self.ask(bob), [CAROL])

    def test_rule_03_who_is_on_loopback_is_listed_only_there(self) -> None:
        alice = self.world.node(ALICE)
        near = self.world.peer(ALICE, loopback="127.0.0.3", listens=False)
        near.opening = bytes([PEER_REQUEST])
        near.dial("127.0.0.1")
        far = self.linked(alice, BOB)
        other = self.world.peer(ALICE, loopback="127.0.0.4", listens=False)
        other.dial("127.0.0.1")
        self.run_for(SOON)
        self.assertEqual(self.ask(far), [])
        self.assertEqual(self.ask(other.link), [BOB, "127.0.0.3"])

    def test_rule_03_never_ourselves(self) -> None:
        """Another program of our machine dials from the address that we listen on."""
        self.world.node(ALICE, bind="127.0.0.2")
        neighbour = self.world.peer(ALICE, loopback="127.0.0.2", listens=False)
        neighbour.opening = bytes([PEER_REQUEST])
        neighbour.dial("127.0.0.2")
        other = self.world.peer(ALICE, loopback="127.0.0.4")
        other.dial("127.0.0.2")
        self.run_for(SOON)
        self.assertEqual(self.ask(other.link), [])

    def test_rule_03_never_ourselves_unbound(self) -> None:
        """It dials from the address by which others know us."""
        self.world.node(ALICE)
        neighbour = self.world.peer(ALICE, loopback=ALICE, listens=False)
        neighbour.opening = bytes([PEER_REQUEST])
        neighbour.dial(ALICE)
        bob = self.world.peer(BOB)
        bob.dial(ALICE)
        self.run_for(SOON)
        self.assertEqual(self.ask(bob.link), [])


class TheirsTests(ArchiveCase):
    """What is done with the lists that we get."""

    def setUp(self) -> None:
        super().setUp()
        self.alice = self.world.node(ALICE)
        self.bob = self.linked(self.alice, BOB)

    def test_rule_03_each_new_address_is_dialled_once(self) -> None:
        carol = self.world.peer(CAROL)
        for _ in range(5):
            self.bob.say(listing(CAROL, CAROL))
            self.run_for(5)
        self.assertEqual(carol.dialled_times, 1)
        self.assertEqual(self.alice.connected, [BOB, CAROL])

    def test_rule_03_who_has_dialled_us_is_not_new(self) -> None:
        carol = self.linked(self.alice, CAROL).peer
        carol.open_port()
        self.bob.say(listing(CAROL))
        self.run_for(20)
        self.assertEqual(carol.dialled_times, 0)

    def test_rule_03_addresses_that_cannot_be_are_not_dialled(self) -> None:
        cannot = ["0.0.0.0", "0.1.2.3", "127.0.0.1", "127.9.9.9", "224.0.0.1", "255.255.255.255"]
        self.bob.say(listing(*cannot, "1.0.0.1", "223.255.255.254"))
        self.assertEqual(self.dials(self.alice, 1), ["1.0.0.1", "223.255.255.254"])

    def test_rule_03_nor_is_ours(self) -> None:
        self.bob.say(listing(ALICE))
        self.assertEqual(self.dials(self.alice, 1), [])

    def test_rule_03_who_does_not_answer_is_dropped_quietly(self) -> None:
        self.bob.say(listing("20.0.0.1"))
        self.run_for(60)
        self.assertEqual(self.alice.reported("20.0.0.1"), [])
        self.assertEqual(self.alice.notices(), [])
        self.assertEqual(self.alice.service.info().connecting, 0)

    def test_rule_03_an_attempt_takes_5_s_at_the_most(self) -> None:
        self.bob.say(listing("20.0.0.1"))
        self.run_for(4.9)
        self.assertEqual(self.alice.service.info().connecting, 1)
        self.run_for(0.2)
        self.assertEqual(self.alice.service.info().connecting, 0)

    def test_rule_03_listed_again_it_is_tried_after_pauses_that_grow(self) -> None:
        for _ in range(1000):
            self.bob.say(listing("20.0.0.1"))
            self.run_for(1)
        times = [dial.time for dial in self.world.dials(ALICE)]
        # the attempt takes 5 s, and the list comes every second
        gaps = [later - sooner - 5 for sooner, later in pairwise(times)]
        for gap, pause in zip(gaps, (60, 120, 240, 480), strict=True):
            self.assertApproximates(gap, pause, 1.1)

    def test_rule_03_who_was_met_since_is_not_left_alone(self) -> None:
        self.bob.say(listing(CAROL))
        self.run_for(6)  # nobody is there
        carol = self.linked(self.alice, CAROL)
        carol.hang_up()
        carol.peer.open_port()
        self.bob.say(listing(CAROL))
        self.run_for(SOON)
        self.assertEqual(carol.peer.dialled_times, 1)

    def test_rule_03_nor_dialled_if_it_comes_while_it_waits(self) -> None:
        self.bob.say(listing(*bogus(20), CAROL))
        self.run_for(SOON)
        carol = self.linked(self.alice, CAROL).peer
        carol.open_port()
        self.run_for(20)
        self.assertEqual(carol.dialled_times, 0)

    def test_rule_03_reversed_addresses_do_no_harm(self) -> None:
        """Two programs write the four bytes in reverse."""
        self.world.peer(CAROL)
        packed = socket.inet_aton(CAROL)
        self.bob.say(listing(socket.inet_ntoa(packed[::-1])))
        self.assertEqual(self.dials(self.alice, 10), ["3.0.0.10"])
        self.bob.say(listing(CAROL))
        self.run_for(SOON)
        self.assertEqual(self.alice.connected, [BOB, CAROL])

    def test_rule_03_never_more_than_100_addresses_of_one_list_a_minute(self) -> None:
        addresses = bogus(1500)
        for _ in range(11):
            self.bob.say(listing(*addresses))
            self.run_for(5)
        dialled = {dial.target for dial in self.world.dials(ALICE)}
        self.assertEqual(dialled, set(addresses[:100]))
        self.run_for(5)
        self.bob.say(listing(*addresses))
        self.assertEqual(set(self.dials(self.alice, 50)), set(addresses[100:200]))

    def test_rule_03_nor_more_than_10_a_second_of_all_lists(self) -> None:
        """Where nobody listens that is known at once."""
        for number in range(50, 100):
            self.world.peer(f"10.0.0.{number}", listens=False)
        links = [self.bob, self.linked(self.alice, CAROL)]
        for half, link in enumerate(links):
            link.say(listing(*(f"10.0.0.{at}" for at in range(50 + half, 100, 2))))
        self.assertEqual(len(self.dials(self.alice, 0.9)), 10)
        self.assertEqual([len(self.dials(self.alice, 1)) for _ in range(5)], [10] * 4 + [0])

    def test_rule_03_a_thousand_bogus_addresses_do_not_make_another_list_wait(self) -> None:
        self.world.peer(DAVE)
        carol = self.linked(self.alice, CAROL)
        self.bob.say(listing(*bogus(MAX_WAITING + 20)))
        self.run_for(SOON)
        carol.say(listing(DAVE))
        self.run_for(5 + SOON)
        self.assertIn(DAVE, self.alice.connected)

    def test_rule_03_nor_if_it_stands_behind_them_too(self) -> None:
        self.world.peer(DAVE)
        carol = self.linked(self.alice, CAROL)
        self.bob.say(listing(*bogus(500), DAVE))
        self.run_for(SOON)
        carol.say(listing(DAVE))
        self.run_for(5 + SOON)
        self.assertIn(DAVE, self.alice.connected)

    def test_rule_03_nor_do_new_ones_without_end(self) -> None:
        self.world.peer(DAVE)
        carol = self.linked(self.alice, CAROL)
        for network in range(20, 30):
            self.bob.say(listing(*bogus(1000, network)))
            self.run_for(SOON)
        carol.say(listing(DAVE))
        self.run_for(5 + SOON)
        self.assertIn(DAVE, self.alice.connected)

    def test_rule_03_nor_do_peers_of_ours_that_are_down(self) -> None:
        for number in range(50, 80):
            self.alice.service.connect(f"10.0.0.{number}")
        self.run_for(1)
        self.world.peer(DAVE)
        self.bob.say(listing(DAVE))
        self.run_for(SOON)
        self.assertIn(DAVE, self.alice.connected)

    def test_rule_03_nor_do_peers_that_went(self) -> None:
        """They are dialled again and again, with pauses."""
        peers = [self.world.peer(f"10.0.0.{number}") for number in range(50, 75)]
        for peer in peers:
            peer.opening = bytes([PEER_REQUEST])
        self.bob.say(listing(*(peer.ip for peer in peers)))
        self.run_for(6)
        self.assertEqual(len(self.alice.connected), 26)
        for peer in peers:
            peer.close_port()
            peer.link.hang_up()
        self.run_for(SOON)
        self.world.peer(DAVE)
        self.bob.say(listing(DAVE))
        self.run_for(6)
        self.assertIn(DAVE, self.alice.connected)

    def test_rule_03_no_more_are_dialled_at_once_than_we_can_wait_for(self) -> None:
        self.bob.say(listing(*bogus(1000)))
        self.assertEqual(len(self.dials(self.alice, 4.9)), 20)
        self.assertEqual(len(self.dials(self.alice, 5)), 20)

    def test_rule_03_no_more_links_are_dialled_than_max_peers(self) -> None:
        alice = self.world.node("10.0.0.10", max_peers=3)
        link = self.linked(alice, "10.0.0.11")
        peers = [self.world.peer(f"10.0.0.{number}") for number in range(50, 60)]
        link.say(listing(*(peer.ip for peer in peers)))
        self.run_for(1)
        self.assertEqual(sum(len(peer.links) for peer in peers), 3)

    def test_rule_03_whom_there_is_no_room_for_waits(self) -> None:
        alice = self.world.node("10.0.0.10", max_peers=3, max_reconnect_attempts=0)
        link = self.linked(alice, "10.0.0.11")
        peers = [self.world.peer(f"10.0.0.{number}") for number in range(50, 54)]
        link.say(listing(*(peer.ip for peer in peers)))
        self.run_for(1)
        peers[0].link.hang_up()
        peers[0].close_port()
        self.run_for(1)
        self.assertEqual(peers[3].dialled_times, 1)


class LoopbackTests(ArchiveCase):
    """We are on loopback, as whoever talks to us from there proves."""

    def test_rule_03_addresses_of_loopback_are_dialled_there(self) -> None:
        self.world.node(ALICE, bind="127.0.0.2")
        bob = self.world.peer(ALICE, loopback="127.0.0.3")
        carol = self.world.peer(ALICE, loopback="127.0.0.4")
        bob.opening = listing("127.0.0.4", "127.0.0.2")
        bob.dial("127.0.0.2")
        self.run_for(SOON)
        self.assertEqual([link.host for link in carol.links], ["127.0.0.2"])

    def test_rule_03_who_is_elsewhere_cannot_know_them(self) -> None:
        alice = self.world.node(ALICE)
        self.linked(alice, BOB, listing("127.0.0.4"))
        self.run_for(10)
        self.assertEqual(self.world.dials("127.0.0.1"), [])


class AskingTests(ArchiveCase):
    def test_rule_03_every_peer_is_asked_every_5_s(self) -> None:
        alice = self.world.node(ALICE)
        links = self.linked(alice, BOB), self.dialled(alice, CAROL)
        for link in links:
            link.forget()
        self.run_for(50)
        for link in links:
            times = [message.time for message in link.got(PEER_REQUEST)]
            self.assertEqual(len(times), 10)
            for sooner, later in pairwise(times):
                self.assertApproximates(later - sooner, 5, LATENCY)

"""Dialling: for ever, once, again with pauses; what is cancelled stays cancelled."""

from collections.abc import Callable
from itertools import pairwise
from random import Random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.archive.dialer import ArchiveDialer
from p2pchat.archive.link import LinkSettings
from p2pchat.archive.protocol import ArchiveProtocol
from p2pchat.config import Connection
from p2pchat.identity import Address
from tests.archive.bare import Owner
from tests.archive.world import LATENCY, PEER_REQUEST, PORT, SOON, ArchiveCase, ScriptedPeer

ALICE, BOB, CAROL = "10.0.0.1", "10.0.0.2", "10.0.0.3"
BOB_ADDRESS = Address(BOB, PORT)

#: Pauses vary by so much.
JITTER = 0.1


class Listener:
    """Makes links that say nothing; notes who was given up."""

    def __init__(self, reactor: Any) -> None:
        self.links: list[ArchiveProtocol] = []
        self.given_up_on: list[Address] = []
        self._reactor = reactor

    def build_link(self, *, identify: bool) -> ArchiveProtocol:
        settings = LinkSettings(60)
        link = ArchiveProtocol(self._reactor, settings, Owner(), dialled=True, identify=identify)
        self.links.append(link)
        return link

    def given_up(self, address: Address) -> None:
        self.given_up_on.append(address)


class DialerCase(ArchiveCase):
    def setUp(self) -> None:
        super().setUp()
        self.reactor = self.world.network.host(ALICE)
        self.listener = Listener(self.reactor)
        self.dialer = self.make_dialer()
        self.bob = self.world.peer(BOB)
        self.bob.opening = bytes([PEER_REQUEST])

    def make_dialer(self, seed: int = 1, **policy: float) -> ArchiveDialer:
        connection = Connection(**policy)
        dialer = ArchiveDialer(self.reactor, Random(seed), connection, 5, "", self.listener)
        dialer.startService()
        return dialer

    def dial(self, *, persistent: bool = False, host: str = BOB) -> bool:
        dialled = self.dialer.dial(Address(host, PORT), persistent=persistent)
        self.run_for(SOON)
        return dialled

    def times(self) -> list[float]:
        return [dial.time for dial in self.world.dials(ALICE)]

    def pauses(self) -> list[float]:
        """Return the times between two attempts that were refused."""
        return [later - sooner - 2 * LATENCY for sooner, later in pairwise(self.times())]

    def assert_pauses(self, *expected: float) -> None:
        for pause, wanted in zip(self.pauses(), expected, strict=True):
            self.assertApproximates(pause, wanted, wanted * JITTER)

    def assert_quiet(self) -> None:
        """Hold that nothing is dialled any more."""
        count = len(self.times())
        self.run_for(1000)
        self.assertEqual(len(self.times()), count)
        self.assertEqual(self.reactor.getDelayedCalls(), [])


class OnceTests(DialerCase):
    """An address that was only heard of."""

    def test_dialled_once_and_given_up(self) -> None:
        self.bob.close_port()
        self.assertTrue(self.dial())
        self.assertEqual(self.listener.given_up_on, [BOB_ADDRESS])
        self.assertEqual(len(self.dialer), 0)
        self.assert_quiet()
        self.assertEqual(len(self.times()), 1)

    def test_after_5_s_if_nobody_answers(self) -> None:
        self.dialer.dial(Address("20.0.0.1", PORT), persistent=False)
        self.run_for(4.9)
        self.assertEqual(self.listener.given_up_on, [])
        self.assertEqual((self.dialer.connecting, self.dialer.tentative), (1, 1))
        self.run_for(0.2)
        self.assertEqual(len(self.listener.given_up_on), 1)
        self.assertEqual((self.dialer.connecting, self.dialer.tentative), (0, 0))

    def test_not_twice_at_the_same_time(self) -> None:
        self.assertTrue(self.dial())
        self.assertFalse(self.dial())
        self.assertEqual(len(self.bob.links), 1)
        self.assertIn(BOB_ADDRESS, self.dialer)

    def test_who_was_reached_is_dialled_again_and_then_given_up(self) -> None:
        self.dial()
        self.bob.close_port()
        self.bob.link.hang_up()
        self.run_for(SOON)
        self.assertEqual((self.dialer.connecting, self.dialer.tentative), (1, 0))
        self.run_for(1000)
        self.assertEqual(len(self.times()), 1 + 5)
        self.assertEqual(self.listener.given_up_on, [BOB_ADDRESS])
        self.assert_quiet()

    def test_reached_again_the_count_begins_anew(self) -> None:
        self.dial()
        for _ in range(3):
            self.bob.close_port()
            self.bob.link.hang_up()
            self.run_for(20)  # three attempts
            self.bob.open_port()
            self.run_for(100)
            self.assertTrue(self.bob.link.up)
        self.assertEqual(self.listener.given_up_on, [])

    def test_so_often_as_the_configuration_says(self) -> None:
        for retries in (0, 1, 3):
            self.dialer = self.make_dialer(max_reconnect_attempts=retries)
            before = len(self.times())
            self.dial()
            self.bob.close_port()
            self.bob.link.hang_up()
            self.run_for(1000)
            self.assertEqual(len(self.times()) - before, 1 + retries)
            self.bob.open_port()

    def test_who_never_spoke_was_not_reached(self) -> None:
        self.bob.opening = b""
        self.dial()
        self.run_for(100)
        self.bob.link.hang_up()
        self.run_for(SOON)
        self.assertEqual(self.listener.given_up_on, [BOB_ADDRESS])

    def test_the_user_may_ask_for_it_meanwhile(self) -> None:
        self.bob.close_port()
        self.dialer.dial(BOB_ADDRESS, persistent=False)
        self.assertFalse(self.dialer.dial(BOB_ADDRESS, persistent=True))
        self.run_for(100)
        self.assertGreater(len(self.times()), 4)
        self.assertEqual(self.listener.given_up_on, [])


class PersistentTests(DialerCase):
    """A peer that the user named."""

    def test_pauses_grow_to_their_maximum(self) -> None:
        self.bob.close_port()
        self.dial(persistent=True)
        self.run_for(350)
        self.assert_pauses(2, 4, 8, 16, 32, 60, 60, 60, 60)

    def test_they_are_those_of_the_configuration(self) -> None:
        policy = {"reconnect_backoff_base": 3, "reconnect_backoff_max": 20}
        self.dialer = self.make_dialer(**policy)
        self.bob.close_port()
        self.dial(persistent=True)
        self.run_for(70)
        self.assert_pauses(3, 9, 20, 20)

    def test_they_are_drawn_from_our_own_source_of_chance(self) -> None:
        self.bob.close_port()
        drawn = []
        for seed in (1, 1, 2):
            self.dialer = self.make_dialer(seed)
            before = len(self.times())
            self.dial(persistent=True)
            self.run_for(100)
            drawn.append([round(pause, 6) for pause in self.pauses()[before:]])
            self.dialer.stopService()
        self.assertEqual(drawn[0], drawn[1])
        self.assertNotEqual(drawn[0], drawn[2])

    def test_it_is_never_given_up(self) -> None:
        """Not after days: the pauses are no power that grows beyond all numbers."""
        self.dialer = self.make_dialer(reconnect_backoff_base=2.0)
        self.bob.close_port()
        self.dial(persistent=True)
        for _ in range(30):
            self.run_for(3600)
        self.assertGreater(len(self.times()), 1500)
        self.assertEqual(self.listener.given_up_on, [])
        self.bob.open_port()
        self.run_for(70)
        self.assertTrue(self.bob.link.up)

    def test_a_link_makes_the_pauses_short_again(self) -> None:
        self.bob.close_port()
        self.dial(persistent=True)
        self.run_for(200)
        self.bob.open_port()
        self.run_for(150)
        count = len(self.times())
        self.bob.link.hang_up()
        self.run_for(3)
        self.assertEqual(len(self.times()), count + 1)

    def test_one_shorter_than_the_last_pause_does_not(self) -> None:
        self.dial(persistent=True)
        for wanted in (2, 4, 8, 16, 32, 60):
            lost = self.world.now
            self.bob.link.hang_up()
            count = len(self.bob.links)
            self.world.network.run_until(lambda n=count: len(self.bob.links) > n, 100)
            self.assertApproximates(self.world.now - lost, wanted, wanted * JITTER + SOON)
            self.run_for(min(wanted / 2, 1))

    def test_a_name_is_looked_up_each_time(self) -> None:
        names = self.world.network.names
        names["bob.example"] = "10.0.0.77"
        self.dial(persistent=True, host="bob.example")
        self.run_for(10)
        names["bob.example"] = BOB
        self.run_for(20)
        self.assertEqual(len(self.bob.links), 1)

    def test_a_name_that_nobody_knows_is_tried_on(self) -> None:
        self.dial(persistent=True, host="nobody.example")
        self.run_for(100)
        self.assertEqual(self.dialer.connecting, 1)
        self.world.network.names["nobody.example"] = BOB
        self.run_for(70)
        self.assertEqual(len(self.bob.links), 1)


class CancelTests(DialerCase):
    def both_ways(self, prepare: Callable[[], object]) -> None:
        """Prepare a dialer and cancel what it does; once by address, once all of it."""
        for stop in (
            lambda dialer: dialer.cancel(BOB_ADDRESS),
            lambda dialer: dialer.stopService(),
        ):
            self.dialer = self.make_dialer()
            prepare()
            stop(self.dialer)
            self.assertEqual(len(self.dialer), 0)
            self.assert_quiet()

    def test_while_it_connects(self) -> None:
        self.both_ways(lambda: self.dialer.dial(BOB_ADDRESS, persistent=True))
        self.assertEqual(self.bob.links, [])

    def test_while_it_waits(self) -> None:
        self.bob.close_port()
        self.both_ways(lambda: self.dial(persistent=True))

    def test_while_it_is_connected_the_link_stays(self) -> None:
        self.both_ways(lambda: self.dial(persistent=True))
        for link in self.bob.links:
            self.assertTrue(link.up)

    def test_such_a_link_is_not_dialled_again_when_it_goes(self) -> None:
        """Though its peer has spoken."""
        self.both_ways(lambda: self.dial(persistent=True))
        for link in self.bob.links:
            link.hang_up()
        self.assert_quiet()
        self.assertEqual(self.listener.given_up_on, [])

    def test_by_its_link_whatever_name_it_was_dialled_by(self) -> None:
        self.world.network.names["bob.example"] = BOB
        self.dial(persistent=True, host="bob.example")
        self.dialer.cancel_link(object())
        self.assertEqual(len(self.dialer), 1)
        self.dialer.cancel_link(self.listener.links[0])
        self.assertEqual(len(self.dialer), 0)
        self.bob.link.hang_up()
        self.assert_quiet()

    def test_one_that_is_not_dialled_is_no_mistake(self) -> None:
        self.dialer.cancel(BOB_ADDRESS)

    def test_stopped_it_dials_nobody(self) -> None:
        self.dialer.stopService()
        self.assertFalse(self.dial(persistent=True))
        self.assert_quiet()


class CountTests(DialerCase):
    def test_tentative_are_those_where_nobody_may_be(self) -> None:
        silent = ScriptedPeer(self.world, CAROL)
        self.dial(persistent=True, host="20.0.0.1")
        self.dial(host="20.0.0.2")
        self.dial(host=CAROL)
        self.dial()
        self.assertEqual((len(self.dialer), self.dialer.connecting), (4, 2))
        self.assertEqual(self.dialer.tentative, 1)
        self.assertTrue(silent.link.up)


class MissingTests(DialerCase):
    """Of those that are dialled for ever it is told why they are not there."""

    def test_refused_and_dialled_again_until_it_is_there(self) -> None:
        self.bob.close_port()
        self.dial(persistent=True)
        self.dial(host=CAROL)  # of a list, so that nobody misses it
        [missing] = self.dialer.missing
        self.assertEqual(missing.address, f"{BOB}:{PORT}")
        self.assertIn("refused", missing.reason)
        expected = self.reactor.seconds() + missing.seconds
        self.bob.open_port()
        self.run_for(3)
        self.assertEqual(self.dialer.missing, [])
        self.assertApproximates(self.bob.link.connected, expected, 4 * LATENCY)

    def test_a_name_that_nobody_has(self) -> None:
        self.dial(persistent=True, host="ghost.example")
        [missing] = self.dialer.missing
        self.assertIn("DNS lookup failed", missing.reason)


class SourceTests(SynchronousTestCase):
    """Where connections come from, as far as it can be chosen."""

    def test_the_bound_address_where_it_can_be(self) -> None:
        for bind, host, source in (
            ("", "10.0.0.2", None),
            ("0.0.0.0", "10.0.0.2", None),
            ("10.0.0.1", "10.0.0.2", ("10.0.0.1", 0)),
            ("127.0.0.2", "127.0.0.3", ("127.0.0.2", 0)),
            ("127.0.0.2", "10.0.0.2", None),
        ):
            reactor = _Connecting()
            dialer = ArchiveDialer(reactor, Random(1), Connection(), 5, bind, Listener(reactor))
            dialer.startService()
            dialer.dial(Address(host, PORT), persistent=False)
            self.assertEqual(reactor.calls, [(host, PORT, 5, source)])


class _Connecting:
    """A reactor that only notes where it should connect to."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def connectTCP(
        self, host: str, port: int, factory: Any, timeout: float, bind: Any = None
    ) -> None:
        self.calls.append((host, port, timeout, bind))

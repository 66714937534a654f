"""The network: its weather, partitions, crashes, and the same run for the same seed."""

import os
import random
import subprocess
import sys
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.error import ConnectionLost
from twisted.trial.unittest import SynchronousTestCase

from tests.simulation.clock import Livelock
from tests.simulation.network import Network
from tests.simulation.protocols import CLIENT, SERVER, Echo, connect, dial, serve
from tests.simulation.scenario import busy
from tests.simulation.wire import GIVE_UP_AFTER, cut_up

ROOT = Path(__file__).parents[2]
THIRD = "10.0.0.3"


class DeterminismTests(SynchronousTestCase):
    def test_same_seed_same_log(self) -> None:
        first, second = busy(1, seconds=10), busy(1, seconds=10)
        self.assertEqual(first.log, second.log)
        self.assertEqual(first.digest, second.digest)
        self.assertEqual(first.errors, [])
        for event in ("DATA", "RST", "FIN", "partition", "heal", "crashed", "cut", "timer"):
            self.assertTrue(any(event in line for line in first.log), event)

    def test_different_seeds_differ(self) -> None:
        self.assertEqual(len({busy(seed, seconds=3).digest for seed in range(4)}), 4)

    def test_log_does_not_depend_on_hashes_or_addresses(self) -> None:
        code = "from tests.simulation.scenario import busy; print(busy(5, seconds=6).digest)"
        digests = {
            subprocess.run(
                [sys.executable, "-c", code],
                env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
                check=True,
                capture_output=True,
            ).stdout
            for seed in ("1", "2")
        }
        self.assertEqual(len(digests), 1)

    def test_log_is_bounded_and_digest_is_not(self) -> None:
        short, long = busy(2, seconds=2, log_lines=50), busy(2, seconds=2)
        self.assertEqual(short.log, long.log[-50:])
        self.assertEqual(short.digest, long.digest)
        self.assertEqual(busy(2, seconds=2, log_lines=0).log, [])


class RunUntilTests(SynchronousTestCase):
    def test_stops_at_the_very_event(self) -> None:
        network = Network(1)
        ran: list[int] = []
        for second in (1, 2, 3):
            network.host(SERVER).callLater(second, ran.append, second)
        network.run_until(lambda: 2 in ran, limit_seconds=10)
        self.assertEqual((ran, network.clock.now), ([1, 2], 2))

    def test_limit_raises_with_the_tail_of_the_log(self) -> None:
        network = Network(77)
        connect(network)
        error = self.assertRaises(AssertionError, network.run_until, lambda: False, 3)
        self.assertIn("seed 77", str(error))
        self.assertIn("SYN-ACK", str(error))
        self.assertGreaterEqual(network.clock.now, 3)

    def test_advance_moves_time_to_its_end_and_no_further(self) -> None:
        network = Network(1)
        late = network.host(SERVER).callLater(2.5, lambda: None)
        network.advance(2)
        self.assertEqual((network.clock.now, late.active()), (2, True))

    def test_livelock_is_reported(self) -> None:
        network = Network(1)
        host = network.host(SERVER)

        def again() -> None:
            host.callLater(0, again)

        again()
        self.assertRaises(Livelock, network.advance, 1)

    def test_cannot_run_inside_itself(self) -> None:
        network = Network(1)
        network.host(SERVER).callLater(0, network.advance, 1)
        network.advance(1)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual([one.type for one in network.errors], [RuntimeError])


class WeatherTests(SynchronousTestCase):
    @settings(max_examples=60, deadline=None)
    @given(
        seed=st.integers(0, 2**32),
        chunking=st.floats(0, 1),
        writes=st.lists(st.binary(max_size=3000), max_size=30),
    )
    def test_bytes_arrive_in_order_and_complete(
        self, seed: int, chunking: float, writes: list[bytes]
    ) -> None:
        network = Network(seed, chunking=chunking, window=4096)
        server, client = connect(network, server=Echo)
        for number, data in enumerate(writes):
            network.host(CLIENT).callLater(number / 100, client.transport.write, data)
        network.advance(20)
        self.assertEqual(server.received, b"".join(writes))
        self.assertEqual(client.received, b"".join(writes))
        self.assertEqual(network.errors, [])

    @given(seed=st.integers(), data=st.binary(min_size=1))
    def test_pieces_are_the_data(self, seed: int, data: bytes) -> None:
        pieces = cut_up(data, random.Random(seed))
        self.assertEqual(b"".join(pieces), data)
        self.assertTrue(all(pieces))

    def test_short_data_sometimes_comes_byte_by_byte(self) -> None:
        counts = {len(cut_up(b"0123456789", random.Random(seed))) for seed in range(100)}
        self.assertEqual(counts, {1, 2, 3, 4, 10})

    def reads(self, chunking: float) -> list[bytes]:
        network = Network(3, chunking=chunking)
        server, client = connect(network)
        for number in range(200):
            network.host(CLIENT).callLater(number / 100, client.transport.write, b"0123456789")
        network.advance(5)
        return server.reads

    def test_without_chunking_a_write_is_a_read(self) -> None:
        self.assertEqual(self.reads(chunking=0), [b"0123456789"] * 200)

    def test_chunking_cuts_and_merges(self) -> None:
        reads = self.reads(chunking=0.5)
        lengths = {len(read) for read in reads}
        self.assertTrue({1, 2, 3, 5, 8, 9, 10, 20} <= lengths, lengths)

    def test_writes_of_one_turn_are_one_segment(self) -> None:
        network = Network(1, chunking=0)
        server, client = connect(network)
        for data in (b"a", b"b", b"c"):
            client.transport.write(data)
        network.advance(1)
        self.assertEqual(server.reads, [b"abc"])

    def test_latency_is_within_its_range(self) -> None:
        network = Network(1, latency=(0.5, 0.7), chunking=0)
        server, client = connect(network)
        for _ in range(20):
            network.advance(2)
            sent, count = network.clock.now, len(server.reads)
            client.transport.write(b"x")
            network.run_until(lambda count=count: len(server.reads) > count, 1)
            self.assertTrue(0.5 <= network.clock.now - sent <= 0.7)

    def test_resets_lose_connections(self) -> None:
        network = Network(1)
        server, client = connect(network)
        network.conditions.resets = 1.0
        client.transport.write(b"x")
        network.advance(1)
        self.assertEqual((server.lost, client.lost), (ConnectionLost, ConnectionLost))
        self.assertEqual(server.received, b"")

    def test_cut_resets_one_connection(self) -> None:
        for by_transport in (True, False):
            network = Network(1)
            server, client = connect(network)
            other = dial(network.host(CLIENT))
            network.run_until(lambda other=other: other.built, 1)
            network.advance(1)
            self.assertEqual(len(network.connections()), 2)
            network.cut(client.transport if by_transport else network.connections()[0])
            network.advance(1)
            self.assertEqual((server.lost, client.lost), (ConnectionLost, ConnectionLost))
            self.assertIsNone(other.built[0].lost)
            self.assertEqual(len(network.connections()), 1)


class PartitionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.network = Network(1)
        self.server, self.client = connect(self.network)

    def test_nothing_passes_and_nothing_ends(self) -> None:
        self.network.partition([SERVER], [CLIENT])
        self.client.transport.write(b"lost?")
        self.server.transport.loseConnection()
        self.network.advance(600)
        self.assertEqual(self.server.received, b"")
        self.assertIsNone(self.client.lost)

    def test_what_is_in_flight_is_held_too(self) -> None:
        self.client.transport.write(b"x")
        self.network.advance(0)
        self.network.partition([CLIENT], [SERVER])
        self.network.advance(10)
        self.assertEqual(self.server.received, b"")

    def test_healed_everything_goes_on_in_order(self) -> None:
        self.network.partition([SERVER], [CLIENT])
        for number in range(50):
            self.network.host(CLIENT).callLater(
                number, self.client.transport.write, b"%d," % number
            )
        self.network.advance(100)
        self.network.heal()
        self.client.transport.write(b"end")
        self.network.advance(2)
        self.assertEqual(self.server.received, b"".join(b"%d," % n for n in range(50)) + b"end")
        self.assertIsNone(self.client.lost)

    def test_connecting_times_out(self) -> None:
        self.network.partition([SERVER], [CLIENT])
        factory = dial(self.network.host(CLIENT))
        self.network.advance(29.9)
        self.assertEqual(factory.calls, ["start", "connecting"])
        self.network.advance(0.2)
        self.assertEqual(factory.calls[2:], ["failed TimeoutError", "stop"])
        self.network.heal()
        self.network.advance(5)
        self.assertEqual(len(self.network.connections()), 1)

    def test_connecting_goes_on_if_healed_in_time(self) -> None:
        self.network.partition([SERVER], [CLIENT])
        factory = dial(self.network.host(CLIENT))
        self.network.advance(20)
        self.network.heal()
        self.network.advance(2)
        self.assertTrue(factory.built[0].made)

    def test_partitions_add_up(self) -> None:
        self.network.partition([SERVER], [CLIENT])
        self.network.partition([SERVER], [THIRD])
        self.client.transport.write(b"x")
        factory = dial(self.network.host(THIRD))
        self.network.advance(31)
        self.assertEqual((self.server.reads, factory.built), ([], []))

    def test_others_are_not_affected(self) -> None:
        self.network.partition([SERVER], [CLIENT])
        factory = dial(self.network.host(THIRD))
        own = dial(self.network.host(SERVER), ip="127.0.0.1")
        self.network.advance(1)
        self.assertTrue(factory.built[0].made)
        self.assertTrue(own.built[0].made)

    def test_a_sender_gives_up_in_the_end(self) -> None:
        self.network.partition([SERVER], [CLIENT])
        self.client.transport.write(b"anybody?")
        self.network.advance(GIVE_UP_AFTER - 1)
        self.assertIsNone(self.client.lost)
        self.network.advance(2)
        self.assertIs(self.client.lost, ConnectionLost)
        self.assertIsNone(self.server.lost)  # it sent nothing, so it cannot know

    def test_healed_in_time_nobody_gives_up(self) -> None:
        self.network.partition([SERVER], [CLIENT])
        self.client.transport.write(b"x")
        self.network.advance(GIVE_UP_AFTER - 1)
        self.network.heal()
        self.network.advance(5)
        self.network.partition([SERVER], [CLIENT])
        self.client.transport.write(b"y")
        self.network.advance(GIVE_UP_AFTER - 10)
        self.assertIsNone(self.client.lost)


class CrashTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.network = Network(1)
        self.server, self.client = connect(self.network)

    def test_the_other_side_learns_when_it_sends(self) -> None:
        self.network.crash(SERVER)
        self.network.advance(600)
        self.assertIsNone(self.client.lost)
        self.client.transport.write(b"still there?")
        self.network.advance(1)
        self.assertIs(self.client.lost, ConnectionLost)

    def test_it_learns_by_restart_too_but_not_across_a_partition(self) -> None:
        self.network.crash(SERVER)
        self.network.partition([SERVER], [CLIENT])
        serve(self.network.host(SERVER))
        self.client.transport.write(b"still there?")
        self.network.advance(60)
        self.assertIsNone(self.client.lost)
        self.network.heal()
        self.network.advance(5)
        self.assertIs(self.client.lost, ConnectionLost)

    def test_nobody_retransmits_for_the_dead(self) -> None:
        self.network.partition([SERVER], [CLIENT])
        self.client.transport.write(b"last words")
        self.network.advance(1)
        self.network.crash(CLIENT)
        self.network.heal()
        self.network.advance(5)
        self.assertEqual(self.server.received, b"")
        self.assertIsNone(self.server.lost)

    def test_the_crashed_process_is_told_nothing_and_does_nothing(self) -> None:
        ran: list[str] = []
        host = self.network.host(SERVER)
        host.callLater(1, ran.append, "timer")
        host.callFromThread(ran.append, "call")
        host.callInThread(ran.append, "thread")
        self.client.transport.write(b"x")
        self.network.crash(SERVER)
        self.network.advance(10)
        self.server.transport.write(b"from beyond")
        self.network.advance(10)
        self.assertEqual((ran, self.server.reads, self.server.lost), ([], [], None))
        self.assertEqual(self.client.received, b"")

    def test_connecting_to_it_is_refused(self) -> None:
        self.network.crash(SERVER)
        factory = dial(self.network.host(CLIENT))
        self.network.advance(1)
        self.assertEqual(factory.calls[2:], ["failed ConnectionRefusedError", "stop"])

    def test_a_machine_that_never_was_does_not_answer(self) -> None:
        factory = dial(self.network.host(CLIENT), ip=THIRD)
        self.network.advance(31)
        self.assertEqual(factory.calls[2:], ["failed TimeoutError", "stop"])

    def test_a_fresh_process_takes_over(self) -> None:
        old = self.network.host(SERVER)
        self.network.crash(SERVER)
        new = self.network.host(SERVER)
        self.assertIsNot(new, old)
        self.assertTrue(new.running)
        self.assertEqual(new.getDelayedCalls(), [])
        listening = serve(new)
        again = dial(self.network.host(CLIENT))
        self.network.advance(1)
        self.assertTrue(again.built[0].made)
        self.assertTrue(listening.built[0].made)

    def test_half_a_handshake_with_the_dead(self) -> None:
        factory = dial(self.network.host(CLIENT))
        self.network.run_until(lambda: factory.built, 1)  # our ACK is on its way
        self.network.crash(SERVER)
        self.network.advance(1)
        self.assertIs(factory.built[0].lost, ConnectionLost)

"""Rule 2.6: PING on every link, dialled or accepted, both ways; who does not answer is dead."""

import itertools

from p2pchat.api import RttInfo
from p2pchat.events import PeerDown
from tests.chat.cases import ChatCase, ChatNode
from tests.chat.scripted import ScriptedLink

INTERVAL = 30.0


class Liveness(ChatCase):
    def setUp(self) -> None:
        super().setUp()
        self.alice = self.node(connection={"ping_interval": INTERVAL})
        self.bob = self.legacy()

    def pings(self, link: ScriptedLink) -> list[float]:
        return [line.time for line in link.lines if line.type == "PING"]

    def assert_pinged(self, link: ScriptedLink) -> None:
        self.run_for(4 * INTERVAL + 1)
        times = self.pings(link)
        self.assertGreaterEqual(len(times), 5)
        for before, after in itertools.pairwise(times[1:]):
            self.assertAlmostEqual(after - before, INTERVAL, places=2)
        self.assertEqual(len(link.got("PING")), len({m["msg_id"] for m in link.got("PING")}))
        self.assertIsNone(link.lost)

    def test_rule_06_pings_on_a_link_that_we_dialled(self) -> None:
        self.dial(self.alice, self.bob)
        self.assert_pinged(self.bob.link)

    def test_rule_06_pings_on_a_link_that_we_accepted(self) -> None:
        self.assert_pinged(self.dialled_by(self.alice, self.bob))

    def test_rule_06_a_ping_is_iso_utc_with_a_z(self) -> None:
        link = self.dialled_by(self.alice, self.bob)
        ping = link.got("PING")[0]
        self.assertRegex(ping["timestamp"], r"^2025-01-01T00:00:\d\d\.\d{3}Z$")
        self.assertEqual(ping["ttl"], 1)

    def test_rule_06_a_ping_is_answered_at_once_on_both_kinds_of_link(self) -> None:
        accepted = self.dialled_by(self.alice, self.bob)
        eve = self.legacy("eve")
        self.dial(self.alice, eve)
        for link in (accepted, eve.link):
            asked = self.world.now
            link.send(type="PING", msg_id="its own")
            self.run_for(1)
            (pong,) = (line for line in link.lines if line.type == "PONG")
            self.assertEqual(pong.message["msg_id"], "its own")
            self.assertLess(pong.time - asked, 0.02)

    def test_rule_06_a_peer_that_never_pings_stays(self) -> None:
        link = self.dialled_by(self.alice, self.bob)
        self.run_for(600)
        self.assertIsNone(link.lost)

    def test_rule_06_a_pong_comes_in_time_even_behind_a_message_that_nobody_acknowledges(
        self,
    ) -> None:
        link = self.dialled_by(self.alice, self.bob)
        link.answers.remove("SEND")
        for number in range(5):
            self.alice.sends(self.bob, str(number))
        self.run_for(0.1)
        asked = self.world.now
        link.send(type="PING", msg_id="1")
        self.run_for(60)
        (pong,) = (line for line in link.lines if line.type == "PONG")
        self.assertLess(pong.time - asked, 15.0)

    def test_rule_06_dead_after_two_pings_without_answer(self) -> None:
        link = self.dialled_by(self.alice, self.bob)
        link.answers.clear()
        start = self.world.now
        self.run_for(2.5 * INTERVAL)
        self.assertEqual(len(self.pings(link)), 3)
        self.assertEqual(self.alice.connected, [self.bob.peer_id])
        self.run_for(INTERVAL)
        bye = link.lines[-1]
        self.assertEqual((bye.type, bye.message["reason"]), ("BYE", "no answer to two PINGs"))
        self.assertLess(bye.time - start, 3 * INTERVAL)
        (down,) = self.alice.reported(PeerDown)
        self.assertIn("does not answer", down.reason)

    def test_rule_06_one_answer_in_two_keeps_it(self) -> None:
        link = self.dialled_by(self.alice, self.bob)
        for _ in range(4):
            link.answers.discard("PING")
            self.run_for(INTERVAL)
            link.answers.add("PING")
            self.run_for(INTERVAL)
        self.assertIsNone(link.lost)

    def test_rule_06_other_traffic_is_no_answer(self) -> None:
        link = self.dialled_by(self.alice, self.bob)
        link.answers.discard("PING")
        for number in range(4 * int(INTERVAL)):
            link.send(type="PUB", msg_id=str(number), payload="I am alive")
            self.run_for(1)
        self.assertNotEqual(self.alice.reported(PeerDown), [])

    def test_rule_06_round_trips_are_measured(self) -> None:
        self.world.latencies["10.0.0.1", self.bob.address.host] = (0.010, 0.030)
        self.dial(self.alice, self.bob)
        self.run_for(2 * INTERVAL)
        rtt = self.rtt_of(self.alice)
        self.assertEqual(rtt.count, 3)
        for value in (rtt.last, rtt.mean, rtt.p50, rtt.p95):
            self.assertAlmostEqual(value, 40.0, places=2)

    def rtt_of(self, node: ChatNode) -> RttInfo:
        (info,) = node.chat.peer_infos()
        return info.rtt

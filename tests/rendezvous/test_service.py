"""One rendezvous server as the node sees it, from start to stop."""

from itertools import pairwise
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.identity import Address
from p2pchat.rendezvous import answers
from p2pchat.rendezvous.service import RendezvousService
from tests.rendezvous.heard import Heard
from tests.rendezvous.memory_tcp import Network
from tests.rendezvous.servers import ScriptedServer, entry, error, granted, listing

SERVER = Address("10.0.0.1", 8080)
OURS = entry("alice", 4000, "10.0.0.2")
SILENCE = ScriptedServer.SILENCE


class ServiceTestCase(SynchronousTestCase):
    def setUp(self):
        self.network = Network()
        self.heard = Heard()
        self.service = self.node("alice", self.heard)
        self.addCleanup(self.check_nothing_is_left)

    def node(self, name, heard, **changes):
        options = {
            "server": SERVER,
            "name": name,
            "namespace": "CIC",
            "port": 4000,
            "discovery_interval": 60,
            "embedded": False,
            "bind": "",
            "listener": heard,
        }
        reactor = self.network.reactor("10.0.0.2")
        return RendezvousService(reactor, Random(name), **(options | changes))

    def serve(self, *script):
        self.network.ports.clear()
        self.server = ScriptedServer(self.network.clock, *script)
        self.network.reactor("10.0.0.1").listenTCP(8080, self.server)

    def start(self, *script):
        self.serve(*script)
        self.service.startService()
        self.network.settle()

    def stop(self, service):
        stopping = service.stopService()
        self.network.settle(1.1)
        self.successResultOf(stopping)

    def check_nothing_is_left(self):
        if self.service.running:
            self.stop(self.service)
        self.network.settle(1)
        self.assertEqual(self.network.clock.getDelayedCalls(), [])
        self.assertEqual(self.flushLoggedErrors(), [])


class DiscoveryTests(ServiceTestCase):
    def test_it_registers_and_asks_at_once(self):
        self.start(granted(600, "1.2.3.4"), listing(OURS, entry("bob", 4001, expires_in=30)))
        self.assertEqual(
            self.server.requests,
            [
                {"type": "REGISTER", "namespace": "CIC", "name": "alice", "port": 4000, "ttl": 600},
                {"type": "DISCOVER"},
            ],
        )
        (found,) = self.heard.last
        self.assertEqual(found.peer_id, "bob@CIC")
        self.assertEqual((found.address, found.expires_in), (Address("10.0.0.9", 4001), 30.0))
        self.assertEqual((self.heard.ips, self.heard.notices), (["1.2.3.4"], []))
        info = self.service.info()
        self.assertEqual(
            (info.address, info.state, info.registered, info.serving, info.peers),
            ("10.0.0.1:8080", "up", True, False, 1),
        )

    def test_it_asks_again_within_every_interval_and_not_in_step(self):
        self.start(granted(86400), listing(OURS))
        self.network.settle(1200)
        pauses = [later - earlier for earlier, later in pairwise(self.server.times[1:])]
        self.assertTrue(45 <= min(pauses) < max(pauses) <= 60 + 1 / 16)
        self.assertEqual(set(self.server.asked()[1:]), {"DISCOVER"})

    def test_it_drops_itself_wherever_it_is_listed(self):
        elsewhere = entry("alice", 4999, "10.0.0.50")
        namesake = entry("alice", 4000, namespace="lab")
        self.start(granted(), listing(OURS, elsewhere, namesake, {"name": "bad"}))
        self.assertEqual(self.heard.found, [["alice@lab"]])

    def test_a_name_with_an_at_sign_is_dropped_too(self):
        self.service = self.node("alice@home", self.heard)
        self.start(granted(), listing(entry("alice@home"), entry("bob")))
        self.assertEqual(self.heard.found, [["bob@CIC"]])

    def test_asking_now(self):
        self.start(granted(), listing(OURS))
        self.network.settle(5)
        self.server.asked()
        asking = self.service.discover()
        self.assertNoResult(asking)
        self.network.settle()
        self.assertIsNone(self.successResultOf(asking))
        self.assertEqual(self.server.asked(), ["DISCOVER"])

    def test_asking_joins_what_is_under_way(self):
        self.start(granted(), SILENCE, listing(OURS))
        asking = [self.service.discover(), self.service.discover()]
        self.network.settle(16)
        for each in asking:
            self.assertIsNone(self.successResultOf(each))
        self.assertEqual(self.server.asked()[:2], ["REGISTER", "DISCOVER"])

    def test_a_fresh_answer_is_not_asked_for_again(self):
        self.start(granted(), listing(OURS))
        self.server.asked()
        self.network.settle(1.9)
        self.assertIsNone(self.successResultOf(self.service.discover()))
        self.network.settle()
        self.assertEqual(self.server.asked(), [])
        self.network.settle(0.2)
        self.service.discover()
        self.network.settle()
        self.assertEqual(self.server.asked(), ["DISCOVER"])

    def test_asking_before_the_start_and_after_the_stop(self):
        self.assertIsNone(self.successResultOf(self.service.discover()))
        self.service.peer_lost()
        self.start(granted(), listing(OURS))
        self.stop(self.service)
        self.service.peer_lost()
        self.assertIsNone(self.successResultOf(self.service.discover()))

    def test_lost_peers_lead_to_one_question_in_about_three_seconds(self):
        self.start(granted(), listing(OURS))
        self.network.settle(5)
        self.server.asked()
        for _ in range(10):
            self.service.peer_lost()
            self.network.settle(0.125)
        self.network.settle(1)
        self.assertEqual(self.server.asked(), [])
        self.network.settle(2)
        self.assertEqual(self.server.asked(), ["DISCOVER"])


class RegistrationTests(ServiceTestCase):
    def test_it_is_renewed_at_half_of_the_ttl_that_was_granted(self):
        def answer(request):
            return granted(50) if request["type"] == "REGISTER" else listing(OURS)

        self.start(answer)
        self.network.settle(24.9)
        self.assertEqual(self.server.asked(), ["REGISTER", "DISCOVER"])
        self.network.settle(0.2)
        self.assertEqual(self.server.asked(), ["REGISTER", "DISCOVER"])

    def test_a_ttl_of_no_length_does_not_make_it_ask_all_the_time(self):
        self.start(lambda request: granted(0) | listing(OURS))
        self.network.settle(4.9)
        self.assertEqual(self.server.asked(), ["REGISTER", "DISCOVER"] * 5)
        self.network.settle(55)
        self.assertLessEqual(len(self.server.requests), 10)

    def test_it_is_renewed_when_the_server_does_not_know_us(self):
        self.start(granted(), listing(OURS), error("peer_not_registered"), granted(), listing(OURS))
        self.network.settle(60)
        self.assertEqual(
            self.server.asked(), ["REGISTER", "DISCOVER", "DISCOVER", "REGISTER", "DISCOVER"]
        )
        self.assertTrue(self.service.info().registered)
        self.assertEqual(self.heard.notices, [])

    def test_it_is_renewed_when_we_are_not_listed(self):
        for other in (entry("bob"), entry("alice", 4001), entry("alice", namespace="lab")):
            self.setUp()
            self.start(granted(), listing(OURS), listing(other), granted(), listing(OURS))
            self.network.settle(60)
            self.assertEqual(self.server.asked(), ["REGISTER", "DISCOVER", "DISCOVER", "REGISTER"])
            self.assertEqual(len(self.heard.found), 2)
            self.stop(self.service)

    def test_a_server_that_never_lists_us_is_not_asked_in_a_loop(self):
        self.start(lambda request: granted() | listing(entry("bob")))
        self.assertEqual(self.server.asked(), ["REGISTER", "DISCOVER"])
        self.network.settle(600)
        self.assertLess(len(self.server.requests), 35)

    def test_a_listing_too_long_to_read_does_not_show_that_we_are_missing(self):
        self.patch(answers, "MAX_LISTED", 2)
        self.start(granted(), listing(*[entry(name) for name in ("bob", "eve", "alice")]))
        self.network.settle(60)
        self.assertEqual(self.server.asked(), ["REGISTER", "DISCOVER", "DISCOVER"])
        self.assertEqual(self.heard.found[-1], ["bob@CIC", "eve@CIC"])

    def test_it_is_renewed_when_a_server_that_was_down_is_back(self):
        self.start(granted(), listing(OURS))
        self.network.ports.clear()
        self.network.settle(60)
        self.assertFalse(self.service.info().registered)
        self.serve(granted(), listing(OURS))
        self.network.settle(60)
        self.assertEqual(self.server.asked()[:2], ["REGISTER", "DISCOVER"])

    def test_a_server_that_never_knows_us_is_not_asked_in_a_loop(self):
        def answer(request):
            return granted() if request["type"] == "REGISTER" else error("peer_not_registered")

        self.start(answer)
        self.network.settle(600)
        self.assertLess(len(self.server.requests), 100)
        self.assertEqual(len(self.heard.notices), 1)

    def test_leaving_takes_it_back(self):
        self.start(granted(), listing(OURS), {"status": "OK"})
        stopping = self.service.stopService()
        self.network.settle()
        self.successResultOf(stopping)
        self.assertEqual(
            self.server.requests[-1],
            {"type": "UNREGISTER", "namespace": "CIC", "name": "alice", "port": 4000},
        )
        self.assertFalse(self.service.info().registered)

    def test_leaving_while_being_registered_takes_it_back_too(self):
        self.start(SILENCE, {"status": "OK"})
        stopping = self.service.stopService()
        self.network.settle()
        self.successResultOf(stopping)
        self.assertEqual(self.server.asked(), ["REGISTER", "UNREGISTER"])

    def test_leaving_takes_a_second_at_most(self):
        for answer in (SILENCE, ScriptedServer.CLOSE, b"nonsense\n", error("no")):
            self.setUp()
            self.start(granted(), listing(OURS), answer)
            stopping = self.service.stopService()
            self.network.settle(1)
            self.successResultOf(stopping)
            self.network.settle()
            self.assertEqual(self.network.clock.getDelayedCalls(), [])

    def test_leaving_a_server_that_is_away(self):
        self.start(granted(), listing(OURS))
        self.network.ports.clear()
        stopping = self.service.stopService()
        self.network.settle()
        self.successResultOf(stopping)

    def test_it_can_be_started_again(self):
        self.start(granted(), listing(OURS), {"status": "OK"}, granted(), listing(OURS))
        self.stop(self.service)
        self.server.asked()
        self.service.startService()
        self.network.settle()
        self.assertEqual(self.server.asked(), ["REGISTER", "DISCOVER"])


class TroubleTests(ServiceTestCase):
    def attempts(self, seconds):
        """Tell when connections were tried, in steps of the clock."""
        times, connect = [], self.network.listener

        def listener(host, port):
            times.append(self.network.clock.seconds())
            return connect(host, port)

        self.network.listener = listener
        self.network.settle(seconds)
        self.network.listener = connect
        return times

    def test_a_server_that_is_down_is_tried_with_growing_pauses(self):
        self.service.startService()
        times = self.attempts(300)
        pauses = [later - earlier for earlier, later in pairwise(times)]
        self.assertGreater(len(pauses), 7)
        for longest, pause in zip((1, 2, 4, 8, 16, 32, 60, 60), pauses, strict=False):
            self.assertTrue(longest * 0.75 <= pause <= longest + 1 / 16, (longest, pause))
        self.assertEqual(len(self.heard.notices), 1)
        self.assertIn("down", self.service.info().state)

    def test_it_is_told_when_the_next_try_is_while_it_fails_and_only_then(self):
        self.service.startService()
        self.network.settle(0.5)
        first = self.service.info().next_try
        self.assertTrue(0 < first <= 0.5 + 1 / 16, first)
        self.network.settle(20)
        self.assertGreater(self.service.info().next_try, 0)
        self.serve(granted(), listing(OURS))
        self.network.settle(60)
        self.assertEqual((self.service.info().state, self.service.info().next_try), ("up", None))

    def test_every_kind_of_trouble_is_told_once_and_so_is_its_end(self):
        for trouble, word in [
            (None, "down"),
            (SILENCE, "silent"),
            (b"nonsense\n", "nonsense"),
            (b"[" * 20_000, "nonsense"),
            (ScriptedServer.CLOSE, "blocking"),
            (error("registry_full"), "registry_full"),
        ]:
            self.setUp()
            if trouble is not None:
                self.serve(trouble)
            self.service.startService()
            self.network.settle(200)
            self.assertEqual([level for level, _ in self.heard.notices], ["warning"], trouble)
            self.assertIn(word, self.heard.notices[0][1])
            self.assertIn(word, self.service.info().state)
            self.assertFalse(self.service.info().registered)
            self.serve(lambda request: granted() | listing(OURS))
            self.network.settle(130)
            self.assertEqual([level for level, _ in self.heard.notices], ["warning", "info"])
            self.assertEqual(self.service.info().state, "up")
            self.stop(self.service)

    def test_asking_a_server_that_is_down_never_fails(self):
        self.service.startService()
        self.network.settle(10)
        asking = self.service.discover()
        self.network.settle()
        self.assertIsNone(self.successResultOf(asking))

    def test_a_server_that_blocks_is_left_alone_for_a_minute(self):
        self.start(granted(), listing(OURS))
        self.network.settle(5)
        self.serve(ScriptedServer.CLOSE)
        self.service.discover()
        self.network.settle()
        self.assertEqual(self.server.asked(), ["DISCOVER"])
        for _ in range(59):
            self.network.settle(1)
            self.service.peer_lost()
            self.assertIsNone(self.successResultOf(self.service.discover()))
        self.assertEqual(self.server.asked(), [])
        self.network.settle(5)
        self.assertEqual(self.server.asked(), ["DISCOVER"])

    def test_a_server_that_blocks_is_not_even_told_goodbye(self):
        self.start(granted(), ScriptedServer.CLOSE)
        self.server.asked()
        self.successResultOf(self.service.stopService())
        self.network.settle()
        self.assertEqual(self.server.asked(), [])

    def test_the_minutes_budget_is_no_trouble(self):
        self.start(lambda request: granted() | listing(OURS))
        for _ in range(60):
            self.network.settle(2.5)
            asking = self.service.discover()
            self.network.settle()
            self.assertIsNone(self.successResultOf(asking))
        for start in self.server.times:
            in_a_minute = sum(start <= time < start + 60 for time in self.server.times)
            self.assertLessEqual(in_a_minute, 20)
        self.assertEqual(self.heard.notices, [])

    def test_a_listener_that_breaks_stops_nothing(self):
        self.heard.discovered = lambda found: 1 / 0
        self.start(lambda request: granted() | listing(OURS))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.server.asked()
        self.network.settle(61)
        self.assertIn("DISCOVER", self.server.asked())
        self.flushLoggedErrors(ZeroDivisionError)

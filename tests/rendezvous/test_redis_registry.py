"""The registry in Redis: what is kept there, shared, and told while Redis is away."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.rendezvous import redis_registry
from p2pchat.rendezvous.messages import Register
from p2pchat.rendezvous.redis_registry import STALE_TIME, RedisRegistry
from p2pchat.rendezvous.registry import RegistryFullError, RegistryUnavailableError
from tests.rendezvous.at_once import result_of
from tests.rendezvous.backends import BOUNDS, RedisBackend
from tests.rendezvous.redis_case import ANA, GoingAwayClient, ScriptedClient


class RedisRegistryTests(SynchronousTestCase):
    def setUp(self):
        self.backend = RedisBackend(self)
        self.server = self.backend.server
        self.clock = Clock()
        self.registry = self.backend.begin(self.clock)

    def register(self, ip="10.0.0.1", registration=ANA):
        result_of(self.registry.register(ip, registration))

    def found(self, namespace=None, registry=None):
        return [peer.name for peer in result_of((registry or self.registry).find(namespace)).peers]

    def test_two_registries_are_one(self):
        other = self.backend.another()
        self.register()
        self.assertEqual(self.found(registry=other), ["ana"])
        self.assertTrue(result_of(other.knows("10.0.0.1")))
        self.assertEqual(result_of(other.unregister("10.0.0.1", "CIC", "ana", 4000)), 1)
        self.assertEqual(self.found(), [])

    def test_each_request_is_one_round_trip(self):
        requests = [
            lambda: self.registry.register("10.0.0.1", ANA),
            lambda: self.registry.knows("10.0.0.1"),
            lambda: self.registry.find("CIC"),
            lambda: self.registry.find(None),
            lambda: self.registry.census(),
            lambda: self.registry.unregister("10.0.0.1", "CIC", None, None),
        ]
        for request in requests:
            runs = self.backend.client.runs
            result_of(request())
            self.assertEqual(self.backend.client.runs, runs + 1)

    def test_thousands_are_found_slice_by_slice(self):
        registry = self.backend.another(max_entries=9999, max_per_ip=9999)
        names = {f"peer {number}" for number in range(5000)}
        for name in names:
            result_of(registry.register("10.0.0.1", Register("CIC", name, 4000, 60)))
        for namespace in ("CIC", None):
            runs = self.backend.client.runs
            found = self.found(namespace)
            self.assertEqual(len(found), 5000)
            self.assertEqual(set(found), names)
            self.assertGreater(self.backend.client.runs, runs + 1)

    def test_what_is_in_two_slices_is_found_once(self):
        row = '"10.0.0.1","CIC","ana",60000,4000,60'
        slices = [f'["{cursor}",0,[[{row}]]]'.encode() for cursor in (5, 0)]
        registry = RedisRegistry(ScriptedClient(slices), self.clock.seconds, **BOUNDS)
        self.assertEqual(self.found("CIC", registry), ["ana"])
        self.assertEqual(slices, [])

    def test_one_namespace_or_one_ip_costs_the_same_however_many_others_there_are(self):
        def cost():
            commands = self.commands()
            result_of(self.registry.find("CIC"))
            result_of(self.registry.knows("10.0.0.1"))
            self.register()
            result_of(self.registry.unregister("10.0.0.1", "CIC", "ana", None))
            self.register()
            result_of(self.registry.unregister("10.0.0.1", "CIC", None, None))
            return self.commands() - commands

        cost()
        few = cost()
        for number in range(300):
            self.register(f"10.1.0.{number}", Register(f"lab{number}", "bob", 4000, 60))
        self.assertEqual(cost(), few)

    def test_what_nobody_looks_at_any_more_goes_by_itself(self):
        self.register()
        self.register("10.0.0.2", Register("lab", "bob", 4000, 7200))
        left = {key: self.server.ask("PTTL", key) for key in self.server.ask("KEYS", "*")}
        self.assertEqual(len(left), 7)
        for key, milliseconds in left.items():
            is_anas = b"CIC" in key or b"10.0.0.1" in key
            self.assertLessEqual(milliseconds, 120_000 if is_anas else 7_260_000, key)
            self.assertGreater(milliseconds, 60_000 if is_anas else 7_200_000, key)

    def test_what_expired_goes_when_somebody_else_registers(self):
        for number in range(50):
            self.register(f"10.1.0.{number}", Register(f"lab{number}", "bob", 4000, 30))
        self.clock.advance(30)
        self.register()
        self.assertEqual(len(self.server.ask("KEYS", "*")), 5)
        self.assertEqual(self.server.ask("HLEN", "p2pchat:all"), 1)
        self.assertEqual(self.server.ask("ZCARD", "p2pchat:expiry"), 1)

    def test_who_leaves_leaves_nothing_behind(self):
        self.register()
        result_of(self.registry.unregister("10.0.0.1", "CIC", None, None))
        self.assertEqual(self.server.ask("KEYS", "*"), [])

    def test_those_who_expired_take_no_room_even_when_they_are_many(self):
        for number in range(150):
            self.register(registration=Register("CIC", f"peer {number}", 4000, 30))
        self.clock.advance(30)
        small = self.backend.another(max_entries=2, max_per_ip=2)
        result_of(small.register("10.0.0.1", ANA))
        result_of(small.register("10.0.0.1", Register("CIC", "bob", 4000, 60)))
        with self.assertRaises(RegistryFullError):
            result_of(small.register("10.0.0.1", Register("CIC", "eve", 4000, 60)))
        self.assertEqual(sorted(self.found("CIC")), ["ana", "bob"])
        self.assertEqual(result_of(small.census()), {"CIC": 2})

    def test_who_registers_again_for_less_is_gone_earlier(self):
        self.register(registration=Register("CIC", "ana", 4000, 7200))
        self.register()
        self.clock.advance(60)
        self.assertEqual(self.found("CIC"), [])
        self.assertFalse(result_of(self.registry.knows("10.0.0.1")))
        self.assertEqual(result_of(self.registry.census()), {})

    def test_by_itself_time_is_that_of_the_server(self):
        registry = RedisRegistry(self.backend.client, self.clock.seconds, **BOUNDS)
        result_of(registry.register("10.0.0.1", ANA))
        (peer,) = result_of(registry.find("CIC")).peers
        # if this takes longer, the machine is in worse trouble
        self.assertTrue(0 < peer.expires_in <= 60)
        seconds, _ = self.server.ask("TIME")
        _, expires = self.server.ask("ZRANGE", "p2pchat:expiry", 0, -1, "WITHSCORES")
        self.assertTrue(0 < float(expires) / 1000 - int(seconds) <= 61)

    def test_a_clock_that_is_set_back_prolongs_nothing_it_shows(self):
        self.clock.advance(5000)
        self.register()
        self.clock.rightNow = 1000.0
        (peer,) = result_of(self.registry.find(None)).peers
        self.assertEqual(peer.expires_in, 60)

    def commands(self):
        """Count the commands that the server has carried out, those of scripts too."""
        lines = self.server.ask("INFO", "commandstats").split()
        counts = [line.split(b"calls=")[1].split(b",")[0] for line in lines if b"calls=" in line]
        return sum(map(int, counts)) - self.own_commands(lines)

    def own_commands(self, lines):
        (line,) = [line for line in lines if line.startswith(b"cmdstat_info:")] or [b"calls=0,"]
        return int(line.split(b"calls=")[1].split(b",")[0])


class NonsenseTests(SynchronousTestCase):
    """What another program may have left in Redis, or in its place."""

    def unavailable(self, ask, *answers):
        registry = RedisRegistry(ScriptedClient(list(answers)), Clock().seconds, **BOUNDS)
        with self.assertRaises(RegistryUnavailableError):
            result_of(ask(registry))

    def test_what_is_no_list_of_registrations(self):
        row = b'"10.0.0.1","CIC","ana",60000,4000,60'
        for answer in (
            *(b"", b"[]", b'["0",0]', b'["0",0,[[1]]]', b'["0",0,[[%b,1]]]' % row, b"{", 7, None),
            *(b"[" * 5000, b'["0",1e400,[]]', b'["0",0,[["\xff","C","a",1,2,3]]]', [b"0"]),
        ):
            self.unavailable(lambda registry: registry.find("CIC"), answer)
            self.unavailable(lambda registry: registry.find(None), b'["5",0,[]]', answer)

    def test_a_census_of_something_else(self):
        for answer in (b"", b"[]", b'{"CIC":"x"}', b'{"C\xff":1}', 5, None):
            self.unavailable(lambda registry: registry.census(), answer)

    def test_texts_in_the_place_of_numbers(self):
        for answer in (b"1", None, [1]):
            self.unavailable(lambda registry: registry.knows("10.0.0.1"), answer)
            self.unavailable(lambda registry: registry.register("10.0.0.1", ANA), answer)
            self.unavailable(
                lambda registry: registry.unregister("10.0.0.1", "CIC", None, None), answer
            )

    def test_a_list_without_end(self):
        for bound, most in (("MAX_SLICES", 3), ("MAX_FOUND", 30)):
            self.patch(redis_registry, bound, most)
            self.unavailable(lambda registry: registry.find("CIC"), *[b'["5",0,[]]'] * 4)


class AwayTests(SynchronousTestCase):
    def setUp(self):
        backend = RedisBackend(self)
        self.clock = Clock()
        backend.begin(self.clock)
        self.client = GoingAwayClient(backend.client)
        self.registry = RedisRegistry(
            self.client, self.clock.seconds, redis_time=self.clock.seconds, **BOUNDS
        )
        result_of(self.registry.register("10.0.0.1", Register("CIC", "ana", 4000, 30)))
        result_of(self.registry.register("10.0.0.2", Register("CIC", "bob", 4000, 7200)))

    def found(self, namespace):
        peers = result_of(self.registry.find(namespace)).peers
        return [(peer.name, peer.expires_in) for peer in peers]

    def unavailable(self, coroutine):
        with self.assertRaises(RegistryUnavailableError):
            result_of(coroutine)

    def test_who_was_found_lately_is_found_as_long_as_he_was_registered(self):
        self.found("CIC")
        self.clock.advance(10)
        self.client.is_away = True
        self.assertEqual(sorted(self.found("CIC")), [("ana", 20), ("bob", 7190)])
        self.clock.advance(20)
        self.assertEqual(self.found("CIC"), [("bob", 7170)])
        self.clock.advance(STALE_TIME - 30)
        self.assertEqual(self.found("CIC"), [("bob", 7200 - STALE_TIME)])
        self.clock.advance(1)
        self.unavailable(self.registry.find("CIC"))

    def test_who_was_found_among_all_is_found_in_his_namespace(self):
        result_of(self.registry.register("10.0.0.2", Register("lab", "zoe", 4000, 7200)))
        self.found(None)
        self.client.is_away = True
        self.assertEqual([name for name, _ in self.found("lab")], ["zoe"])
        self.assertEqual(sorted(name for name, _ in self.found("CIC")), ["ana", "bob"])
        self.assertEqual(self.found("nobody's"), [])
        self.clock.advance(STALE_TIME + 1)
        self.unavailable(self.registry.find("lab"))

    def test_of_two_answers_the_newer_one_counts(self):
        self.found("CIC")
        self.clock.advance(10)
        result_of(self.registry.register("10.0.0.2", Register("CIC", "zoe", 4000, 7200)))
        self.found(None)
        self.client.is_away = True
        self.assertEqual(sorted(name for name, _ in self.found("CIC")), ["ana", "bob", "zoe"])

    def test_what_was_not_asked_for_is_not_known(self):
        self.found("CIC")
        self.client.is_away = True
        for namespace in ("lab", None):
            self.unavailable(self.registry.find(namespace))
        self.unavailable(self.registry.knows("10.0.0.3"))
        self.unavailable(self.registry.census())

    def test_who_registered_or_asked_lately_is_known(self):
        result_of(self.registry.knows("10.0.0.3"))
        self.client.is_away = True
        for ip, known in (("10.0.0.1", True), ("10.0.0.3", False)):
            self.assertEqual(result_of(self.registry.knows(ip)), known)
        self.clock.advance(STALE_TIME + 1)
        self.unavailable(self.registry.knows("10.0.0.1"))

    def test_nothing_changes(self):
        self.client.is_away = True
        self.unavailable(self.registry.register("10.0.0.3", ANA))
        self.unavailable(self.registry.unregister("10.0.0.2", "CIC", None, None))
        self.unavailable(self.registry.knows("10.0.0.3"))
        self.client.is_away = False
        self.assertEqual(len(self.found("CIC")), 2)

    def test_who_unregistered_lately_may_be_known_or_not(self):
        result_of(self.registry.unregister("10.0.0.1", "CIC", None, None))
        self.client.is_away = True
        self.unavailable(self.registry.knows("10.0.0.1"))

    def test_who_could_not_unregister_takes_nothing_from_his_neighbours(self):
        self.found("CIC")
        self.client.is_away = True
        self.unavailable(self.registry.unregister("10.0.0.1", "CIC", "bob", None))
        self.assertTrue(result_of(self.registry.knows("10.0.0.1")))

    def test_when_it_is_back_it_has_the_last_word(self):
        self.found("CIC")
        self.client.is_away = True
        self.found("CIC")
        self.client.is_away = False
        result_of(self.registry.unregister("10.0.0.1", "CIC", None, None))
        self.assertEqual(self.found("CIC"), [("bob", 7200)])
        self.assertFalse(result_of(self.registry.knows("10.0.0.1")))

"""Which backend a location names, and that each of them works on a reactor."""

import os
import sys
import time
from pathlib import Path
from unittest import mock

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from p2pchat.errors import ConfigError
from p2pchat.rendezvous.backends import make_backend
from p2pchat.rendezvous.limits import DEFAULT_LIMITS, RateLimiter
from p2pchat.rendezvous.messages import Register
from p2pchat.rendezvous.redis_limiter import RedisLimiter
from p2pchat.rendezvous.redis_place import RedisPlace, parse_redis_place
from p2pchat.rendezvous.redis_registry import RedisRegistry
from p2pchat.rendezvous.registry import MemoryRegistry, RegistryFullError
from p2pchat.rendezvous.sqlite_registry import SqliteRegistry
from tests.integration.programs import HERE
from tests.rendezvous.at_once import result_of
from tests.rendezvous.redis_server import RedisServer
from tests.temporary import temporary_path

ANA = Register("CIC", "ana", 4000, 60)


def make(location, reactor=reactor, **bounds):
    notices = []
    return make_backend(
        location,
        reactor,
        DEFAULT_LIMITS,
        time.time,
        lambda *notice: notices.append(notice),
        **bounds,
    )


class LocationTests(SynchronousTestCase):
    def test_each_names_its_kind(self):
        folder = temporary_path(self).parent
        for location, registry, limiter in (
            ("memory", MemoryRegistry, RateLimiter),
            (f"sqlite:{folder / 'file'}", SqliteRegistry, RateLimiter),
            ("redis://127.0.0.1", RedisRegistry, RedisLimiter),
        ):
            backend = make(location)
            self.assertIsInstance(backend.registry, registry)
            self.assertIsInstance(backend.limiter, limiter)

    def test_a_file_stays_where_it_was_when_the_folder_is_left(self):
        folder = temporary_path(self).parent
        before = Path.cwd()
        self.addCleanup(os.chdir, before)
        os.chdir(folder)
        backend = make("sqlite:file")
        self.assertEqual(backend.registry._file.path, folder.resolve() / "file")

    def test_anything_else_is_refused_in_one_line(self):
        folder = temporary_path(self).parent
        for location in (
            *("", "Memory", "memory:", "sqlite", "sqlite:", "postgres://:secret@host"),
            *(f"sqlite:{folder}", f"sqlite:{folder / 'none' / 'file'}"),
            *("redis:", "redis://", "redis://:secret@", "redis://host:port", "redis://host:0"),
            *("redis://host:65536", "redis://host/x", "redis://host/1/2", "redis://host/-1"),
            *("redis://host/1?x=1", "redis:host", "rediss://:secret@host", "redis://[::1"),
        ):
            with self.assertRaises(ConfigError, msg=location) as caught:
                make(location)
            self.assertRegex(str(caught.exception), r"\Aregistry: expected .+\Z")
            self.assertNotIn("secret", str(caught.exception))

    def test_places_of_redis(self):
        for location, place in (
            ("redis://host", RedisPlace("host", 6379, 0, "", "")),
            ("redis://host/", RedisPlace("host", 6379, 0, "", "")),
            ("redis://:p%40ss@10.0.0.1:7000/15", RedisPlace("10.0.0.1", 7000, 15, "", "p@ss")),
            ("redis://ana:pw@[::1]:7000", RedisPlace("::1", 7000, 0, "ana", "pw")),
        ):
            self.assertEqual(parse_redis_place(location), place)
        self.assertEqual(str(place), "[::1]:7000/0")

    def test_without_txredisapi_it_is_told_how_to_get_it(self):
        with mock.patch.dict(sys.modules, {"txredisapi": None}):
            with self.assertRaises(ConfigError) as caught:
                make("redis://host")
            make("memory")
        self.assertIn("pip install 'p2pchat[redis]'", str(caught.exception))

    def test_a_clock_that_is_set_back_prolongs_nothing(self):
        clock = Clock()
        clock.advance(5000)
        registry = make("memory", clock).registry
        result_of(registry.register("10.0.0.1", ANA))
        clock.advance(20)
        result_of(registry.find(None))
        clock.rightNow -= 3600
        result_of(registry.find(None))
        clock.advance(39)
        (peer,) = result_of(registry.find(None)).peers
        self.assertEqual(peer.expires_in, 1)
        clock.advance(1)
        self.assertEqual(result_of(registry.find(None)).peers, [])


class WorkingTests(TestCase):
    """Trial finds the threads' work, timers and sockets that are left."""

    timeout = 30

    async def check(self, location):
        backend = make(location, max_entries=3, max_per_ip=2)
        registry, limiter = backend
        await registry.open()
        self.addCleanup(lambda: Deferred.fromCoroutine(registry.close()))
        await registry.register("10.0.0.1", ANA)
        await registry.register("10.0.0.1", Register("CIC", "bob", 4000, 60))
        with self.assertRaises(RegistryFullError):
            await registry.register("10.0.0.1", Register("CIC", "eve", 4000, 60))
        await registry.register("10.0.0.2", ANA)
        with self.assertRaises(RegistryFullError):
            await registry.register("10.0.0.3", ANA)
        self.assertEqual(len((await registry.find("CIC")).peers), 3)
        self.assertEqual(await registry.census(), {"CIC": 3})
        verdict = Deferred()
        limiter.judge("10.0.0.1", verdict.callback)
        self.assertTrue((await verdict).admitted)
        await registry.close()

    async def test_memory(self):
        await self.check("memory")

    async def test_sqlite(self):
        path = temporary_path(self)
        await self.check(f"sqlite:{path}")
        again = make(f"sqlite:{path}").registry
        await again.open()
        self.assertEqual(len((await again.find("CIC")).peers), 3)
        await again.close()

    async def test_redis(self):
        server = RedisServer(self)
        await self.check(f"redis://{HERE}:{server.port}/2")

    async def test_closed_without_being_opened(self):
        for location in ("memory", f"sqlite:{temporary_path(self)}", "redis://127.0.0.1:1"):
            await make(location).registry.close()

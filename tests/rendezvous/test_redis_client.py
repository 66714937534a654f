"""The connection to a real Redis: what is answered, how it is lost, and that it comes back."""

from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred, gatherResults
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from p2pchat.rendezvous import redis_client
from p2pchat.rendezvous.redis_client import REPLY_TIME, RETRY_TIME, RedisAwayError, RedisClient
from p2pchat.rendezvous.redis_place import RedisPlace
from tests.integration.programs import HERE
from tests.rendezvous.redis_server import RedisServer

ECHO = b"return ARGV[1]"
WRITE = b"return redis.call('INCRBY', KEYS[1], ARGV[1])"


class RedisCase(TestCase):
    """A server, and clients whose notices are kept."""

    timeout = 15

    def setUp(self):
        self.notices = []

    def client(self, server, **place):
        client = RedisClient(
            reactor, RedisPlace(HERE, server.port, **place), lambda *notice: self.notice(*notice)
        )
        self.addCleanup(client.close)
        return client

    def notice(self, level, text):
        self.notices.append((level, text))

    def told(self):
        """Return the notices since the last time: their levels and what they begin with."""
        told = [f"{level}: {' '.join(text.split()[3:5])}" for level, text in self.notices]
        self.notices.clear()
        return told

    async def until(self, condition):
        """Wait until condition() is true; the test's own timeout bounds it."""
        while not condition():
            await deferLater(reactor, 0.01)

    async def away(self, client):
        with self.assertRaises(RedisAwayError):
            await client.run(ECHO, [], b"x")


class AnswersTests(RedisCase):
    timeout = 60

    def setUp(self):
        super().setUp()
        # on a machine that is busy a server may take longer than a node waits
        self.patch(redis_client, "REPLY_TIME", self.timeout)

    async def test_bytes_and_numbers_come_back_as_they_are(self):
        server = RedisServer(self)
        client = self.client(server, database=3)
        await client.open()
        for value in (b"", b"a", b"12", b"1.5", b"\xff\r\n\x00", b"x" * 300_000):
            self.assertEqual(await client.run(ECHO, [], value), value)
        self.assertEqual(await client.run(WRITE, [b"key"], 5), 5)
        self.assertEqual(await client.run(WRITE, [b"key"], -2), 3)
        self.assertIn(b"db3:keys=1", server.ask("INFO", "keyspace"))
        self.assertEqual(self.notices, [])

    async def test_many_at_a_time_get_each_their_own(self):
        client = self.client(RedisServer(self))
        await client.open()
        asked = [b"%d" % number for number in range(300)]
        answers = await gatherResults([ensureDeferred(client.run(ECHO, [], w)) for w in asked])
        self.assertEqual(answers, asked)

    async def test_a_server_that_forgot_the_script_is_told_it_again(self):
        server = RedisServer(self)
        client = self.client(server)
        await client.open()
        for _ in range(3):
            self.assertEqual(await client.run(ECHO, [], b"x"), b"x")
            server.ask("SCRIPT", "FLUSH")

    async def test_a_password_and_a_user(self):
        server = RedisServer(self, "--requirepass", "se cret")
        for place in ({}, {"user": "default"}):
            client = self.client(server, password="se cret", **place)
            await client.open()
            self.assertEqual(await client.run(ECHO, [], b"x"), b"x")

    async def test_who_leaves_while_it_is_answered_disturbs_nobody(self):
        client = self.client(RedisServer(self))
        await client.open()
        left = ensureDeferred(client.run(ECHO, [], b"left"))
        stays = ensureDeferred(client.run(ECHO, [], b"stays"))
        left.addErrback(lambda why: None)
        left.cancel()
        self.assertEqual(await stays, b"stays")
        self.assertEqual(await client.run(ECHO, [], b"next"), b"next")


class AwayTests(RedisCase):
    async def test_nobody_there_at_first(self):
        server = RedisServer(self, start=False)
        client = self.client(server)
        await client.open()
        await self.away(client)
        self.assertEqual(self.told(), ["warning: is away:"])
        server.start()
        await self.until(lambda: self.notices)
        self.assertEqual(self.told(), ["info: is back"])
        self.assertEqual(await client.run(ECHO, [], b"x"), b"x")

    async def test_killed_and_back_again(self):
        server = RedisServer(self)
        client = self.client(server)
        await client.open()
        for _ in range(2):
            self.assertEqual(await client.run(ECHO, [], b"x"), b"x")
            server.kill()
            await self.until(lambda: self.notices)
            for _ in range(3):
                await self.away(client)
            self.assertEqual(self.told(), ["warning: is away:"])
            server.start()
            await self.until(lambda: self.notices)
            self.assertEqual(self.told(), ["info: is back"])
            self.assertEqual(client._factory.delay, RETRY_TIME)

    async def test_one_that_hangs_at_first(self):
        server = RedisServer(self)
        server.pause()
        client = self.client(server)
        await client.open()
        self.assertEqual(self.told(), ["warning: is away:"])
        server.resume()
        await self.until(lambda: self.notices)
        self.assertEqual(self.told(), ["info: is back"])

    async def test_what_waits_for_a_server_that_is_killed_fails_at_once(self):
        server = RedisServer(self)
        client = self.client(server)
        await client.open()
        server.pause()
        waiting = self.away(client)
        failing = gatherResults([ensureDeferred(waiting), ensureDeferred(self.away(client))])
        server.kill()
        await failing

    async def test_one_that_hangs_is_given_up_and_comes_back(self):
        server = RedisServer(self)
        client = self.client(server)
        await client.open()
        server.pause()
        await self.away(client)
        await self.until(lambda: self.notices)
        self.assertIn("is away: it does not answer", self.notices[0][1])
        # it goes on taking connections, which are no good
        await deferLater(reactor, REPLY_TIME + 0.5)
        await self.away(client)
        self.assertEqual(self.told(), ["warning: is away:"])
        server.resume()
        await self.until(lambda: self.notices)
        self.assertEqual(self.told(), ["info: is back"])
        self.assertEqual(await client.run(ECHO, [], b"x"), b"x")

    async def test_one_that_is_slow_keeps_its_connection(self):
        server = RedisServer(self)
        client = self.client(server)
        await client.open()
        wire = client._wire
        server.pause()
        await self.away(client)
        # by now it is known, and nobody waits
        late = ensureDeferred(self.away(client))
        self.assertTrue(late.called)
        await late
        server.resume()
        await self.until(lambda: client._wire)
        self.assertIs(client._wire, wire)
        self.assertEqual(await client.run(ECHO, [], b"x"), b"x")
        self.assertEqual(self.notices, [])

    async def test_a_password_that_is_wrong_for_now(self):
        server = RedisServer(self, "--requirepass", "old")
        client = self.client(server, password="new")
        await client.open()
        await self.away(client)
        self.assertIn("WRONGPASS", self.notices[0][1])
        self.assertNotIn("new", self.notices[0][1])
        self.told()
        server.kill()
        server._options = ("--requirepass", "new")
        server.start()
        await self.until(lambda: self.notices)
        self.assertEqual(self.told(), ["info: is back"])

    async def test_one_that_has_too_many_clients_for_now(self):
        server = RedisServer(self)
        first, second = self.client(server), self.client(server)
        await first.open()
        server.ask("CONFIG", "SET", "maxclients", "1")
        await second.open()
        await self.away(second)
        self.assertIn("max number of clients", self.notices[0][1])
        self.told()
        await first.close()
        await self.until(lambda: self.notices)
        self.assertEqual(self.told(), ["info: is back"])
        self.assertEqual(await second.run(ECHO, [], b"x"), b"x")

    async def test_one_that_does_not_write_for_now(self):
        server = RedisServer(self)
        client = self.client(server)
        await client.open()
        server.ask("CONFIG", "SET", "maxmemory", "1")
        for _ in range(3):
            with self.assertRaises(RedisAwayError):
                await client.run(WRITE, [b"key"], 1)
            self.assertEqual(await client.run(ECHO, [], b"x"), b"x")
        self.assertEqual(self.told(), ["warning: refuses: OOM"])
        server.ask("CONFIG", "SET", "maxmemory", "0")
        self.assertEqual(await client.run(WRITE, [b"key"], 1), 1)
        self.assertEqual(self.told(), ["info: does its"])


class ClosingTests(RedisCase):
    """Trial finds the timers and sockets that are left."""

    async def test_while_connected_away_and_never_opened(self):
        server = RedisServer(self)
        connected, never = self.client(server), self.client(server)
        await connected.open()
        for client in (connected, never):
            await client.close()
            await client.close()
            await self.away(client)
        server.kill()
        away = self.client(server)
        await away.open()
        await away.close()
        self.assertEqual(self.told(), ["warning: is away:"])

    async def test_while_something_waits_for_an_answer(self):
        server = RedisServer(self)
        client = self.client(server)
        await client.open()
        server.pause()
        waiting = ensureDeferred(self.away(client))
        await client.close()
        await waiting
        self.assertEqual(self.notices, [])

    async def test_while_it_connects(self):
        server = RedisServer(self)
        server.pause()
        client = self.client(server)
        opening = client.open()
        await client.close()
        await opening
        self.assertIsInstance(opening, Deferred)

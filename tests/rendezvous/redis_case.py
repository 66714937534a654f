"""Clients of a Redis that goes away, or says what a test has it say."""

from p2pchat.rendezvous.messages import Register
from p2pchat.rendezvous.redis_client import RedisAwayError

ANA = Register("CIC", "ana", 4000, 60)


class GoingAwayClient:
    """A client whose Redis is away when a test says so."""

    def __init__(self, client):
        self._client = client
        self.is_away = False

    async def run(self, script, keys, *arguments):
        if self.is_away:
            raise RedisAwayError("away")
        return await self._client.run(script, keys, *arguments)


class ScriptedClient:
    """A client with the next answers of its Redis."""

    def __init__(self, answers):
        self._answers = answers

    async def run(self, script, keys, *arguments):
        return self._answers.pop(0)

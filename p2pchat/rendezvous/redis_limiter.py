"""A rate limit that many servers share through Redis (docs/protocols.md, section 1)."""

from collections import OrderedDict
from collections.abc import Callable

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from p2pchat.rendezvous import redis_scripts as scripts
from p2pchat.rendezvous.limits import RateLimiter, Verdict
from p2pchat.rendezvous.redis_client import RedisAwayError, RedisClient

#: Seconds in which Redis has to tell; without it, this server counts for itself.
JUDGE_TIME = 0.5


class RedisLimiter:
    """Counts the connections of each IP to all servers together, by the rule of RateLimiter.

    While Redis is away or slow, `fallback` counts those to this server. That an IP is blocked is
    remembered here, of at most `max_sources` IPs, so that those who go on cost Redis nothing.
    `redis_time` (seconds since 1970) takes the place of the Redis server's clock, for tests.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        client: RedisClient,
        fallback: RateLimiter,
        *,
        limit: int,
        span: float,
        block_time: float,
        max_sources: int,
        redis_time: Callable[[], float] | None = None,
    ) -> None:
        self._clock = clock
        self._client = client
        self._fallback = fallback
        self._rule = (limit, int(span * 1000), int(block_time * 1000))
        self._block_time = block_time
        self._max_sources = max_sources
        self._redis_time = redis_time
        # Until when; the IP blocked last is at the end.
        self._blocked: OrderedDict[str, float] = OrderedDict()

    def judge(self, ip: str, told: Callable[[Verdict], None]) -> None:
        """Count one connection from ip, and tell within JUDGE_TIME whether it is served."""
        left = self._blocked_for(ip)
        if left > 0:
            told(Verdict(False, left))
            return
        asking = Deferred.fromCoroutine(self._ask(ip))
        asking.addTimeout(JUDGE_TIME, self._clock)
        asking.addErrback(self._judge_alone, ip)
        asking.addCallback(told)
        asking.addErrback(lambda why: self.log.failure("[Rendezvous] {ip} not judged", why, ip=ip))

    def admit(self, ip: str) -> bool:
        """Return False: only Redis can tell."""
        return False

    async def _ask(self, ip: str) -> Verdict:
        now = b"" if self._redis_time is None else int(self._redis_time() * 1000)
        key = ip.encode("ascii", "backslashreplace")
        keys = [scripts.RATE + key, scripts.BLOCKED + key]
        left = await self._client.run(scripts.JUDGE, keys, now, *self._rule)
        if not isinstance(left, int):
            raise RedisAwayError("Redis answers what was not asked")
        if left == 0:
            return Verdict(True)
        if left < 0:
            self._note(ip, self._block_time)
            return Verdict(False)
        self._note(ip, left / 1000)
        return Verdict(False, left / 1000)

    def _judge_alone(self, why: Failure, ip: str) -> Verdict:
        if why.check(RedisAwayError, TimeoutError) is None:
            self.log.failure("[Rendezvous] Redis could not judge {ip}", why, ip=ip)
        return self._fallback.verdict(ip)

    def _blocked_for(self, ip: str) -> float:
        until = self._blocked.get(ip)
        if until is None:
            return 0.0
        left = until - self._clock.seconds()
        if 0 < left <= self._block_time:  # more than that: the clock was set back
            return left
        del self._blocked[ip]
        return 0.0

    def _note(self, ip: str, left: float) -> None:
        self._blocked[ip] = self._clock.seconds() + left
        self._blocked.move_to_end(ip)
        while len(self._blocked) > self._max_sources:
            self._blocked.popitem(last=False)

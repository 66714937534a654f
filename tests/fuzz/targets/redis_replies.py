"""What Redis replies to the registry's and the rate limit's scripts.

byte 0 chooses what is asked, whether the last reply comes again without end, and whether it knows
who asks. The rest are replies with 0x00 between them: `:1` a number, `-x` an error, `*` something
else, all others are texts. Whatever is in them the answer is one of the registry's, that our own
client can read, or that it is not there now; a limiter always judges; and neither keeps more than
it is to.
"""

from collections.abc import Coroutine, Sequence
from typing import Any
from unittest.mock import patch

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from p2pchat.rendezvous import redis_registry
from p2pchat.rendezvous import redis_scripts as scripts
from p2pchat.rendezvous.answering import Answer, Asker, answer
from p2pchat.rendezvous.limits import DEFAULT_LIMITS, Verdict, make_limiter
from p2pchat.rendezvous.redis_client import RedisAwayError
from p2pchat.rendezvous.redis_limiter import RedisLimiter
from p2pchat.rendezvous.redis_registry import RedisRegistry
from p2pchat.rendezvous.registry import RegistryUnavailableError
from tests.fuzz.cuts import pieces
from tests.fuzz.targets import rendezvous_answers, words
from tests.fuzz.watch import no_failures_logged

MAX_LENGTH = 2048
WORDS = (
    *words.VALUES,
    *(b'["0",', b'["5",', b",[[", b"],[", b"]]]", b'"10.0.0.1","CIC","ana",', b"60000,4000,60"),
    *(b":0", b":1", b":-1", b"-ERR", b"*", b"\0", b"\n,", b'{"CIC":1}'),
)

#: Slices of an answer, and bytes of them all, that are taken here.
SLICES, FOUND = 8, 4096

#: How often Redis is asked at the most, for any question.
MOST_ASKED = 4 * (SLICES + 2)

#: Bits of the first byte: what is asked, that the last reply comes again and again, and that who
#: asks is known, whatever the replies are.
QUESTION, ENDLESS, KNOWN = 7, 8, 16

ASKER = Asker("10.0.0.9", lambda: "10.0.0.8")
REQUESTS = (
    b'{"type":"DISCOVER"}',
    b'{"type":"DISCOVER","namespace":"CIC"}',
    b'{"type":"REGISTER","namespace":"CIC","name":"ana","port":4000}',
    b'{"type":"UNREGISTER","namespace":"CIC","name":"ana","port":4000}',
)
CENSUS, AGAIN = 4, 5


class Client:
    """A client whose Redis replies this; then it is away, or says the last thing for ever."""

    def __init__(self, replies: list[bytes], mode: int) -> None:
        self.asked = 0
        self._replies = replies
        self._endless = bool(mode & ENDLESS)
        self._knows = bool(mode & KNOWN)

    async def run(self, script: bytes, keys: Sequence[bytes], *arguments: bytes | int) -> Any:
        self.asked += 1
        assert self.asked <= MOST_ASKED, "it is asked without end"
        if self._knows and script == scripts.KNOWS:
            return 1
        if not self._replies:
            raise RedisAwayError("away")
        last = self._endless and len(self._replies) == 1
        return _value(self._replies[0] if last else self._replies.pop(0))


def check(data: bytes) -> None:
    """Ask a Redis that replies this."""
    mode = data[0] if data else 0
    client = Client(b"".join(pieces(data[1:])).split(b"\0"), mode)
    with no_failures_logged(), patch.multiple(redis_registry, MAX_SLICES=SLICES, MAX_FOUND=FOUND):
        if mode & QUESTION > AGAIN:
            _judge(client)
        else:
            _ask(client, mode & QUESTION)


def _ask(client: Client, question: int) -> None:
    clock = Clock()
    bounds = {"max_entries": 100, "max_per_ip": 10}
    registry = RedisRegistry(client, clock.seconds, **bounds)  # type: ignore[arg-type]
    if question == CENSUS:
        _check_census(_result(registry.census()))
        return
    for request in REQUESTS[:2] * 2 if question == AGAIN else (REQUESTS[question],):
        _check_answer(_result(answer(registry, request, ASKER)))
        clock.advance(7)


def _result(asking: Coroutine[Any, Any, Any]) -> Any:
    outcome: list[Any] = []
    running = Deferred.fromCoroutine(asking)
    running.addErrback(lambda failure: failure.trap(RegistryUnavailableError))
    running.addBoth(outcome.append)
    (result,) = outcome
    if hasattr(result, "raiseException"):
        result.raiseException()
    return result


def _check_answer(found: Answer) -> None:
    assert found.line.count(b"\n") == 1, "not one line"
    assert found.line.isascii(), "not ASCII"
    rendezvous_answers.read(found.line[:-1])


def _check_census(counts: Any) -> None:
    if counts is not RegistryUnavailableError:
        for namespace, count in counts.items():
            assert isinstance(namespace, str), "a namespace that is no text"
            assert isinstance(count, int), "a number that is none"


def _judge(client: Client) -> None:
    clock, limits, told = Clock(), DEFAULT_LIMITS, list[Verdict]()
    limiter = RedisLimiter(
        clock,
        client,  # type: ignore[arg-type]
        make_limiter(clock.seconds, limits),
        limit=limits.rate_limit,
        span=limits.rate_window,
        block_time=limits.block_time,
        max_sources=3,
    )
    for number in range(6):
        limiter.judge(f"10.0.0.{number}", told.append)
        assert len(told) == number + 1, "nobody is told"
        assert len(limiter._blocked) <= 3, "more than may be is kept"
    assert not clock.getDelayedCalls(), "a timer is left"


def _value(reply: bytes) -> Any:
    """Read a reply as txredisapi gives it to us."""
    if reply.startswith(b"-"):
        raise RedisAwayError(reply[1:].decode("utf-8", "replace"))
    if reply.startswith(b"*"):
        return None if reply == b"*" else reply[1:].split(b",")
    if reply.startswith(b":"):
        digits = reply[1:20].lstrip(b"+")
        try:
            return int(digits)
        except ValueError:
            return reply
    return reply

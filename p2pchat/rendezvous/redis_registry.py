"""A registry in Redis (or Valkey): any number of servers share it, and any of them may end.

What is kept there and how is in redis_scripts.py; every method is one round trip, but for
thousands that are found slice by slice. While Redis is
away, who is registered and what is found is answered as it was lately, and everything else with
RegistryUnavailableError.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple, TypeVar

import msgspec

from p2pchat.rendezvous import redis_scripts as scripts
from p2pchat.rendezvous.listing import Listing, Rows
from p2pchat.rendezvous.messages import Register
from p2pchat.rendezvous.redis_client import RedisAwayError, RedisClient
from p2pchat.rendezvous.redis_lately import Lately
from p2pchat.rendezvous.redis_together import Together
from p2pchat.rendezvous.registry import RegistryFullError, RegistryUnavailableError
from p2pchat.rendezvous.replies import Listed

#: For how many seconds an answer is given again while Redis is away: longer than the minute after
#: which clients ask again, and shorter than they live.
STALE_TIME = 90.0

#: Bytes of what was found, and how many IPs that are known, are kept for that.
STALE_SIZE = 32 * 1024 * 1024
STALE_IPS = 50_000

#: Slices of one answer, and bytes of them all: more than a million registrations have, so that what
#: is no registry, or a scan that never ends, takes no more.
MAX_SLICES = 2048
MAX_FOUND = 256 * 1024 * 1024

_SHARED = (scripts.ALL, scripts.EXPIRY, scripts.NAMESPACES)


class _Row(NamedTuple):
    ip: str
    namespace: str
    name: str
    expires: int
    port: int
    ttl: int


# IP, namespace and name.
_Name = tuple[str, str, str]


class _Slice(NamedTuple):
    """A part of what is found; `cursor` tells where the next one begins."""

    cursor: str
    now: int
    rows: list[_Row]


T = TypeVar("T")

_SLICE = msgspec.json.Decoder(_Slice)
_COUNTS = msgspec.json.Decoder(dict[str, int])


class RedisRegistry:
    """Registrations that many servers share.

    `seconds` tells the time by which answers become old. The registrations themselves live by the
    clock of the Redis server, or by `redis_time` (seconds since 1970) in its place, for tests.
    """

    at_once = False

    def __init__(
        self,
        client: RedisClient,
        seconds: Callable[[], float],
        *,
        max_entries: int,
        max_per_ip: int,
        redis_time: Callable[[], float] | None = None,
    ) -> None:
        self._client = client
        self._redis_time = redis_time
        self._max_entries = max_entries
        self._max_per_ip = max_per_ip
        self._finding = Together(self._find)
        self._found: Lately[list[bytes]] = Lately(seconds, span=STALE_TIME, max_cost=STALE_SIZE)
        self._known: Lately[bool] = Lately(seconds, span=STALE_TIME, max_cost=STALE_IPS)

    async def open(self) -> None:
        """Connect; Redis may be away for now."""
        await self._client.open()

    async def close(self) -> None:
        """End the connection."""
        await self._client.close()

    async def register(self, ip: str, registration: Register) -> None:
        namespace = _json(registration.namespace)
        has_room = await self._run(
            int,
            scripts.REGISTER,
            [*_SHARED, scripts.NAMESPACE + namespace, _ip_key(ip)],
            _member(ip, registration.namespace, registration.name),
            namespace,
            registration.port,
            registration.ttl * 1000,
            self._max_entries,
            self._max_per_ip,
        )
        if not has_room:
            raise RegistryFullError("there is no room for another registration")
        self._known.put(ip, True)

    async def knows(self, ip: str) -> bool:
        try:
            known = bool(await self._run(int, scripts.KNOWS, [_ip_key(ip)]))
        except RegistryUnavailableError:
            lately = self._known.get(ip)
            if lately is None:
                raise
            return lately.value
        self._known.put(ip, known)
        return known

    async def find(self, namespace: str | None) -> Listing:
        try:
            return Rows(await self._finding.ask(namespace))
        except RegistryUnavailableError:
            found = self._found_lately(namespace)
            if found is None:
                raise
            return Rows(found)

    async def unregister(self, ip: str, namespace: str, name: str | None, port: int | None) -> int:
        gone = await self._run(
            int,
            scripts.UNREGISTER,
            [scripts.NAMESPACE + _json(namespace), _ip_key(ip)],
            _member(ip, namespace, name),
            int(name is None),
            b"" if port is None else port,
        )
        if gone:
            self._known.drop(ip)
        return gone

    async def census(self) -> Mapping[str, int]:
        return _read(_COUNTS, await self._run(bytes, scripts.CENSUS, [scripts.NAMESPACES]))

    async def _find(self, namespace: str | None) -> Sequence[Listed]:
        key = scripts.ALL if namespace is None else scripts.NAMESPACE + _json(namespace)
        contents: list[bytes] = []
        found: dict[_Name, Listed] = {}
        size, cursor = 0, ""
        while cursor != "0":
            asked = (cursor or "0").encode("ascii", "replace")
            content = await self._run(bytes, scripts.FIND, [key], asked)
            part = _read_slice(content)
            found.update(_peers(part))
            contents.append(content)
            size, cursor = size + len(content), part.cursor or "0"
            if len(contents) > MAX_SLICES or size > MAX_FOUND:
                raise RegistryUnavailableError("Redis lists without end")
        self._found.put(namespace, contents, size)
        return list(found.values())

    def _found_lately(self, namespace: str | None) -> list[Listed] | None:
        """Return who was found last, be it among all; None if that is too long ago."""
        answers = [self._found.get(namespace), self._found.get(None)]
        newest = min((one for one in answers if one), key=lambda one: one.age, default=None)
        if newest is None:
            return None
        found = chain.from_iterable(
            _peers(_read_slice(content), newest.age) for content in newest.value
        )
        peers = dict(found).values()
        return [peer for peer in peers if namespace is None or peer.namespace == namespace]

    async def _run(
        self, kind: type[T], script: bytes, keys: Sequence[bytes], *arguments: bytes | int
    ) -> T:
        now = b"" if self._redis_time is None else int(self._redis_time() * 1000)
        try:
            answer = await self._client.run(script, keys, now, *arguments)
        except RedisAwayError as error:
            raise RegistryUnavailableError(str(error)) from error
        if not isinstance(answer, kind):
            raise RegistryUnavailableError("Redis answers what was not asked")
        return answer


def _json(text: str) -> bytes:
    # ASCII, so that half characters, which may be asked for, are no trouble
    return json.dumps(text).encode("ascii")


def _ip_key(ip: str) -> bytes:
    return scripts.IP + _json(ip)


def _member(ip: str, namespace: str, name: str | None) -> bytes:
    """Write a registration as redis_scripts.py says, or with no name how all of them begin."""
    last = b"" if name is None else _json(name)
    return b"\n,".join([_json(ip), _json(namespace), last])


def _read_slice(content: bytes) -> _Slice:
    return _read(_SLICE, content)


def _read(decoder: msgspec.json.Decoder[T], content: bytes) -> T:
    """Read what a script made of what is kept; who else writes there may have kept anything."""
    try:
        return decoder.decode(content)
    except (ValueError, RecursionError) as error:  # a DecodeError, or half a character
        raise RegistryUnavailableError("Redis holds what is no registration") from error


def _peers(part: _Slice, age: float = 0.0) -> Iterator[tuple[_Name, Listed]]:
    """List what was found `age` seconds ago, without what has expired since.

    What Redis moved meanwhile can be in two slices.
    """
    now = part.now + int(age * 1000)
    return ((row[:3], _peer(row, now)) for row in part.rows if row.expires > now)


def _peer(row: _Row, now: int) -> Listed:
    # Counted from the end of the present second, as in memory (roll.py);
    # if the clock of Redis was set back, what is left can be more than there ever was
    left = min(row.expires // 1000 + -now // 1000, row.ttl)
    return Listed(row.ip, row.port, row.name, row.namespace, row.ttl, max(0, left))

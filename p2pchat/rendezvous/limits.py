"""How often: a sliding window, and the rate limit of a server (docs/protocols.md, section 1)."""

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import NamedTuple, Protocol

import msgspec


class SlidingWindow:
    """When something happened lately: never more often than `limit` times in `span` seconds."""

    __slots__ = ("_times", "limit", "span")

    def __init__(self, limit: int, span: float) -> None:
        self.limit = limit
        self.span = span
        self._times: deque[float] = deque(maxlen=limit)

    def wait(self, now: float, limit: int | None = None) -> float:
        """Tell in how many seconds it may happen again; 0 if it may now.

        A limit that is given is used in place of the window's, and may not be higher.
        """
        limit = self.limit if limit is None else limit
        if self._times and self._times[-1] > now:
            self._times.clear()  # the clock was set back: what is noted tells nothing
        if len(self._times) < limit:
            return 0.0
        return max(0.0, self._times[-limit] + self.span - now)

    def add(self, now: float) -> None:
        """Note that it happened."""
        self._times.append(now)

    def take_back(self) -> None:
        """Forget the last time: it did not happen after all."""
        if self._times:
            self._times.pop()

    def clear(self) -> None:
        """Forget every time."""
        self._times.clear()


class Verdict(NamedTuple):
    """Whether a connection is served; if not and `blocked_for` is over 0, it is told so."""

    admitted: bool
    blocked_for: float = 0.0


_ADMITTED = Verdict(True)


class Limiter(Protocol):
    """Decides which connections are served, by how often their IP connects."""

    def judge(self, ip: str, told: Callable[[Verdict], None]) -> None:
        """Count one connection from ip, and tell, now or soon, whether it is served.

        `told` is called once, and within a bounded time.
        """

    def admit(self, ip: str) -> bool:
        """Count one connection from ip and return True, if it is sure now that it is served.

        If not, nothing is counted, and it is for judge() to tell.
        """
        ...


class _Source:
    __slots__ = ("blocked_until", "seen_at", "window")

    def __init__(self, window: SlidingWindow) -> None:
        self.window = window
        self.blocked_until = 0.0
        self.seen_at = 0.0


class RateLimiter:
    """Counts the connections of each IP and blocks the ones that come too often.

    One connection more than `limit` in `span` seconds is closed, and for `block_time` seconds from
    then on every further one is told to go away; only then does counting begin again. At most
    `max_sources` IPs are remembered, those that were not seen for longest forgotten first.
    """

    def __init__(
        self,
        seconds: Callable[[], float],
        *,
        limit: int,
        span: float,
        block_time: float,
        max_sources: int,
    ) -> None:
        self._seconds = seconds
        self._limit = limit
        self._span = span
        self._block_time = block_time
        self._max_sources = max_sources
        # The IP seen last is at the end.
        self._sources: OrderedDict[str, _Source] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sources)

    def judge(self, ip: str, told: Callable[[Verdict], None]) -> None:
        """Count one connection from ip, and tell at once whether it is served."""
        told(self.verdict(ip))

    def verdict(self, ip: str) -> Verdict:
        """Count one connection from ip and return whether it is served."""
        now = self._seconds()
        source = self._source(ip, now)
        left = source.blocked_until - now
        if 0 < left <= self._block_time:  # more than that: the clock was set back
            return Verdict(False, left)
        if source.window.wait(now) > 0:
            source.blocked_until = now + self._block_time
            source.window.clear()
            return Verdict(False)
        source.window.add(now)
        return _ADMITTED

    def admit(self, ip: str) -> bool:
        """Count one connection from ip if it is served, and tell whether it is."""
        now = self._seconds()
        source = self._source(ip, now)
        if 0 < source.blocked_until - now <= self._block_time or source.window.wait(now) > 0:
            return False
        source.window.add(now)
        return True

    def _source(self, ip: str, now: float) -> _Source:
        source = self._sources.get(ip)
        if source is None:
            source = self._sources[ip] = _Source(SlidingWindow(self._limit, self._span))
            source.seen_at = now
            self._forget(now)
        else:
            self._sources.move_to_end(ip)
            source.seen_at = now
        return source

    def _forget(self, now: float) -> None:
        oldest = next(iter(self._sources))
        while len(self._sources) > self._max_sources or self._is_stale(oldest, now):
            del self._sources[oldest]
            oldest = next(iter(self._sources))

    def _is_stale(self, ip: str, now: float) -> bool:
        return now - self._sources[ip].seen_at > self._span + self._block_time


class ServerLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of a server; times in seconds, the defaults those of the protocol where it has one.

    `request_time` is for a whole request, `reply_time` for the client to take the whole reply, and
    `linger_time` for it to take a reply that it got while it was still sending. `max_sources` is of
    how many IPs the server remembers how often they came.
    """

    line_length: int = 32768
    request_time: float = 5.0
    reply_time: float = 10.0
    linger_time: float = 2.0
    rate_limit: int = 50
    rate_window: float = 60.0
    block_time: float = 60.0
    max_sources: int = 10_000
    max_connections: int = 512
    max_connections_per_ip: int = 64


DEFAULT_LIMITS = ServerLimits()


def make_limiter(seconds: Callable[[], float], limits: ServerLimits) -> RateLimiter:
    """Count the connections of each IP to this server."""
    return RateLimiter(
        seconds,
        limit=limits.rate_limit,
        span=limits.rate_window,
        block_time=limits.block_time,
        max_sources=limits.max_sources,
    )

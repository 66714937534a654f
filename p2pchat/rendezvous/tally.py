"""What a rendezvous server counts of its work; plain numbers, for whoever shows them (no IO)."""

from collections import Counter
from typing import Literal, get_args

from p2pchat.counts import Histogram

#: Seconds from a complete request to its reply.
LATENCY_BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

#: Why a connection was not served: too many at a time, in all or of its IP; it came too often, and
#: was closed or told so; it did not say who it is, as a balancer ought to.
RefusalReason = Literal["full", "ip_full", "rate_limited", "blocked", "no_proxy_header"]
REASONS: tuple[RefusalReason, ...] = get_args(RefusalReason)


class Tally:
    """Counts of one server, from its start on.

    `requests` are by type and result, both of a bounded number of words: a type of
    docs/protocols.md, 1, or "none"; "ok" or the first word of what was complained of.
    """

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str]] = Counter()
        self.refused: Counter[RefusalReason] = Counter()
        self.latency = Histogram(LATENCY_BOUNDS)
        self.accepted = 0
        self.unavailable = 0
        self.failures = 0

    def answered(self, kind: str, result: str, seconds: float) -> None:
        """A request was answered, so many seconds after it was complete."""
        self.requests[kind, result] += 1
        self.latency.add(seconds)

"""The figures of a rendezvous server."""

from collections import Counter
from collections.abc import Mapping
from heapq import nlargest

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as TimedOutError
from twisted.internet.interfaces import IReactorTime

from p2pchat.metrics.families import Metric, counter, counters, gauge, gauges, histogram
from p2pchat.metrics.lateness import Lateness
from p2pchat.rendezvous.registry import RegistryUnavailableError
from p2pchat.rendezvous.server import RendezvousFactory
from p2pchat.rendezvous.tally import REASONS
from p2pchat.text import visible

#: Namespaces that have a figure of their own; the rest share one.
MAX_NAMESPACES = 50

#: The label of that one; a namespace of this name is counted there, too.
OTHER = "other"

#: Seconds that the registry may take to count.
CENSUS_TIME = 3.0


class RendezvousMetrics:
    """What a server did since it started, and who is registered (a Source).

    A registry that does not answer leaves out the registrations, nothing else.
    """

    def __init__(self, clock: IReactorTime, server: RendezvousFactory, lateness: Lateness) -> None:
        self._clock = clock
        self._server = server
        self._lateness = lateness

    async def metrics(self) -> list[Metric]:
        census = await self._census()
        return [*_registrations(census), *self._counts(), *self._lateness.metrics()]

    async def _census(self) -> Mapping[str, int] | None:
        counting = Deferred.fromCoroutine(self._server.registry.census())
        try:
            return await counting.addTimeout(CENSUS_TIME, self._clock)
        except (RegistryUnavailableError, TimedOutError):
            self._server.tally.unavailable += 1
            return None

    def _counts(self) -> list[Metric]:
        tally = self._server.tally
        return [
            counters(
                "p2pchat_rendezvous_requests",
                "Requests by type and result; of those that were not understood the type is none.",
                ("type", "result"),
                tally.requests,
            ),
            histogram(
                "p2pchat_rendezvous_request_duration_seconds",
                "From a complete request to its reply.",
                tally.latency,
            ),
            counter("p2pchat_rendezvous_connections_accepted", "Connections.", tally.accepted),
            counters(
                "p2pchat_rendezvous_connections_refused",
                "Connections that were not served, by reason.",
                ("reason",),
                {(reason,): tally.refused[reason] for reason in REASONS},
            ),
            gauge(
                "p2pchat_rendezvous_connections_open",
                "Connections now.",
                self._server.connections,
            ),
            counters(
                "p2pchat_rendezvous_registry_errors",
                "Questions to the registry without an answer: not available, or something broke.",
                ("kind",),
                {("unavailable",): tally.unavailable, ("failure",): tally.failures},
            ),
        ]


def _registrations(census: Mapping[str, int] | None) -> list[Metric]:
    if census is None:
        return []
    return [
        gauges(
            "p2pchat_rendezvous_registrations",
            f"Registrations by namespace: the {MAX_NAMESPACES} largest, and the rest.",
            "namespace",
            by_namespace(census),
        ),
        gauge("p2pchat_rendezvous_namespaces", "Namespaces that anybody is in.", len(census)),
    ]


def by_namespace(census: Mapping[str, int]) -> dict[str, float]:
    """Return the counts of the largest namespaces, and of the rest together as `other`.

    No two of them look the same, whatever they are called: Prometheus would take none then.
    """
    largest = nlargest(MAX_NAMESPACES, census.items(), key=lambda item: (item[1], item[0]))
    counts: Counter[str] = Counter({OTHER: sum(census.values())})
    for namespace, count in largest:
        counts[OTHER] -= count
        counts[visible(namespace)] += count
    return dict(counts)

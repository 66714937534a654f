"""The figures of a chat node: what its events tell, and what it says of itself when asked."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from p2pchat.api import ArchiveInfo, LinkInfo, RttInfo, Status
from p2pchat.events import DeliveryChanged, Event, Listener, MessageReceived
from p2pchat.metrics.families import Metric, counters, gauge, gauges
from p2pchat.metrics.lateness import Lateness

#: Of the round trip times of all connected peers, which are shown.
QUANTILES = (0.5, 0.95, 1.0)


class Watched(Protocol):
    """What of a node is asked for its figures: what costs little, however many peers it knows."""

    @property
    def published(self) -> Mapping[str, int]:
        """As of Node."""

    def subscribe(self, listener: Listener) -> None:
        """As of NodeApi."""

    def links(self) -> list[LinkInfo]:
        """As of NodeApi."""

    def status(self) -> Status:
        """As of NodeApi."""

    def round_trips(self, peer: str) -> RttInfo | None:
        """Tell how long one peer takes to answer; None if it is not known."""


class NodeMetrics:
    """What a node did since it started, and how it is now (a Source)."""

    def __init__(self, node: Watched, lateness: Lateness) -> None:
        self._node = node
        self._lateness = lateness
        self._messages: Counter[tuple[str, str]] = Counter()
        node.subscribe(self._heard)

    async def metrics(self) -> list[Metric]:
        status, links = self._node.status(), self._node.links()
        return [
            *_links(links),
            *self._round_trips({link.peer_id for link in links}),
            *self._counts(status),
            *(_archive(status.archive) if status.archive is not None else ()),
            *self._lateness.metrics(),
        ]

    def _heard(self, event: Event) -> None:
        if isinstance(event, MessageReceived):
            self._messages[event.kind, "received"] += 1
        elif isinstance(event, DeliveryChanged):
            self._messages["send", event.state] += 1

    def _counts(self, status: Status) -> list[Metric]:
        published = {("pub", result): count for result, count in self._node.published.items()}
        registered = sum(server.registered for server in status.rendezvous)
        return [
            counters(
                "p2pchat_messages",
                "Messages by kind, received, or of ours and how far they got.",
                ("kind", "result"),
                {**self._messages, **published},
            ),
            gauge("p2pchat_peers_connected", "Peers with a link.", status.peers),
            gauge("p2pchat_handshakes", "Connections that did not say who.", status.handshakes),
            gauge("p2pchat_outbox_messages", "Messages not delivered yet.", status.pending),
            gauge("p2pchat_rendezvous_registered", "Servers that list us.", registered),
            gauge("p2pchat_uptime_seconds", "Since the node started.", status.uptime),
        ]

    def _round_trips(self, peers: Iterable[str]) -> list[Metric]:
        found = (self._node.round_trips(peer) for peer in peers)
        times = sorted(rtt.p50 / 1000 for rtt in found if rtt is not None and rtt.p50 is not None)
        if not times:
            return []
        return [
            gauges(
                "p2pchat_peer_rtt_seconds",
                "Quantiles over the connected peers of each one's median round trip time.",
                "quantile",
                {str(quantile): quantile_of(times, quantile) for quantile in QUANTILES},
            )
        ]


def _links(links: Sequence[LinkInfo]) -> list[Metric]:
    directions = Counter({"in": 0, "out": 0})
    directions.update(link.direction for link in links)
    queued = sum(link.queued for link in links)
    return [
        gauges("p2pchat_links", "Links to peers by who dialled.", "direction", directions),
        gauge("p2pchat_links_queued_messages", "Messages not written to a link yet.", queued),
    ]


def quantile_of(ordered: Sequence[float], quantile: float) -> float:
    """Return the smallest value that this part of all values does not exceed."""
    return ordered[min(int(len(ordered) * quantile), len(ordered) - 1)]


def _archive(archive: ArchiveInfo) -> list[Metric]:
    return [
        gauge("p2pchat_archive_height", "Chats in the archive.", archive.height),
        gauge("p2pchat_archive_size_bytes", "Its size.", archive.size),
        gauge("p2pchat_archive_limit_bytes", "The size it may have.", archive.limit),
        gauge("p2pchat_archive_peers", "Peers to exchange it with.", len(archive.peers)),
        gauge("p2pchat_archive_own_chats", "Our chats not settled yet.", len(archive.chats)),
        gauge("p2pchat_mining", "1 while a chat of ours is mined.", archive.mining),
        gauge("p2pchat_mining_tries_per_second", "Of the mining so far.", archive.rate),
    ]

"""The queues and tables of a node, how long each is and how long it may be.

The bounds that can be set are small, so that worlds come to them; the others are as outside. They
look into the node: a count that the node gives would be wrong together with it.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from p2pchat.archive.codec import Type
from p2pchat.archive.gossip import MAX_DIALLING
from p2pchat.archive.outgoing import PART
from p2pchat.archive.own import MAX_UNCONFIRMED
from p2pchat.chat.inbox import HIGH_WATER as MAX_INBOX
from p2pchat.chat.opening import MAX_WAITING
from p2pchat.chat.outbox import MAX_LATE
from p2pchat.chat.owed import MAX_OWED
from p2pchat.chat.receiving import HIGH_WATER as MAX_STORING
from p2pchat.chat.unsettled import MAX_UNSETTLED
from p2pchat.config import Archive
from p2pchat.sections import Limits, Outbox

if TYPE_CHECKING:
    from tests.simulation.world.inhabitant import Inhabitant
    from tests.simulation.world.world import World

OUTBOX = Outbox(max_messages=150, max_per_peer=80)

#: What Twisted lets wait in a transport before it asks a producer to pause, in bytes.
TRANSPORT = 65536

#: So many messages may come in one read, at the most, and are kept though a queue is full.
ONE_READ = 16_384 // 50


def limits(nodes: int) -> Limits:
    """Return the limits of one of so many nodes: all find room, and some strangers."""
    return Limits(
        max_links=nodes + 20,
        max_links_per_ip=8,
        max_handshakes_per_ip=2,
        queue_messages=40,
        queue_bytes=8192,
        max_known_peers=nodes + 6,
        max_dialled_peers=nodes + 6,
    )


def archive(nodes: int) -> Archive:
    """Return the settings of the archive of one of so many nodes."""
    return Archive(
        peer_request_interval=10,
        archive_request_interval=20,
        max_pending=6,
        max_peers=nodes + 6,
        max_archive_bytes=128 * 1024,
    )


class Bound(NamedTuple):
    """A queue of a node: its name, its length now, and its greatest one."""

    what: str
    count: Callable[["Inhabitant"], int]
    most: Callable[["Inhabitant"], int]


def _largest(counts: Iterable[int]) -> int:
    return max(counts, default=0)


def _chat(node: "Inhabitant") -> Any:
    assert node.node is not None
    return node.node._chat


def _archive(node: "Inhabitant") -> Any:
    assert node.node is not None
    return node.node.archive


def _admission(node: "Inhabitant") -> Any:
    return _chat(node)._admission


def _queues(node: "Inhabitant") -> list[Any]:
    return [link._outbound for link in _chat(node)._live]


def _receiving(node: "Inhabitant") -> Any:
    return _chat(node)._router._receiving


def _sending(node: "Inhabitant") -> Any:
    return _chat(node)._router.sending


def _links(node: "Inhabitant") -> Any:
    return _archive(node)._neighbours._links


def _waiting_for(node: "Inhabitant") -> Iterable[int]:
    return node.disk.notebook._waiting_for.values()


def _written_ahead(transport: Any) -> int:
    return len(transport.dataBuffer) + transport._tempDataLen - transport.offset


def _a_link(node: "Inhabitant") -> int:
    """Return how many messages of one link are taken before it is paused, and what that costs."""
    return MAX_STORING + ONE_READ


def _most_peers(node: "Inhabitant") -> int:
    """Return how many peers there may be: those with a link have a bound of their own."""
    return max(node.limits.max_known_peers, sum(bool(peer.links) for peer in _chat(node)._peers))


BOUNDS = (
    Bound("links", lambda n: _admission(n)._count, lambda n: n.limits.max_links),
    Bound(
        "links of one address",
        lambda n: _largest(map(len, _admission(n)._by_ip.values())),
        lambda n: n.limits.max_links_per_ip,
    ),
    Bound(
        "handshakes of one address",
        lambda n: _largest(map(len, _admission(n)._silent.values())),
        lambda n: n.limits.max_handshakes_per_ip,
    ),
    Bound("peers", lambda n: len(_chat(n)._peers), _most_peers),
    Bound("names", lambda n: len(_chat(n)._remembered), lambda n: n.limits.max_known_peers),
    Bound(
        "peers that are dialled",
        lambda n: _chat(n)._contacts.dialer.count,
        lambda n: 2 * n.limits.max_dialled_peers,  # those of our own namespace get twice the room
    ),
    Bound(
        "messages in the outbox",
        lambda n: len(n.disk.notebook._attempts),
        lambda n: OUTBOX.max_messages,
    ),
    Bound(
        "messages in the outbox to one peer",
        lambda n: _largest(_waiting_for(n)),
        lambda n: OUTBOX.max_per_peer,
    ),
    Bound("letters", lambda n: len(_sending(n)._outbox), lambda n: OUTBOX.max_messages),
    Bound("failed letters", lambda n: len(_sending(n)._outbox._late), lambda n: MAX_LATE),
    Bound("ends to store", lambda n: len(_sending(n)._unsettled), lambda n: MAX_UNSETTLED),
    Bound(
        "messages queued on a link",
        lambda n: _largest(map(len, _queues(n))),
        lambda n: n.limits.queue_messages,
    ),
    Bound(
        "bytes queued on a link",
        lambda n: _largest(queue._bytes for queue in _queues(n)),
        lambda n: n.limits.queue_bytes,
    ),
    Bound(
        "messages that wait for the history to open",
        lambda n: _chat(n)._router._opening._count,
        lambda n: MAX_WAITING,
    ),
    Bound(
        "messages of one link to store",
        lambda n: _largest(backlog.count for backlog in _receiving(n)._storing.values()),
        _a_link,
    ),
    Bound(
        "messages to show",
        lambda n: len(_receiving(n)._inbox._waiting),
        lambda n: MAX_INBOX + len(_chat(n)._live) * _a_link(n),
    ),
    Bound(
        "messages that a link owes",
        lambda n: _largest(map(len, _receiving(n)._owed.values())),
        lambda n: MAX_OWED,
    ),
    Bound(
        "chats to mine",
        # those that were in the archive once and are displaced have the bound that follows
        lambda n: sum(chat.text.decode() not in n.promised for chat in _archive(n)._own.waiting),
        lambda n: n.archive_settings.max_pending,
    ),
    Bound(
        "chats that nobody confirmed",
        lambda n: sum(chat.state != "confirmed" for chat in _archive(n)._own),
        lambda n: MAX_UNCONFIRMED,
    ),
    Bound(
        "links of the archive",
        lambda n: _links(n)._accepted.total(),
        lambda n: n.archive_settings.max_peers,
    ),
    Bound(
        "peers of the archive that are dialled",
        lambda n: len(_archive(n)._neighbours._dialer),
        lambda n: n.archive_settings.max_peers,
    ),
    Bound(
        "addresses of the archive that are tried",
        lambda n: _archive(n)._neighbours._dialer.tentative,
        # those of lists, those of an earlier run, and peers of the chat, which say where theirs is
        lambda n: MAX_DIALLING + n.limits.max_links,
    ),
    Bound(
        "bytes of archives that arrive",
        lambda n: sum(link.kept for link in _links(n)),
        lambda n: n.archive_settings.max_archive_bytes + n.network.window,
    ),
    Bound(
        "kinds of messages owed to a peer of the archive",
        lambda n: _largest(len(link._outgoing._owed) for link in _links(n)),
        lambda n: len(Type),
    ),
    Bound(
        "bytes written ahead to a peer of the archive",
        lambda n: _largest(_written_ahead(link.transport) for link in _links(n)),
        lambda n: TRANSPORT + PART,
    ),
)


def queues_keep_their_bounds(world: "World") -> Iterator[str]:
    """No queue of a node is longer than its settings allow."""
    for node in world.nodes.values():
        if not node.is_running:
            continue
        for bound in BOUNDS:
            count, most = bound.count(node), bound.most(node)
            world.fullest[bound.what] = max(world.fullest[bound.what], count / most)
            if count > most:
                yield f"{node} has {count} {bound.what}, {most} are allowed"

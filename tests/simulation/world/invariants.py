"""What must hold in a world: each function yields what is wrong, or nothing.

Some look at one event of a node, some at a moment, some at a node that has left, some at the end,
when all is mended and was quiet for a while.
"""

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from p2pchat.archive.kernel import first_invalid
from p2pchat.events import ArchiveGrew, ChatChanged, DeliveryChanged, Event, MessageReceived
from tests.simulation.archives import texts
from tests.simulation.connection import State
from tests.simulation.world.archive_programs import others_hold_the_archive
from tests.simulation.world.bounds import queues_keep_their_bounds
from tests.simulation.world.deliveries import (
    all_accepted_has_arrived,
    every_end_was_told,
    is_told_in_order,
)
from tests.simulation.world.deployed import others_get_what_is_told
from tests.simulation.world.inhabitant import (
    ABSENT,
    LEAVING,
    LONGEST_LEAVE,
    RUNNING,
    Inhabitant,
)
from tests.simulation.world.publications import (
    all_publications_have_arrived,
    publications_arrive,
)

if TYPE_CHECKING:
    from tests.simulation.world.world import World


def last_text(node: Inhabitant, to: str) -> str:
    """Return what a node says at last to another one, to all (`*`), or in the archive (`chat`)."""
    return f"{node} to {to}, at last"


#: The port of the whole network.
ARCHIVE_PORT = 51511

# At an event


def is_shown_under_its_sender(world: "World", node: Inhabitant, event: Event) -> Iterator[str]:
    """What is shown was said, by the peer it is shown under, to us or to all."""
    if isinstance(event, MessageReceived) and not event.relayed:
        said = world.said.get(event.text)
        if said is None:
            yield f"{node} shows {event.text!r:.80}, which nobody said"
        elif said != (event.source, event.to):
            yield f"{node} shows {event.text!r:.80} from {event.source} to {event.to}, not {said}"


def is_shown_once(world: "World", node: Inhabitant, event: Event) -> Iterator[str]:
    """Nothing is shown twice, over all lives of a process."""
    if isinstance(event, MessageReceived) and node.shown[event.source, event.msg_id] > 1:
        yield f"{node} shows {event.text!r:.80} again"


def is_stored_when_promised(world: "World", node: Inhabitant, event: Event) -> Iterator[str]:
    """What is reported as queued is on our disk, as delivered on that of its receiver."""
    if not isinstance(event, DeliveryChanged):
        return
    if event.state == "queued" and not node.disk.is_waiting(event.msg_id):
        yield f"{event.msg_id} is queued, but not on the disk of {node}"
    receiver = world.honest(event.to)
    if event.state != "delivered" or receiver is None:
        return
    if receiver.disk.received(node.peer_id, event.msg_id) is None:
        yield f"{event.msg_id} is delivered, but not on the disk of {receiver}"


def is_archived_when_promised(world: "World", node: Inhabitant, event: Event) -> Iterator[str]:
    """A chat that is reported as archived or confirmed is in the archive on our disk."""
    if (
        isinstance(event, ChatChanged)
        and event.state in ("archived", "confirmed")
        and event.text not in texts(node.disk.chats.load().archive)
    ):
        yield f"{event.text!r} is {event.state}, but not on the disk of {node}"


def archive_does_not_shrink(world: "World", node: Inhabitant, event: Event) -> Iterator[str]:
    """A node's archive never becomes shorter, and changes without growing only in its order."""
    if isinstance(event, ArchiveGrew):
        least = node.height if event.reorganised else node.height + 1
        if event.height < least:
            yield f"{node} went from {node.height} chats to {event.height}"
        node.height = event.height


AT_EVENTS = (
    is_shown_under_its_sender,
    is_shown_once,
    is_stored_when_promised,
    is_archived_when_promised,
    archive_does_not_shrink,
    is_told_in_order,
)

# At any moment


def no_error_is_unhandled(world: "World") -> Iterator[str]:
    """Nothing raises where nobody catches it: in a callback, a timer, a thread or a Deferred."""
    for failure in world.network.errors[world.errors_seen :]:
        yield failure.getTraceback()
    world.errors_seen = len(world.network.errors)


def archives_are_valid(world: "World") -> Iterator[str]:
    """The archive of every node, in memory, is valid from its first chat to its last."""
    for node in world.nodes.values():
        archive = node.held_archive
        if archive is None:
            continue
        known = world.checked.get(node.number)
        if known is archive:
            continue
        start = 0 if known is None else known.common(archive)
        if first_invalid(archive.buffer, archive.offsets, start, archive.height) is not None:
            yield f"the archive of {node} is not valid"
        world.checked[node.number] = archive


def leaving_is_bounded(world: "World") -> Iterator[str]:
    """Who is told to leave has left some seconds later, whatever the network and the disk do."""
    for node in world.nodes.values():
        since = world.network.clock.now - node.leaving_since
        if node.state == LEAVING and since > LONGEST_LEAVE:
            yield f"{node} still leaves after {since:.0f} s"
            node.leaving_since = world.network.clock.now  # told once


AT_ANY_MOMENT = (
    no_error_is_unhandled,
    archives_are_valid,
    queues_keep_their_bounds,
    leaving_is_bounded,
    publications_arrive,
)

# Of a node that has left


def nothing_is_left_behind(world: "World", node: Inhabitant) -> Iterator[str]:
    """Who has left has no timer, no socket and no thread any more, and its history is closed."""
    host = node.host
    timers = [f"{call.func}" for call in host.getDelayedCalls()]
    if timers:
        yield f"{node} left timers: {timers}"
    # a handshake that nobody accepted is the kernel's
    states = ((one, getattr(one, "state", None)) for one in host.machine.sockets.values())
    kernels = (State.NEW, State.ACCEPTING)
    sockets = [f"{one.getsockname()}" for one, state in states if state not in kernels]
    if sockets or host.getReaders() or host.getWriters():
        yield f"{node} left sockets: {sockets} {host.getReaders()} {host.getWriters()}"
    busy = host.getThreadPool().busy + (node.history.unanswered if node.history else 0)
    if busy:
        yield f"{node} left {busy} calls in threads"
    if node.history is not None and not node.history.closed:
        yield f"{node} left its history open"


WHEN_LEFT = (nothing_is_left_behind,)

# At the end


def nothing_arrived_twice(world: "World") -> Iterator[str]:
    """No history has a text from one sender twice: none is ever said twice to somebody."""
    for node in world.nodes.values():
        entries = (e for e in node.disk.entries() if e.direction == "in" and not e.relayed)
        stored = Counter((entry.source, entry.text) for entry in entries)
        twice = [key for key, count in stored.items() if count > 1]
        if twice:
            yield f"{node} stored twice: {twice[:3]}"


def all_hold_one_archive(world: "World") -> Iterator[str]:
    """All nodes hold the same archive."""
    tips = Counter(world.tips())
    if len(tips) > 1:
        yield f"there are {len(tips)} archives: {tips}"


def every_chat_is_there_once(world: "World") -> Iterator[str]:
    """The archive has every chat that was reported as archived or that its author holds, once."""
    counts: dict[tuple[int, str], Counter[str]] = {}
    for node in world.nodes.values():
        archive = node.held_archive
        if archive is None:
            continue
        key = archive.height, archive.tip
        if key not in counts:
            counts[key] = Counter(texts(archive))
        found = counts[key]
        for author in world.nodes.values():
            for text in sorted(author.posted | author.promised):
                if found[text] != 1:
                    yield f"{node} has {text!r} {found[text]} times"


def nothing_waits(world: "World") -> Iterator[str]:
    """No node has a message to deliver, on its disk or in memory, or a chat to mine."""
    for node in world.nodes.values():
        stored, pending = len(node.disk.waiting()), node.node.pending if node.node else 0
        if stored or pending or node.waiting_chats:
            yield f"{node} has {stored} ({pending}) messages and {node.waiting_chats} chats to send"


def nobody_is_away(world: "World") -> Iterator[str]:
    """Every node that was ever started runs."""
    for node in world.nodes.values():
        if node.state != RUNNING:
            yield f"{node} is {node.state}"


def everybody_is_connected(world: "World") -> Iterator[str]:
    """Every node has a link to every other one, and one only."""
    everybody = {node.peer_id for node in world.nodes.values()}
    for node in world.nodes.values():
        links = Counter(node.connected_to())
        missing = sorted(everybody - set(links) - {node.peer_id})
        doubled = sorted(peer for peer in everybody if links[peer] > 1)
        if missing or doubled:
            yield f"{node} has no link to {missing}, several to {doubled}"


def no_link_is_dead(world: "World") -> Iterator[str]:
    """No node takes a connection for a link on which nothing gets through any more."""
    nodes = {node.ip for node in world.nodes.values()}
    for end in world.forgotten:
        is_ours = {end.machine.ip, end.peer.machine.ip} <= nodes
        is_chat = end.getpeername()[1] != ARCHIVE_PORT
        if is_ours and is_chat and State.CONNECTED in (end.state, end.peer.state):
            yield f"{end.name} is held"


AT_THE_END = (
    others_hold_the_archive,
    all_accepted_has_arrived,
    every_end_was_told,
    others_get_what_is_told,
    all_publications_have_arrived,
    nothing_arrived_twice,
    nothing_waits,
    all_hold_one_archive,
    every_chat_is_there_once,
    nobody_is_away,
    everybody_is_connected,
    no_link_is_dead,
)


def the_last_words_arrive(world: "World") -> Iterator[str]:
    """After all trouble every node says something to every other one and to all, and chats.

    Nothing of it is refused, everybody shows what was published, and the chat is confirmed.
    """
    for node in world.nodes.values():
        others = [other for other in world.nodes.values() if other is not node]
        said = {entry.text for entry in node.disk.entries() if entry.direction == "out"}
        for other in others:
            if last_text(node, str(other)) not in said:
                yield f"{node} refused its last word to {other}"
            if last_text(node, "*") not in other.shown_texts:
                yield f"{other} never showed the last publication of {node}"
        if others and last_text(node, "chat") not in node.confirmed:
            yield f"the last chat of {node} is not confirmed"


AFTER_THE_LAST_WORDS = (*AT_THE_END, the_last_words_arrive)


def everybody_has_left(world: "World") -> Iterator[str]:
    """All nodes could be stopped."""
    for node in world.nodes.values():
        if node.state != ABSENT:
            yield f"{node} is {node.state}"


WHEN_ALL_LEFT = (everybody_has_left,)

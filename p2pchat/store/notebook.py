"""What a history in memory knows, and its rules: plain Python, and the model of the one on disk."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice

from msgspec.structs import astuple, replace

from p2pchat.errors import QueueFullError
from p2pchat.events import MessageKind
from p2pchat.history import (
    MAX_ARCHIVE_PEERS,
    MAX_COUNT,
    MAX_UNREAD,
    PAGE,
    WITHDRAWN,
    Bounds,
    Entry,
    EntryState,
    FinalState,
    KnownPeer,
    OutboxEntry,
    Received,
    Unread,
    as_imported,
    conversation_of,
    from_milliseconds,
    to_milliseconds,
)
from p2pchat.identity import Address, PeerId
from p2pchat.store.shelf import BEGINNING, Shelf
from p2pchat.text import visible

#: How many characters of text are kept, but for the outbox: others must not fill the memory.
MAX_TEXT = 64 * 1024 * 1024


class Notebook:
    """The messages, the outbox and the peers of `me`; times come from `wall_clock`."""

    def __init__(self, me: PeerId, bounds: Bounds, wall_clock: Callable[[], datetime]) -> None:
        self._me = me
        self._bounds = bounds
        self._wall_clock = wall_clock
        #: Their `unread` holds only behind `_read_up_to`.
        self._shelf = Shelf()
        self._read_up_to = 0
        #: How often each was written that is in the outbox, in the order of their numbers.
        self._attempts: dict[int, int] = {}
        self._waiting_for: Counter[str] = Counter()
        self._waiting_text = 0
        self._peers: dict[PeerId, KnownPeer] = {}
        self._archive_peers: dict[str, datetime] = {}

    # What comes in

    def receive(self, batch: Sequence[Received]) -> list[int | None]:
        """Keep messages; return their numbers, None for what is there already."""
        last, time = None, BEGINNING
        numbers = []
        for message in batch:
            # what came in one read has one time
            if message.time is not last:
                last, time = message.time, _rounded(message.time)
            numbers.append(self._shelf.add(self._received(message, time)))
        self.prune()
        return numbers

    def import_entries(self, entries: Sequence[Entry]) -> tuple[int, int]:
        """Keep entries of an export; return how many were added and how many skipped."""
        cut_off = self._cut_off()
        imported = [as_imported(entry, self._me) for entry in entries]
        young = [entry for entry in imported if entry.time >= cut_off]
        numbers = [self._shelf.add(replace(entry, stored_id=self._next())) for entry in young]
        added = sum(number is not None for number in numbers)
        self.prune()
        return added, len(entries) - added

    def read(self, number: int) -> None:
        """Note that all up to this message is read."""
        self._read_up_to = max(self._read_up_to, min(number, self._shelf.last))

    def prune(self) -> None:
        """Drop what is too old or too much, but nothing from the outbox."""
        excess = len(self._shelf) - self._bounds.max_messages
        max_text = MAX_TEXT + self._waiting_text
        self._shelf.drop(self._cut_off(), excess, max_text, self._attempts)

    # What goes out

    def queue(self, to: PeerId, msg_id: str, text: str, time: datetime) -> int:
        """Put a message into the outbox; QueueFullError beyond its bounds."""
        known = self._find_own(msg_id)
        if known is not None:
            return known
        self._check_room(to)
        number = self._add_own(to, msg_id, text, time, "queued")
        self._enter_outbox(number, 0)
        self.prune()
        return number

    def requeue(self, entries: Sequence[OutboxEntry]) -> int:
        """Put back into the outbox what is not there and has not ended; return how many."""
        lost = 0
        for _, msg_id, to, text, time, attempts in map(astuple, entries):
            state: EntryState = "sent" if attempts else "queued"
            number = self._find_own(msg_id) or self._add_own(to, msg_id, text, time, state)
            if number not in self._attempts and self._shelf[number].state in ("queued", "sent"):
                self._enter_outbox(number, attempts)
                lost += 1
        return lost

    def published(self, target: str, msg_id: str, text: str, time: datetime) -> int:
        """Keep a publication of ours."""
        known = self._find_own(msg_id)
        if known is not None:
            return known
        number = self._add_own(target, msg_id, text, time, "")
        self.prune()
        return number

    def attempting(self, msg_id: str) -> bool:
        """Count an attempt; False if the message is not in the outbox."""
        return self._count(msg_id, 1) is not None

    def written(self, msg_id: str, counted: bool = False) -> bool:
        """Note that it is sent, and count that if it is not; False if it is not in the outbox."""
        number = self._count(msg_id, 0 if counted else 1)
        if number is not None:
            self._shelf.set_state(number, "sent", "")
        return number is not None

    def settled(self, msg_id: str, state: FinalState, reason: str) -> bool:
        """End a delivery; one that has ended can only become delivered. False: nothing changed."""
        number = self._find_own(msg_id)
        if number is None:
            return False
        if not self._leave_outbox(number):
            ended = self._shelf[number].state
            if state != "delivered" or ended not in ("sent", "failed"):
                return False
        self._shelf.set_state(number, state, reason)
        return True

    def cancel(self, message: int | str) -> bool:
        """Withdraw by its number or msg_id what is in the outbox; False if it is not there."""
        number = message if isinstance(message, int) else self._find_own(message)
        if number is None or not self._leave_outbox(number):
            return False
        self._shelf.set_state(number, "failed", WITHDRAWN)
        return True

    def outbox(self) -> list[OutboxEntry]:
        """What waits, in the order in which it was queued."""
        return [_waiting(self._shelf[number], times) for number, times in self._attempts.items()]

    # What is asked

    def entries(self, conversation: str | None, count: int, before: datetime | None) -> list[Entry]:
        """The last messages of a conversation, or of all, oldest first."""
        newest = self._shelf.newest(None if before is None else _rounded(before))
        wanted = (entry for entry in newest if conversation in (None, conversation_of(entry)))
        return self._shown(list(islice(wanted, _bounded(count)))[::-1])

    def last_stored(self) -> list[Entry]:
        """All there is, the last one first."""
        return self._shown(self._shelf.last_stored())

    def unread(self, count: int) -> Unread:
        """How many nobody has read, and the last of them."""
        unread = [entry for entry in self.last_stored() if entry.unread]
        return Unread(min(len(unread), MAX_UNREAD), unread[: _bounded(count)][::-1])

    def page(self, after: tuple[datetime, int]) -> list[Entry]:
        """The next messages behind this time and number."""
        return self._shown(self._shelf.behind(after, PAGE))

    # Peers

    def peer_seen(self, peer: PeerId, addresses: Sequence[Address], time: datetime) -> None:
        """Note a contact."""
        known = self._peers.get(peer)
        if not addresses and known is not None:
            addresses = known.addresses
        self._peers[peer] = KnownPeer(peer, tuple(addresses), _rounded(time))
        if len(self._peers) > self._bounds.max_peers:
            first = min(self._peers.values(), key=lambda peer: (peer.last_contact, peer.peer_id))
            del self._peers[first.peer_id]

    def peers(self) -> list[KnownPeer]:
        """Whom we had to do with, by id."""
        others = [peer for peer in self._partners() if peer.peer_id not in self._peers]
        others.sort(key=lambda peer: (-to_milliseconds(peer.last_contact), peer.peer_id))
        known = [*self._peers.values(), *others][: max(self._bounds.max_peers, len(self._peers))]
        return sorted(known, key=lambda peer: peer.peer_id)

    def archive_peer_seen(self, host: str, time: datetime) -> None:
        """Note a link to a peer of the archive."""
        self._archive_peers[host] = _rounded(time)
        for last in self.archive_peers()[MAX_ARCHIVE_PEERS:]:
            del self._archive_peers[last]

    def archive_peers(self) -> list[str]:
        """The peers of the archive, the last contact first."""
        seen = self._archive_peers
        return sorted(seen, key=lambda host: (-to_milliseconds(seen[host]), host))

    def _partners(self) -> Iterator[KnownPeer]:
        """Yield with whom there are messages, without addresses."""
        seen = set()
        for entry in self._shelf.newest(None):
            partner = conversation_of(entry)
            if partner not in seen and not partner.startswith(("*", "#")):
                yield KnownPeer(PeerId(partner), (), entry.time)
            seen.add(partner)

    def _next(self) -> int:
        return self._shelf.last + 1

    def _received(self, message: Received, time: datetime) -> Entry:
        pub = message.kind == "pub"
        return Entry(
            stored_id=self._next(),
            time=time,
            msg_id=message.msg_id,
            source=message.sender,
            to=message.to if pub else self._me,
            text=message.text,
            kind=message.kind,
            direction="in",
            relayed=message.relayed,
            unread=True,
        )

    def _add_own(self, to: str, msg_id: str, text: str, time: datetime, state: EntryState) -> int:
        kind: MessageKind = "send" if state else "pub"
        entry = Entry(
            stored_id=self._next(),
            time=_rounded(time),
            msg_id=msg_id,
            source=self._me,
            to=to,
            text=text,
            kind=kind,
            direction="out",
            state=state,
        )
        number = self._shelf.add(entry)
        assert number is not None, "it was looked for just before"
        return number

    def _cut_off(self) -> datetime:
        days = self._bounds.max_days
        return BEGINNING if days is None else _rounded(self._wall_clock() - timedelta(days=days))

    def _check_room(self, to: PeerId) -> None:
        own = self._waiting_for[to]
        if own >= self._bounds.max_outbox_per_peer:
            raise QueueFullError(f"{own} messages wait for {visible(to)} already")
        if len(self._attempts) >= self._bounds.max_outbox:
            raise QueueFullError(f"{len(self._attempts)} messages wait in the outbox already")

    def _count(self, msg_id: str, attempts: int) -> int | None:
        number = self._find_own(msg_id)
        if number is None or number not in self._attempts:
            return None
        self._attempts[number] += attempts
        return number

    def _enter_outbox(self, number: int, attempts: int) -> None:
        self._attempts[number] = attempts
        entry = self._shelf[number]
        self._waiting_for[entry.to] += 1
        self._waiting_text += len(entry.text)

    def _leave_outbox(self, number: int) -> bool:
        if self._attempts.pop(number, None) is None:
            return False
        entry = self._shelf[number]
        self._waiting_text -= len(entry.text)
        self._waiting_for[entry.to] -= 1
        if not self._waiting_for[entry.to]:
            del self._waiting_for[entry.to]
        return True

    def _find_own(self, msg_id: str) -> int | None:
        return self._shelf.find(("out", False, self._me, msg_id))

    def _shown(self, entries: Sequence[Entry]) -> list[Entry]:
        """Return them as they are now: some are read."""
        return [
            replace(entry, unread=False)
            if entry.unread and entry.stored_id <= self._read_up_to
            else entry
            for entry in entries
        ]


def _waiting(entry: Entry, attempts: int) -> OutboxEntry:
    return OutboxEntry(
        stored_id=entry.stored_id,
        msg_id=entry.msg_id,
        to=PeerId(entry.to),
        text=entry.text,
        queued_at=entry.time,
        attempts=attempts,
    )


def _rounded(time: datetime) -> datetime:
    return from_milliseconds(to_milliseconds(time))


def _bounded(count: int) -> int:
    return max(0, min(count, MAX_COUNT))

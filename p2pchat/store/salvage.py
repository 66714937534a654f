"""What can be read of a damaged file goes into the new one, of which this is part of transactions.

At once what the node can't do without: the outbox, the peers, up to where all is read, and the
messages that are in no index. The others follow in slices, the last stored first. Until then each
message that comes in is looked for in the old file as well (store/register.py), so that none comes
twice. Messages keep their numbers; new ones begin behind them.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from p2pchat.identity import PeerId
from p2pchat.store import queries, statements, takeover, upkeep
from p2pchat.store.journal import Journal
from p2pchat.store.rows import OUT, Named, is_under_way, state_of, way_of
from p2pchat.store.wreck import MAX_TAIL, Wreck

#: How many messages are taken over at once.
SLICE = 256


class Taken(NamedTuple):
    """How many messages were taken over, how many of these wait, and whether there may be more."""

    messages: int
    waiting: int
    more: bool


class Ended(NamedTuple):
    """So many messages were taken over in slices from this file, and there are no more.

    `readable` if it is known to have held messages that could be read.
    """

    file: Path
    messages: int
    readable: bool


def begin(journal: Journal, wreck: Wreck, given: int = 0) -> Taken:
    """Take over what is needed at once; numbers up to `given` are known to be given."""
    last = wreck.last
    journal.register.begin_behind(max(last, given))
    statements.set_read(journal.db, min(wreck.read(), last))
    takeover.put_peers(journal.db, wreck.peers())
    statements.forget_peers(journal.db, journal.bounds.max_peers)
    waiting = wreck.waiting()
    messages = _take(journal, wreck.messages(sorted(waiting)), waiting)
    late, number = _take_tail(journal, wreck, last + 1)
    for file, before, taken in wreck.unfinished():
        takeover.put_salvage(journal.db, file, before, taken)
    if number:
        takeover.put_salvage(journal.db, wreck.path.name, number, 0)
    outbox = len(list(queries.attempts(journal.db)))
    return Taken(messages + late, outbox, number > 0)


def do_a_slice(journal: Journal) -> Ended | None:
    """Take over some messages more; tell if these were the last of a file."""
    if not journal.register.wrecks:
        return None
    wreck = journal.register.wrecks[0]
    number, taken = takeover.salvage(journal.db, wreck.path.name)
    left = 0
    if not _is_full(journal):
        messages, left = _before(wreck, min(number, wreck.last + 1))
        taken += _take(journal, messages, {})
    if left:
        takeover.put_salvage(journal.db, wreck.path.name, left, taken)
        return None
    takeover.end_salvage(journal.db, wreck.path.name)
    journal.register.forget_wreck()
    return Ended(wreck.path, taken, taken > 0 or wreck.is_readable())


def _before(wreck: Wreck, number: int) -> tuple[list[Named], int]:
    """Return messages as Wreck.before() does, so many as may be indexed at once."""
    messages, left = wreck.before(number, SLICE)
    fit = upkeep.count_fitting(len(named.row.text.encode()) for named in messages)
    return (messages, left) if fit >= len(messages) else wreck.before(number, fit)


def _take_tail(journal: Journal, wreck: Wreck, number: int) -> tuple[int, int]:
    """Take over what no index has; return how many and before which number to go on."""
    taken = 0
    end = max(wreck.indexed(), number - MAX_TAIL)
    while number > end + 1:
        messages, number = wreck.before(number, min(SLICE, number - 1 - end))
        taken += _take(journal, messages, {})
    return taken, number if number > 1 else 0


def _take(journal: Journal, messages: Sequence[Named], waiting: Mapping[int, int]) -> int:
    """Take messages over, those in the outbox or that ought to be into the outbox."""
    # damage can give one the number of another
    messages = list({named.row.id: named for named in messages}.values())
    cut_off = journal.cut_off()
    due = {named.row.id for named in messages if _waits(named, journal.me, waiting)}
    rows = journal.register.take_over(
        [
            named
            for named in messages
            if cut_off is None or named.row.time >= cut_off or named.row.id in due
        ]
    )
    for row in rows:
        if row.id in due:
            attempts = waiting.get(row.id) or int(state_of(row.flags) == "sent")
            statements.add_to_outbox(journal.db, row.id, row.conversation, attempts)
    return len(rows)


def _waits(named: Named, me: PeerId, waiting: Mapping[int, int]) -> bool:
    """Tell whether it is still to be sent; what somebody else said never is, in our name."""
    row = named.row
    if way_of(row.flags) != OUT or named.author != me:
        return False
    return row.id in waiting or is_under_way(row.flags)


def _is_full(journal: Journal) -> bool:
    messages = queries.progress(journal.db).messages + journal.register.backlog
    return messages >= journal.bounds.max_messages

"""What messages that somebody exported are to us: the file may be a friend's (no IO).

==========  ====================================  =========================================
in it       from, to                              in our history
==========  ====================================  =========================================
out         us                                    the same
out         somebody else, to us                  received, if it says that it was delivered
out, in     somebody else, a publication          received
in          us, to somebody or published          sent by us
in          somebody else, to us                  the same
any other                                         not there: it is between others
==========  ====================================  =========================================

What was not delivered is left out, since its sender still tries: what is in the history already
would not be shown when it comes. A relayed message in our name may be anybody's.
"""

import msgspec

from p2pchat.history import Entry
from p2pchat.identity import PeerId


def as_ours(entry: Entry, me: PeerId) -> Entry | None:
    """Return an exported message as `me` has it; None if it is none of ours."""
    if entry.source == me:
        return entry if entry.direction == "out" else _sent(entry)
    if entry.kind == "pub":
        return entry if entry.direction == "in" else _received(entry)
    if entry.to != me:
        return None
    if entry.direction == "in":
        return entry
    return _received(entry) if entry.state == "delivered" else None


def _received(entry: Entry) -> Entry:
    return msgspec.structs.replace(entry, direction="in", state="", reason="")


def _sent(entry: Entry) -> Entry | None:
    if entry.relayed or entry.to == entry.source:
        return None
    state = "" if entry.kind == "pub" else "delivered"
    return msgspec.structs.replace(entry, direction="out", state=state, reason="", unread=False)

"""Which peer a name means that somebody types."""

import difflib
from collections.abc import Callable, Sequence

from p2pchat.errors import RequestError
from p2pchat.identity import PeerId, is_name, is_peer_id, make_peer_id, name_of, namespace_of
from p2pchat.text import visible

#: How many peers are searched for a name like the one that was mistyped.
MAX_SUGGESTIONS = 300


def resolve(
    name: str, me: PeerId, known: Sequence[PeerId], is_connected: Callable[[PeerId], bool]
) -> PeerId:
    """Return the peer that a name or a whole id means; RequestError if it means none, or several.

    Of several peers with the same name the one with a link is meant. A whole id is taken though
    nobody has heard of it.
    """
    exact = PeerId(name)
    if exact in known:
        return exact
    # who types a whole id means that very peer, not one whose name looks like an id
    matches = [peer for peer in known if name_of(peer) == name and not is_peer_id(name)]
    if len(matches) > 1:
        matches = [peer for peer in matches if is_connected(peer)] or matches
    if len(matches) == 1:
        return matches[0]
    if matches:
        choices = ", ".join(visible(peer) for peer in sorted(matches))
        raise RequestError(f"{visible(name)} is ambiguous: {choices}")
    if name in (me, name_of(me)):
        raise RequestError(f"{visible(name)} is you")
    if is_peer_id(name):
        return exact
    raise RequestError(_unknown(name, me, known))


def _unknown(name: str, me: PeerId, known: Sequence[PeerId]) -> str:
    # by name alone: what stands behind the @ is much the same for all
    names = {name_of(peer): peer for peer in known[-MAX_SUGGESTIONS:]}
    nearest = difflib.get_close_matches((name_of(PeerId(name)) or name)[:64], names, n=1)
    hint = f"did you mean {visible(names[nearest[0]])}?" if nearest else "/peers lists all;"
    if is_name(name) and "@" not in name:
        newcomer = make_peer_id(name, namespace_of(me))
        hint += f" write {visible(newcomer)} to leave a message for somebody new"
    return f"no peer {visible(name)} is known; {hint.rstrip(';')}"

"""What a half-typed line could become: commands, peers, namespaces, ids and log levels."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC
from itertools import chain, islice
from typing import NamedTuple

from p2pchat.api import NodeApi
from p2pchat.history import OutboxEntry
from p2pchat.identity import PeerId, is_peer_id, name_of, namespace_of
from p2pchat.text import visible
from p2pchat.ui.actions import LOG_LEVELS
from p2pchat.ui.catalogue import COMMANDS
from p2pchat.ui.commands import parse
from p2pchat.ui.entry import Argument, Command
from p2pchat.ui.recollection import Recollection
from p2pchat.ui.times import date_of
from p2pchat.ui.words import BLANKS, quoted, shown, unescaped

#: More would only scroll by.
MAX_CANDIDATES = 200

_OPEN_QUOTE = re.compile(r'"(?:[^"\\]|\\.)*')


class Candidate(NamedTuple):
    """`text` in place of the last `length` characters before the cursor; `note` describes it."""

    text: str
    length: int
    note: str


def candidates(before_cursor: str, api: NodeApi, recollection: Recollection) -> list[Candidate]:
    """Tell how what stands before the cursor can go on; the text of a message cannot.

    There are at most MAX_CANDIDATES.
    """
    name, rest = parse(before_cursor)
    if not name:
        return []
    if not rest and before_cursor[-1] not in BLANKS:
        names = ((_with_blank(entry), entry.summary) for entry in COMMANDS.values())
        return _beginning_with(name, len(name), names)
    word = rest.lstrip(BLANKS)
    part = _half_word(word)
    command = COMMANDS.get(name.lower())
    if command is None or part is None:
        return []
    found = _beginning_with(part, len(word), _values(command.argument, part, api, recollection))
    return [candidate._replace(text=quoted(candidate.text) + " ") for candidate in found]


def _beginning_with(part: str, length: int, found: Iterable[tuple[str, str]]) -> list[Candidate]:
    fitting = (Candidate(text, length, note) for text, note in found if _begins(text, part))
    return list(islice(fitting, MAX_CANDIDATES))


def _begins(text: str, part: str) -> bool:
    return text.casefold().startswith(part.casefold())


def _half_word(text: str) -> str | None:
    """Return the word that text is the beginning of, None if it is more than one word."""
    if text.startswith('"'):
        return unescaped(text[1:]) if _OPEN_QUOTE.fullmatch(text) else None
    return None if any(blank in text for blank in BLANKS) else text


def _with_blank(command: Command) -> str:
    return command.name if command.usage == command.name else command.name + " "


def _values(
    argument: Argument, part: str, api: NodeApi, recollection: Recollection
) -> Iterable[tuple[str, str]]:
    """List what an argument can be, each with a note."""
    match argument:
        case "peer":
            return _peers(part, api, recollection)
        case "target":
            return _targets(api)
        case "conversation":
            return chain(_peers(part, api, recollection), _targets(api))
        case "outbox":
            return ((str(one.stored_id), _waiting(one)) for one in recollection.outbox)
        case "level":
            return ((level, "") for level in LOG_LEVELS)
        case "command":
            return ((entry.name[1:], entry.summary) for entry in COMMANDS.values())
        case "nothing":
            return ()


def _peers(part: str, api: NodeApi, recollection: Recollection) -> Iterator[tuple[str, str]]:
    """Name each peer in short where that is enough and part is no longer than that.

    Peers of old come last.
    """
    peers = {PeerId(peer.peer_id): peer.state for peer in api.peers()}
    old = {peer.peer_id: peer for peer in recollection.peers if peer.peer_id not in peers}
    uses = Counter(name_of(peer_id) for peer_id in (*peers, *old))
    for peer_id in (*peers, *old):
        name = name_of(peer_id)
        short = uses[name] == 1 and "@" not in name + part
        # a note for each of thousands would take a while; a relayed name may be any text
        if _begins(peer_id, part) and is_peer_id(peer_id):
            state = peers.get(peer_id) or f"last contact {date_of(old[peer_id].last_contact, UTC)}"
            yield (name if short else peer_id), f"{shown(peer_id)} {state}"


def _waiting(entry: OutboxEntry) -> str:
    return f"→ {shown(entry.to)}: {visible(entry.text, 40)}"


def _targets(api: NodeApi) -> Iterator[tuple[str, str]]:
    ids = [api.peer_id, *(PeerId(peer.peer_id) for peer in api.peers())]
    yield "*", "all peers"
    for namespace in sorted({namespace_of(peer_id) for peer_id in ids}):
        yield f"#{namespace}", "a namespace"

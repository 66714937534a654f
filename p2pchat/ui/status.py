"""What `/status` and `/archive` tell, line by line."""

from p2pchat.api import (
    ArchiveDialInfo,
    ArchiveInfo,
    ArchivePeerInfo,
    ChatInfo,
    RendezvousInfo,
    Status,
)
from p2pchat.text import visible
from p2pchat.ui.marks import MARKS, chat_note, chat_text
from p2pchat.ui.tables import data_size, duration, figure, plural, table, timed
from p2pchat.ui.words import shown

#: How many codes have to be tried in the mean until an MD5 starts with two zero bytes.
TRIES_A_CHAT = 65_536

_MAX_CHATS = 20
_MAX_PAUSED = 5
_MAX_MISSING = 10


def status_lines(status: Status) -> list[str]:
    """Tell of the node; of its archive, if it has one, in a line or two."""
    return [
        f"{shown(status.peer_id)}, p2pchat {status.version}, up {duration(status.uptime)}",
        f"listening on {status.host}:{status.port}",
        f"{plural(status.peers, 'peer')}, {plural(status.links, 'link')}; under way: "
        f"{plural(status.handshakes, 'handshake')}, {plural(status.pending, 'message')}",
        *map(_rendezvous_line, status.rendezvous),
        *(_glance(status.archive) if status.archive else ()),
        f"logging from {status.log_level} on to {status.log_file}",
    ]


def archive_lines(info: ArchiveInfo) -> list[str]:
    """Tell all about the archive; of our chats the newest 20."""
    tip = f", tip {info.tip}" if info.tip else ""
    return [
        *(["loading: the archive's file is being read"] if info.loading else ()),
        *([f"!! the archive {visible(info.trouble)}"] if info.trouble else ()),
        f"{plural(info.height, 'chat')}, {data_size(info.size)} of {data_size(info.limit)}{tip}",
        _place(info),
        _mining_line(info),
        f"computed by {_kernel(info)}",
        *_chat_lines(info.chats),
        _peers_line(info),
        *_missing_lines(info.missing),
        *_peer_table(info.peers),
    ]


def _rendezvous_line(server: RendezvousInfo) -> str:
    ours = ", served by this node" if server.serving else ""
    registered = "registered" if server.registered else "not registered"
    found = plural(server.peers, "peer")
    again = "" if server.next_try is None else f", next try in {duration(server.next_try)}"
    return f"rendezvous {server.address}{ours}: {server.state}{again}, {registered}, {found}"


def _glance(info: ArchiveInfo) -> list[str]:
    loading = " (loading)" if info.loading else ""
    height = f"{plural(info.height, 'chat')}{loading}"
    peers = plural(len(info.peers), "peer")
    waiting = plural(_waiting(info), "chat")
    line = (
        f"archive: {height}, {peers}; under way: {waiting}; {_place(info)}; "
        f"{_kernel(info)}{_trouble(info)}"
    )
    paused = [peer for peer in info.peers if peer.paused]
    return [line, _paused_line(paused)] if paused else [line]


def _waiting(info: ArchiveInfo) -> int:
    """Count our chats that stand in no archive of ours."""
    return sum(chat.height is None for chat in info.chats)


def _trouble(info: ArchiveInfo) -> str:
    return f"; !! it {visible(info.trouble)}" if info.trouble else ""


def _place(info: ArchiveInfo) -> str:
    if info.place:
        return visible(info.place)
    if info.port:
        return f"listening on {info.host}:{info.port}"
    return "not listening: another program of this machine has the port, and is dialled"


def _paused_line(paused: list[ArchivePeerInfo]) -> str:
    named = [
        f"{shown(peer.address)} ({plural(peer.offences, 'offence')}, {duration(peer.paused)} to go)"
        for peer in paused[:_MAX_PAUSED]
    ]
    more = len(paused) - len(named)
    names = ", ".join([*named, *([f"{more} more"] if more else [])])
    return f"archive: what these send is ignored for now, it was worth nothing: {names}"


def _mining_line(info: ArchiveInfo) -> str:
    now = f"mining, {plural(_waiting(info), 'chat')} to go" if info.mining else "not mining"
    if _waiting(info) and not info.mining and _is_full(info):
        now = f"not mining, the archive is full: {plural(_waiting(info), 'chat')} of ours must wait"
    if not info.rate:
        return f"{now}; the rate is not known yet"
    rate, each = figure(info.rate), timed(TRIES_A_CHAT / info.rate)
    if info.mining:
        now += f", {info.tries:,} tries for this one so far"
    return f"{now}; at {rate} tries/s, so that a chat takes {each}"


def _is_full(info: ArchiveInfo) -> bool:
    """Tell whether none of the chats that wait fits: each takes 33 bytes beside its text."""
    texts = (len(chat.text) for chat in info.chats if chat.height is None)
    return info.size + 33 + min(texts, default=0) > info.limit


def _kernel(info: ArchiveInfo) -> str:
    return f"{info.kernel.name}: {figure(info.kernel.rate)} tries/s a thread"


def _chat_lines(chats: list[ChatInfo]) -> list[str]:
    newest = [
        f"{MARKS[chat.state]} {chat_text(chat.text)} ({chat_note(chat)})"
        for chat in chats[-_MAX_CHATS:]
    ]
    more = len(chats) - len(newest)
    return [f"{plural(more, 'chat')} of ours before", *newest] if more else newest


def _peers_line(info: ArchiveInfo) -> str:
    dialled = f", {info.connecting} more dialled" if info.connecting else ""
    hint = "" if info.peers or info.connecting else "; /connect HOST dials one"
    return f"{plural(len(info.peers), 'peer')}{dialled}{hint}"


def _missing_lines(missing: list[ArchiveDialInfo]) -> list[str]:
    """Name the hosts that the user wants and that are not there."""
    named = [
        f"no link to {shown(one.address)}: {visible(one.reason) or 'no answer yet'}"
        + (f"; dialled again in {duration(one.seconds)}" if one.seconds else "")
        for one in missing[:_MAX_MISSING]
    ]
    more = len(missing) - len(named)
    return [*named, *([f"and to {more} more"] if more else [])]


def _peer_table(peers: list[ArchivePeerInfo]) -> list[str]:
    if not peers:
        return []
    head = ("peer", "height", "links", "offences", "ignored for")
    return table(head, [_peer_row(peer) for peer in peers])


def _peer_row(peer: ArchivePeerInfo) -> tuple[str, ...]:
    counts = ((peer.directions.count(way), way) for way in ("in", "out"))
    return (
        shown(peer.address),
        "-" if peer.height is None else str(peer.height),
        ", ".join(f"{count} {way}" for count, way in counts if count),
        str(peer.offences),
        duration(peer.paused) if peer.paused else "-",
    )

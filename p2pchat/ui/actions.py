"""What each command does: a request to the node and an answer fit to be read.

An answer has the lines that people read and the same as data for programs; its lines may still hold
what is hostile, which `commands` makes visible. A request that cannot be carried out raises
RequestError, or StoreError and QueueFullError if it is the history that can't.
"""

from typing import NamedTuple

import msgspec

from p2pchat.api import NodeApi, PeerInfo, RttInfo
from p2pchat.identity import PeerId, is_name, namespace_of
from p2pchat.text import visible
from p2pchat.ui.status import status_lines
from p2pchat.ui.styled import Line, marked
from p2pchat.ui.surroundings import Surroundings
from p2pchat.ui.tables import duration, milliseconds, plural, table
from p2pchat.ui.words import UsageError, no_word, only_word, shown, split_word

#: What `/log` takes.
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")

#: How many absent peers are remembered, so that it is told once for each that messages wait.
MAX_TOLD = 1000


class Answer(NamedTuple):
    """What a command found or did: lines for people, data for programs.

    A `page` is the same lines with styles; they are harmless, and tell their own times.
    """

    lines: list[str]
    data: object = None
    page: list[Line] | None = None


class Sent(msgspec.Struct, frozen=True):
    """Data of a message to one peer that was stored; delivery events carry the same msg_id.

    `absent`: the peer is not there, so the message waits for it.
    """

    msg_id: str
    to: str
    absent: bool = False


class Published(msgspec.Struct, frozen=True):
    """Data of a publication; `peers` is how many it goes to."""

    msg_id: str
    to: str
    peers: int


class PeerRtt(msgspec.Struct, frozen=True):
    """Data of one line of `/rtt`."""

    peer_id: str
    rtt: RttInfo


class Redialled(msgspec.Struct, frozen=True):
    """Data of `/reconnect`: how many peers are dialled."""

    peers: int


class LogLevel(msgspec.Struct, frozen=True):
    """Data of `/log`: the level from now on."""

    level: str


class Actions:
    """The requests behind the commands.

    `partner` is whom `/msg` wrote to last; `sending` counts the messages that are being stored.
    """

    def __init__(self, api: NodeApi, surroundings: Surroundings) -> None:
        self.api = api
        self.surroundings = surroundings
        self.partner: PeerId | None = None
        self.sending = 0
        self._told: set[PeerId] = set()

    async def peers(self, rest: str) -> Answer:
        target = only_word(rest) or "*"
        check_target(target)
        await self.api.discover()
        found = [peer for peer in self.api.peers() if _is_in(peer, target)]
        if not found:
            return Answer(["no peers found" + _of(target)], found)
        head = ("peer", "state", "address", "kind", "seen", "rtt")
        return Answer(table(head, [_peer_row(peer) for peer in found]), found)

    async def msg(self, rest: str) -> Answer:
        name, text = split_word(rest)
        if not name:
            raise UsageError("no peer and no text")
        if not text.strip():
            raise UsageError(f"no text for {shown(name)}")
        self.partner = self.api.resolve(name)
        return await self.say(text)

    async def say(self, text: str) -> Answer:
        """Send text to the last partner."""
        to = self.partner
        if to is None:
            raise UsageError(
                "no partner yet: write /msg PEER TEXT first, then plain text goes there too"
            )
        self.sending += 1
        try:
            msg_id = await self.api.send(to, text)
        finally:
            self.sending -= 1
        absent = all(link.peer_id != to for link in self.api.links())
        lines = [f"→ {shown(to)}: {text}", *self._first_wait(to, absent)]
        return Answer(lines, Sent(msg_id, to, absent))

    async def pub(self, rest: str) -> Answer:
        target, text = split_word(rest)
        if not target:
            raise UsageError("no target and no text")
        check_target(target)
        if not text.strip():
            raise UsageError(f"no text for {shown(target)}")
        msg_id, count = self.api.publish(target, text)
        reach = plural(count, "peer") if count else "nobody: no peer is connected" + _of(target)
        line = f"→ {shown(target)}: {text} ({reach})"
        return Answer([line], Published(msg_id, target, count))

    async def conn(self, rest: str) -> Answer:
        no_word(rest)
        links = self.api.links()
        if not links:
            return Answer(["no connections"], links)
        head = ("peer", "direction", "address", "kind", "agent", "age", "queued")
        rows = [
            (
                shown(link.peer_id),
                link.direction,
                visible(link.address),
                _kind(link.modern),
                visible(link.agent, 40) or "-",
                duration(link.age),
                str(link.queued),
            )
            for link in links
        ]
        return Answer(table(head, rows), links)

    async def rtt(self, rest: str) -> Answer:
        no_word(rest)
        found = [PeerRtt(peer.peer_id, peer.rtt) for peer in self.api.peers() if peer.rtt.count]
        if not found:
            return Answer(["no round trip measured yet"], found)
        head = ("peer", "last", "mean", "p50", "p95", "count")
        return Answer(table(head, [_rtt_row(peer) for peer in found]), found)

    async def reconnect(self, rest: str) -> Answer:
        no_word(rest)
        count = self.api.reconnect()
        return Answer([f"dialling {plural(count, 'peer')}"], Redialled(count))

    async def log(self, rest: str) -> Answer:
        level = only_word(rest).upper()
        if level not in LOG_LEVELS:
            choice = f"choose {', '.join(LOG_LEVELS[:-1])} or {LOG_LEVELS[-1]}"
            raise UsageError(f"{shown(rest)} is no level: {choice}" if level else choice)
        self.api.set_log_level(level)
        return Answer([f"logging from {level} on"], LogLevel(level))

    async def status(self, rest: str) -> Answer:
        no_word(rest)
        status = self.api.status()
        return Answer(status_lines(status), status)

    async def quit(self, rest: str) -> Answer:
        no_word(rest)
        self.api.leave()
        return Answer(["leaving"])

    def _first_wait(self, to: PeerId, absent: bool) -> list[str]:
        """Tell that messages wait, once each time that a peer is absent."""
        if not absent:
            self._told.discard(to)
        if not absent or to in self._told:
            return []
        if len(self._told) >= MAX_TOLD:
            self._told.clear()
        self._told.add(to)
        who = shown(to)
        return [f"{who} is not there: the message is queued and will be sent when {who} comes"]


def paged(page: list[Line], data: object) -> Answer:
    """Make an answer of lines with styles."""
    return Answer([marked(line) for line in page], data, page)


def check_target(target: str) -> None:
    if target != "*" and not (target.startswith("#") and is_name(target[1:])):
        raise UsageError(f"{shown(target)} is neither * nor #namespace")


def _is_in(peer: PeerInfo, target: str) -> bool:
    return target in ("*", "#" + namespace_of(PeerId(peer.peer_id)))


def _of(target: str) -> str:
    return "" if target == "*" else f" in {shown(target)}"


def _kind(modern: bool | None) -> str:
    return "?" if modern is None else "modern" if modern else "legacy"


def _peer_row(peer: PeerInfo) -> tuple[str, ...]:
    return (
        shown(peer.peer_id),
        peer.state,
        visible(peer.address or next(iter(peer.addresses), "-")),
        _kind(peer.modern),
        duration(peer.last_seen) + " ago",
        milliseconds(peer.rtt.last),
    )


def _rtt_row(peer: PeerRtt) -> tuple[str, ...]:
    rtt = peer.rtt
    times = (milliseconds(value) for value in (rtt.last, rtt.mean, rtt.p50, rtt.p95))
    return (shown(peer.peer_id), *times, str(rtt.count))

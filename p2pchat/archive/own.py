"""Our own chats, until nobody needs us to look after them any more (docs/protocols.md, 3.10).

============ ================================================================ ====================
state        meaning                                                          leads to
============ ================================================================ ====================
mining       no archive of ours holds it yet                                  archived
archived     it stands in our archive                                         confirmed, displaced
confirmed    it stood in an archive that a peer sent                          displaced
displaced    a longer archive without it replaced ours; it is mined again     archived
============ ================================================================ ====================

A chat that was confirmed can still be displaced, when two halves of the network meet again; so the
newest ones are watched on. A chat is recognised by the mark that its verification code begins with:
whichever archive it stands in, and whoever mined what around it.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from p2pchat.api import ChatInfo
from p2pchat.archive.archive import Archive
from p2pchat.archive.record import CODE_SIZE, DIGEST_SIZE, head
from p2pchat.archive.storage import OwnRecord
from p2pchat.errors import RequestError
from p2pchat.events import ChatState

#: How many bytes at the start of a code stay the same for one chat of ours.
MARK_SIZE = 8

#: Confirmed chats that are watched, the newest ones.
MAX_WATCHED = 1000

#: Chats that nobody has confirmed, as on a node that is alone: none of them is ever given up, so
#: that beyond these no more are taken.
MAX_UNCONFIRMED = 10_000

#: The highest id that is taken from a file, so that those that follow are no longer than it.
MAX_ID = 2**53

#: Peers noted as confirming one chat.
MAX_CONFIRMATIONS = 1000


@dataclass(eq=False, slots=True)
class OwnChat:
    """One chat of ours; `height` is where it stands in our archive, from 1.

    `moves` counts how often that changed: it can come to the same height in another archive.
    """

    chat_id: int
    text: bytes
    mark: bytes
    height: int | None = None
    moves: int = 0
    displaced: bool = False
    settled: bool = False  # confirmed in an earlier run, and in the archive since
    confirmed_by: set[str] = field(default_factory=set)

    @property
    def state(self) -> ChatState:
        if self.height is None:
            return "displaced" if self.displaced else "mining"
        return "confirmed" if self.confirmed_by or self.settled else "archived"

    @property
    def beginning(self) -> bytes:
        """How it begins in any archive: all of it that stays the same when it is mined again."""
        return head(self.text) + self.mark

    @property
    def start(self) -> int:
        """The first code to try: the mark and zeros."""
        return int.from_bytes(self.mark + bytes(CODE_SIZE - MARK_SIZE), "big")

    def info(self) -> ChatInfo:
        return ChatInfo(
            chat_id=self.chat_id,
            text=self.text.decode("ascii"),
            state=self.state,
            height=self.height,
            confirmations=len(self.confirmed_by),
        )


class Noted(NamedTuple):
    """Where chats of ours stand in an archive behind its first `start` ones, by how they begin."""

    start: int
    heights: Mapping[bytes, int]


def beginnings(
    buffer: bytearray, offsets: Sequence[int], start: int, stop: int
) -> Iterator[tuple[int, bytes]]:
    """Yield how chats of a buffer begin, up to where the mark of their code ends, by index."""
    behind_mark = CODE_SIZE + DIGEST_SIZE - MARK_SIZE
    for index in range(start, stop):
        yield index, bytes(buffer[offsets[index] : offsets[index + 1] - behind_mark])


def locate(
    archive: Archive, chats: Iterable[OwnChat], start: int = 0, stop: int | None = None
) -> dict[OwnChat, int]:
    """Return the heights of those chats that an archive holds behind its first `start` ones.

    One pass, up to the first `stop` ones, however many chats are looked for: about 0.5 s for a
    million chats.
    """
    wanted = {chat.beginning: chat for chat in chats}
    stop = archive.height if stop is None else min(stop, archive.height)
    found: dict[OwnChat, int] = {}
    passed = beginnings(archive.buffer, archive.offsets, start, stop if wanted else start)
    for index, beginning in passed:
        if (chat := wanted.get(beginning)) is not None:
            found.setdefault(chat, index + 1)
    return found


def heights_in(
    archive: Archive, chats: Collection[OwnChat], start: int, noted: Noted
) -> dict[OwnChat, int]:
    """Return the same as locate(), which searches only what was not noted as it arrived."""
    found = locate(archive, chats, start, noted.start)
    for chat in chats:
        height = noted.heights.get(chat.beginning, 0)
        if height > start:
            found.setdefault(chat, height)
    return found


#: A chat as it was stored, and its height by now, if the archive holds it.
Stored = tuple[OwnChat, int | None]


def look_up(records: Iterable[OwnRecord], archive: Archive) -> list[Stored]:
    """Look where in the archive each of our stored chats stands by now; takes its time.

    A chat that is stored twice is returned once.
    """
    chats = {
        record.mark: OwnChat(
            record.chat_id,
            record.text.encode("ascii"),
            bytes.fromhex(record.mark),
            record.height,
            settled=record.confirmed,
        )
        for record in records
    }
    heights = locate(archive, chats.values())
    return [(chat, heights.get(chat)) for chat in chats.values()]


class OwnChats:
    """All that are waiting, in order, and those that are watched. At most `max_pending` wait."""

    def __init__(self, max_pending: int) -> None:
        self._max_pending = max_pending
        self._chats: dict[int, OwnChat] = {}
        self._beginnings: set[bytes] = set()
        self._next_id = 1
        self._highest = 0
        #: How many chats a peer was last seen to have in common with us, since one of ours moved.
        self._common: dict[str, int] = {}

    def __iter__(self) -> Iterator[OwnChat]:
        return iter(self._chats.values())

    @property
    def waiting(self) -> list[OwnChat]:
        """Those to be mined, in the order they were asked for."""
        return [chat for chat in self._chats.values() if chat.height is None]

    @property
    def beginnings(self) -> Collection[bytes]:
        """How all of them begin, as they come and go."""
        return self._beginnings

    @property
    def highest(self) -> int:
        """The height of the highest of them in our archive; 0 if none is in it."""
        return self._highest

    def heights(self) -> set[int]:
        """Return where in our archive they stand."""
        return {chat.height for chat in self._chats.values() if chat.height is not None}

    def add(self, text: bytes, mark: bytes) -> OwnChat:
        """Take a new chat; RequestError if too many wait."""
        if len(self.waiting) >= self._max_pending:
            raise RequestError(f"{self._max_pending} chats wait to be mined; try again later")
        if sum(chat.state != "confirmed" for chat in self) >= MAX_UNCONFIRMED:
            raise RequestError(
                f"{MAX_UNCONFIRMED} chats of ours are in nobody else's archive yet; "
                "link to a peer of it first"
            )
        chat = OwnChat(self._next_id, text, mark)
        self._add(chat)
        return chat

    def adopted(self, archive: Archive, common: int, noted: Noted) -> list[OwnChat]:
        """Look where they stand in an archive that replaces ours; return those that moved.

        The first `common` chats of it are those of the archive before.
        """
        loose = [chat for chat in self._chats.values() if (chat.height or common + 1) > common]
        heights = heights_in(archive, loose, common, noted)
        moved = [chat for chat in loose if chat.height != heights.get(chat)]
        for chat in moved:
            chat.height = heights.get(chat)
            chat.moves += 1
            if chat.height is None:
                chat.displaced = True
                chat.settled = False
                chat.confirmed_by.clear()
        if moved:
            self._common.clear()
            self._forget_oldest()
            self._highest = max((chat.height or 0 for chat in self), default=0)
        return moved

    def confirmed(self, peer: str, common: int) -> list[OwnChat]:
        """Note that a peer sent an archive whose first chats are ours; return what that changes."""
        changed: list[OwnChat] = []
        if common <= self._common.get(peer, 0):
            return changed
        if len(self._common) >= MAX_CONFIRMATIONS:
            self._common.clear()
        self._common[peer] = common
        for chat in self._chats.values():
            known = chat.confirmed_by
            if chat.height is None or chat.height > common or peer in known:
                continue
            if len(known) < MAX_CONFIRMATIONS:
                known.add(peer)
                if not chat.settled:
                    changed.append(chat)
        if changed:
            self._forget_oldest()
        return changed

    def records(self) -> list[OwnRecord]:
        """Return what has to survive a restart."""
        return [
            OwnRecord(
                chat.chat_id,
                chat.text.decode("ascii"),
                chat.mark.hex(),
                chat.height,
                chat.state == "confirmed",
            )
            for chat in self._chats.values()
        ]

    def restore(self, stored: Iterable[Stored]) -> None:
        """Take up what was stored, before what was asked for since; ids stay if they are free."""
        since, self._chats = self._chats, {}
        self._common.clear()
        for chat, height in stored:
            taken = chat.chat_id in since or chat.chat_id in self._chats
            if taken or chat.chat_id > MAX_ID:
                chat.chat_id = max([self._next_id, *since]) + 1
            chat.displaced = chat.height is not None and height is None
            chat.settled = chat.settled and height is not None
            chat.height = height
            self._add(chat)
        self._chats |= since
        self._highest = max((chat.height or 0 for chat in self), default=0)

    def _add(self, chat: OwnChat) -> None:
        self._chats[chat.chat_id] = chat
        self._beginnings.add(chat.beginning)
        self._next_id = max(self._next_id, chat.chat_id + 1)

    def _forget_oldest(self) -> None:
        confirmed = [chat for chat in self if chat.state == "confirmed"]
        for chat in confirmed[: max(0, len(confirmed) - MAX_WATCHED)]:
            del self._chats[chat.chat_id]
            self._beginnings.discard(chat.beginning)

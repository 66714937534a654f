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

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from p2pchat.api import ChatInfo
from p2pchat.archive.archive import Archive
from p2pchat.archive.record import CODE_SIZE, head
from p2pchat.archive.storage import OwnRecord
from p2pchat.errors import RequestError
from p2pchat.events import ChatState

#: How many bytes at the start of a code stay the same for one chat of ours.
MARK_SIZE = 8

#: Confirmed chats that are watched, the newest ones.
MAX_WATCHED = 1000

#: Peers noted as confirming one chat.
MAX_CONFIRMATIONS = 1000


@dataclass(slots=True)
class OwnChat:
    """One chat of ours; `height` is where it stands in our archive, from 1."""

    chat_id: int
    text: bytes
    mark: bytes
    height: int | None = None
    displaced: bool = False
    confirmed_by: set[str] = field(default_factory=set)

    @property
    def state(self) -> ChatState:
        if self.height is None:
            return "displaced" if self.displaced else "mining"
        return "confirmed" if self.confirmed_by else "archived"

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


def find(archive: Archive, chat: OwnChat, start: int) -> int | None:
    """Return the height of a chat of ours in an archive, looked for behind `start` chats."""
    wanted = head(chat.text) + chat.mark
    position = archive.offsets[start]
    while True:
        position = archive.buffer.find(wanted, position, archive.size)
        if position < 0:
            return None
        index = bisect_left(archive.offsets, position, 0, archive.height)
        if archive.offsets[index] == position:
            return index + 1
        position += 1  # these bytes stand across chats, or within one


class OwnChats:
    """All that are waiting, in order, and those that are watched. At most `max_pending` wait."""

    def __init__(self, max_pending: int) -> None:
        self._max_pending = max_pending
        self._chats: dict[int, OwnChat] = {}
        self._next_id = 1

    def __iter__(self) -> Iterator[OwnChat]:
        return iter(self._chats.values())

    @property
    def waiting(self) -> list[OwnChat]:
        """Those to be mined, in the order they were asked for."""
        return [chat for chat in self._chats.values() if chat.height is None]

    @property
    def highest(self) -> int:
        """The height of the highest of them in our archive; 0 if none is in it."""
        return max((chat.height or 0 for chat in self._chats.values()), default=0)

    def heights(self) -> set[int]:
        """Return where in our archive they stand."""
        return {chat.height for chat in self._chats.values() if chat.height is not None}

    def add(self, text: bytes, mark: bytes) -> OwnChat:
        """Take a new chat; RequestError if too many wait."""
        if len(self.waiting) >= self._max_pending:
            raise RequestError(f"{self._max_pending} chats wait to be mined; try again later")
        chat = OwnChat(self._next_id, text, mark)
        self._add(chat)
        return chat

    def adopted(self, archive: Archive, common: int) -> list[OwnChat]:
        """Look where they stand in an archive that replaces ours; return those that moved.

        The first `common` chats of it are those of the archive before.
        """
        moved = []
        for chat in self._chats.values():
            if chat.height is not None and chat.height <= common:
                continue
            height = find(archive, chat, common)
            if height == chat.height:
                continue
            if height is None:
                chat.displaced = True
                chat.confirmed_by.clear()
            chat.height = height
            moved.append(chat)
        return moved

    def confirmed(self, peer: str, common: int) -> list[OwnChat]:
        """Note that a peer sent an archive whose first chats are ours; return what that changes."""
        changed = []
        for chat in self._chats.values():
            known = chat.confirmed_by
            if chat.height is None or chat.height > common or peer in known:
                continue
            if len(known) < MAX_CONFIRMATIONS:
                known.add(peer)
                changed.append(chat)
        if changed:
            self._forget_oldest()
        return changed

    def records(self) -> list[OwnRecord]:
        """Return what has to survive a restart."""
        return [
            OwnRecord(chat.chat_id, chat.text.decode("ascii"), chat.mark.hex(), chat.height)
            for chat in self._chats.values()
        ]

    def restore(self, records: Iterable[OwnRecord], archive: Archive) -> None:
        """Take up what was stored, before what was asked for since; ids stay where they are free.

        Each is looked for in the archive, where by now it may stand elsewhere.
        """
        since, self._chats = self._chats, {}
        for record in records:
            text, mark = record.text.encode("ascii"), bytes.fromhex(record.mark)
            taken = record.chat_id in since or record.chat_id in self._chats
            chat_id = max([self._next_id, *since]) + 1 if taken else record.chat_id
            chat = OwnChat(chat_id, text, mark, displaced=record.height is not None)
            before = min(record.height or 1, archive.height + 1) - 1
            # most often it stands where it did
            chat.height = find(archive, chat, before) or find(archive, chat, 0)
            self._add(chat)
        self._chats |= since

    def _add(self, chat: OwnChat) -> None:
        self._chats[chat.chat_id] = chat
        self._next_id = max(self._next_id, chat.chat_id + 1)

    def _forget_oldest(self) -> None:
        settled = [chat for chat in self._chats.values() if chat.confirmed_by]
        for chat in settled[: max(0, len(settled) - MAX_WATCHED)]:
            del self._chats[chat.chat_id]

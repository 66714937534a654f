"""The archive that we hold, and which others take its place (no IO).

A valid archive that is strictly longer replaces ours; any other leaves it as it is, but for one of
the same chats in another order, which is no loss to anybody. One that is as long but differs, and
holds no chat of ours where ours does, is a rival: the next longer archive decides between the two.
Whoever has a chat in one of them can make it, by mining that chat on top of the other, and so
nobody's is lost (docs/protocols.md, 3.10).

Only one of the two gives way, the one with the greater tip; whose chats stand in the other waits
for that, and acts only if it does not happen. Were both to act at once, two archives as long would
hold the same chats in another order and nothing be left to mine: then all take the lesser tip.
"""

from enum import Enum, auto
from hashlib import md5
from typing import NamedTuple

from p2pchat.archive.archive import Archive
from p2pchat.archive.incoming import Incoming
from p2pchat.archive.own import Noted, OwnChat, OwnChats, heights_in
from p2pchat.archive.record import DIGEST_SIZE, PROOF, head

#: So many of the newest chats may be in another order; more would cost whoever is sent archives of
#: one length again and again.
TIE_DEPTH = 1000


class Change(NamedTuple):
    """The archive grew: the first `common` chats stayed, `dropped` were replaced."""

    archive: Archive
    common: int
    dropped: int
    moved: list[OwnChat]


class Turn(Enum):
    """When to begin with a chat."""

    NOW = auto()  # nobody is known to have a reason to mine at the same time
    SOON = auto()  # a race was lost; the others that lost it begin too
    LATE = auto()  # somebody else should have settled it by then


class Job(NamedTuple):
    """A chat of ours to mine, the archive to mine it on top of, and when."""

    chat: OwnChat
    base: Archive
    turn: Turn


class Candidate(NamedTuple):
    """An archive that could take the place of ours, and where chats of ours were noted in it."""

    archive: Archive
    noted: Noted


class Replica:
    """Our archive and our chats. `limit` bounds its bytes."""

    def __init__(self, own: OwnChats, limit: int) -> None:
        self.own = own
        self.limit = limit
        self.archive = Archive()
        #: An archive as long as ours without some chat of ours.
        self.rival: Candidate | None = None
        #: How many races were lost or tied since a peer confirmed a chat of ours and none waited.
        self.losses = 0
        #: Whether nothing was begun since the last of them.
        self.just_lost = False

    def load(self, archive: Archive) -> None:
        """Begin with an archive that is known to be valid."""
        self.archive = archive

    def incoming(self, count: int) -> Incoming:
        """Return what takes an archive that begins to arrive."""
        newest = self.archive.height - TIE_DEPTH
        return Incoming(
            count,
            self.archive,
            self.limit,
            rival_below=self.own.highest,
            rival_from=newest,
            wanted=self.own.beginnings,
        )

    def received(self, incoming: Incoming) -> Change | None:
        """Take an archive that is useful; return what it changes."""
        candidate = Candidate(incoming.archive(), incoming.noted)
        height = candidate.archive.height
        if height > self.archive.height:
            return self._adopt(candidate)
        if height < self.archive.height:
            return None
        if self._lost_in(candidate) is not None:
            self._note_rival(candidate)
        elif self._is_better_order(candidate.archive):
            return self._adopt(candidate)
        return None

    def common(self, incoming: Incoming) -> int:
        """Return how many chats an archive, done or not, is known to have in common with ours."""
        if incoming.base is self.archive:
            return incoming.common
        return min(incoming.common, self.archive.common(incoming.base))

    def confirmed(self, peer: str, incoming: Incoming) -> list[OwnChat]:
        """Note what a peer has in common with us; return our chats for which that is news."""
        changed = self.own.confirmed(peer, self.common(incoming))
        if changed and self.rival is None and not self.own.waiting:
            self.losses = 0
        return changed

    def job(self) -> Job | None:
        """Return what is to be mined next, if anything and if there is room for it."""
        fitting = (chat for chat in self.own.waiting if self._fits(chat.text, self.archive))
        waiting = next(fitting, None)
        if waiting is not None:
            turn = Turn.SOON if self.just_lost else Turn.NOW
            return Job(waiting, self.archive, turn)
        if self.rival is not None and (chat := self._lost_in(self.rival)) is not None:
            base = self.rival.archive
            turn = Turn.SOON if base.tip < self.archive.tip else Turn.LATE
            return Job(chat, base, turn) if self._fits(chat.text, base) else None
        return None

    def begun(self) -> None:
        """Note that a chat of ours is being mined: those behind it follow without a pause."""
        self.just_lost = False

    def mined(self, job: Job, code: bytes) -> Change | None:
        """Put a chat with its verification code on top; None if the archive has moved on."""
        noted = self._noted_in(job.base)
        if noted is None:
            return None
        text = job.chat.text
        digest = md5(job.base.prefix_for(text) + code, usedforsecurity=False).digest()
        if not digest.startswith(PROOF):
            raise ValueError("not a verification code")
        record = head(text) + code + digest
        archive = job.base.appended(record, [job.base.size + len(record)])
        heights = {job.chat.beginning: archive.height, **noted.heights}
        return self._adopt(Candidate(archive, Noted(noted.start, heights)))

    def has_room(self, text: bytes) -> bool:
        """Tell whether a chat with this text fits behind all of ours that wait."""
        waiting = sum(_size(chat.text) for chat in self.own.waiting)
        return self.archive.size + waiting + _size(text) <= self.limit

    def _fits(self, text: bytes, base: Archive) -> bool:
        return base.size + _size(text) <= self.limit

    def _noted_in(self, base: Archive) -> Noted | None:
        """Return what was noted of what can be mined on; None if that is neither ours nor rival."""
        if base is self.archive:
            return Noted(base.height, {})
        if self.rival is not None and base is self.rival.archive:
            return self.rival.noted
        return None

    def _adopt(self, candidate: Candidate) -> Change:
        archive = candidate.archive
        common = self.archive.common(archive)
        dropped = self.archive.height - common
        self.archive = archive
        self.rival = None
        moved = self.own.adopted(archive, common, candidate.noted)
        if any(chat.height is None for chat in moved):
            self.losses += 1
            self.just_lost = True
        return Change(archive, common, dropped, moved)

    def _note_rival(self, rival: Candidate) -> None:
        """Keep the one all others would choose; the same, which many peers send, stays the same."""
        if self.rival is None and not self.own.waiting:
            self.losses += 1
        if self.rival is None or rival.archive.tip < self.rival.archive.tip:
            self.rival = rival

    def _is_better_order(self, rival: Archive) -> bool:
        """Tell whether a rival holds the same chats in another order, and has the lesser tip.

        Nobody has anything left to mine then, so that only this ends the tie before the next chat.
        """
        common = self.archive.common(rival)
        if rival.tip >= self.archive.tip or rival.height - common > TIE_DEPTH:
            return False
        return _texts(rival, common) == _texts(self.archive, common)

    def _lost_in(self, rival: Candidate) -> OwnChat | None:
        """Return the first chat of ours in our archive that a rival does not hold."""
        common = self.archive.common(rival.archive)
        ours = [chat for chat in self.own if (chat.height or 0) > common]
        kept = heights_in(rival.archive, ours, common, rival.noted)
        return next((chat for chat in ours if chat not in kept), None)


def _size(text: bytes) -> int:
    """Return how many bytes of an archive a chat takes."""
    return len(head(text)) + 2 * DIGEST_SIZE


def _texts(archive: Archive, start: int) -> list[bytes]:
    """Return what is said behind the first `start` chats, in no order."""
    return sorted(archive.chat(index).text for index in range(start, archive.height))

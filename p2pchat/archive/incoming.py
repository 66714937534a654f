"""An archive that is arriving: compared with ours while it agrees, verified from where it differs.

An archive equal to ours costs a comparison, one that is longer by a chat costs one MD5 and the
bytes of that chat. Memory is taken only by chats that arrived, were verified and stand in an
archive that could be of use; never by what a count promises (docs/protocols.md, 3.7).

==========  ==============================================================  ====================
stage       what happens to the bytes                                        leads to
==========  ==============================================================  ====================
COMPARING   compared with ours, not kept                                     KEEPING, SKIPPING
KEEPING     kept, and verified as verify() is called                         SKIPPING
SKIPPING    counted chat by chat, until the end of the archive is found      -
==========  ==============================================================  ====================
"""

from array import array
from bisect import bisect_right
from collections.abc import Collection
from enum import Enum, auto

from p2pchat.archive.archive import Archive
from p2pchat.archive.kernel import first_invalid
from p2pchat.archive.own import Noted, beginnings
from p2pchat.archive.record import OVERHEAD, WINDOW, chat_size
from p2pchat.errors import LengthLimitError

#: How many bytes are copied at once when an archive is put together; it takes a millisecond.
_COPY = 1 << 18


class _Stage(Enum):
    COMPARING = auto()
    KEEPING = auto()
    SKIPPING = auto()


class Incoming:
    """Takes the chats of one ArchiveResponse, `count` of them, against our archive `base`.

    `limit` bounds the bytes of the whole archive. It is kept if it is longer than base; if it is as
    long, only if it differs from base within the first `rival_below` chats, or only from the chat
    with the index `rival_from` on. Chats that begin in a way that is `wanted` are noted.
    """

    def __init__(
        self,
        count: int,
        base: Archive,
        limit: int,
        rival_below: int = 0,
        rival_from: int = 1 << 32,
        wanted: Collection[bytes] = (),
    ) -> None:
        self.count = count
        self.base = base
        #: How many chats, from the first one on, are the same as in base.
        self.common = 0
        #: The index of a chat that is not valid, if one was found.
        self.invalid: int | None = None
        self._limit = max(limit, base.size)
        self._rival_below = rival_below
        self._rival_from = rival_from
        self._wanted = wanted
        self._heights: dict[bytes, int] = {}  # of those that are wanted
        self._agreed = 0  # bytes that are the same as in base
        self._arrived = 0  # chats that are here in full
        self._missing = 0  # bytes until the end of the chat that has begun, past comparing
        self._received = 0
        self._stage = _Stage.COMPARING
        #: What is kept: some chats that are known, as far as a window reaches back, and the rest.
        self._kept = bytearray()
        self._offsets = array("Q", [0])
        self._known = 0  # chats in _kept that are of base
        self._verified = 0  # chats in _kept that are valid
        self._whole: Archive | None = None  # what is put together of base and _kept so far
        self._shared = 0  # bytes of _whole that are not copied

    @classmethod
    def ignored(cls, count: int, limit: int) -> "Incoming":
        """Return one that only finds its end, for a peer whose archives are ignored."""
        incoming = cls(count, Archive(), limit)
        incoming._stage = _Stage.SKIPPING
        return incoming

    @property
    def done(self) -> bool:
        """Whether all chats are here; they may still have to be verified."""
        return self._arrived >= self.count

    @property
    def kept(self) -> int:
        """How many bytes it holds in memory: of what came, and copied to be put together."""
        copied = self._whole.size - self._shared if self._whole is not None else 0
        return len(self._kept) + copied

    @property
    def unverified(self) -> bool:
        """Whether verify() has something to do."""
        return self._chats_wait or self._is_partial

    @property
    def assembling(self) -> bool:
        """Whether all chats are valid, and it is left to put them together, part by part."""
        return self._is_partial and not self._chats_wait

    @property
    def useful(self) -> bool:
        """Whether archive() can be had: all chats are here, kept and valid."""
        return self.done and self._stage is _Stage.KEEPING and not self.unverified

    @property
    def noted(self) -> Noted:
        """Where chats stand that are wanted, behind those that are the same as in base."""
        return Noted(self.common, self._heights)

    def feed(self, data: memoryview) -> int:
        """Take what belongs to this archive; return how many bytes that were.

        Raises LengthLimitError if the archive grows beyond its limit.
        """
        taken = 0
        while taken < len(data) and not self.done:
            rest = data[taken:]
            match self._stage:
                case _Stage.COMPARING:
                    taken += self._compare(rest)
                case _Stage.KEEPING:
                    taken += self._keep(rest)
                case _Stage.SKIPPING:
                    taken += self._skip(rest)
        self._received += taken
        if self._received > self._limit:
            raise LengthLimitError(f"an archive of more than {self._limit} bytes")
        return taken

    def verify(self, size: int) -> None:
        """Verify about `size` bytes of the chats that wait, at least one chat.

        When none waits any more, put the archive together. If it is large that is done by further
        calls, a part by each: the reactor would wait too long for all of it at once.
        """
        if self._chats_wait:
            self._verify_some(size)
            if self._chats_wait or self._to_copy > _COPY:
                return
        if self._is_partial:
            self._put_together()

    def archive(self) -> Archive:
        """Return the archive that came; only if it is `useful`."""
        if not self.useful or self._whole is None:
            raise ValueError("not verified")
        return self._whole

    def is_outdated(self, ours: Archive) -> bool:
        """Whether ours, which may have moved on, is too high by now for it to be of use."""
        return self.count < ours.height or self.base.height < self.count == ours.height

    def give_up(self, ours: Archive) -> None:
        """Don't put it together, as ours is as high by now; find out what they have in common."""
        if ours.common(self.base) >= self.common:
            end = self.base.offsets[self.common]
            with memoryview(self._kept) as kept, kept[self._offsets[self._known] :] as rest:
                same = ours.agrees(rest, end)
            self.base, self.common = ours, min(self.count, ours.height_at(end + same))
        self._stop_keeping()

    @property
    def _to_copy(self) -> int:
        """How many bytes are copied to put it together."""
        if not self.common:
            return 0
        new = len(self._kept) - self._offsets[self._known]
        shared = self.base.truncated(self.common).is_newest
        return new if shared else new + self.base.offsets[self.common]

    @property
    def _chats_wait(self) -> bool:
        return self._verified < len(self._offsets) - 1

    @property
    def _is_partial(self) -> bool:
        height = self._whole.height if self._whole is not None else 0
        return self.done and self._stage is _Stage.KEEPING and height < self.count

    def _verify_some(self, size: int) -> None:
        start = self._verified
        stop = _stop(self._offsets, start, len(self._offsets) - 1, size)
        invalid = first_invalid(self._kept, self._offsets, start, stop)
        if invalid is None:
            self._note_wanted(start, stop)
            self._verified = stop
            return
        self.invalid = self.common - self._known + invalid
        self._stop_keeping()

    def _note_wanted(self, start: int, stop: int) -> None:
        """Look for them bit by bit: a pass over a whole archive would hold up the reactor."""
        before = self.common - self._known
        if self._wanted:
            for index, beginning in beginnings(self._kept, self._offsets, start, stop):
                if beginning in self._wanted:
                    self._heights.setdefault(beginning, before + index + 1)

    def _put_together(self) -> None:
        """Go on with the archive: what is of base and can't be shared, then what was kept."""
        if not self.common:
            self._whole = Archive.of(self._kept, self._offsets)
            self._forget()
            return
        if self._whole is None:
            common = self.base.truncated(self.common)
            self._whole = common if common.is_newest else Archive()
            self._shared = self._whole.size
        if self._whole.height < self.common:
            height = self._whole.height
            self._append(self.base.buffer, self.base.offsets, height, self.common)
        if self._whole.height >= self.common:
            first = self._whole.height - self.common + self._known
            self._append(self._kept, self._offsets, first, len(self._offsets) - 1)

    def _append(self, buffer: bytearray, offsets: "array[int]", first: int, last: int) -> None:
        """Append some of the chats from first to before last."""
        assert self._whole is not None
        start, stop = offsets[first], _stop(offsets, first, last, _COPY)
        shift = self._whole.size - start
        ends = array("Q", [end + shift for end in offsets[first + 1 : stop + 1]])
        with memoryview(buffer) as view:
            self._whole = self._whole.appended(view[start : offsets[stop]], ends)

    def _compare(self, data: memoryview) -> int:
        """Skip what is the same as in our archive, until that ends or differs."""
        last = min(self.count, self.base.height)
        end = self.base.offsets[last]
        wanted = data[: end - self._agreed]
        same = self.base.agrees(wanted, self._agreed)
        self._agreed += same
        if same < len(wanted) or self._agreed == end:
            self.common = self._arrived = min(last, self.base.height_at(self._agreed))
            self._part()
        return same

    def _part(self) -> None:
        """Go on from the first chat that is not ours, of which some bytes may be here already."""
        start = self.base.offsets[self.common]
        begun = self._agreed - start
        if begun:
            self._missing = chat_size(self.base.buffer, start) - begun
        if self._could_be_adopted() or self._is_rival():
            self._stage = _Stage.KEEPING
            self._keep_window()
        else:
            self._stage = _Stage.SKIPPING

    def _keep_window(self) -> None:
        """Keep what the next windows cover of base, and what of the next chat is here."""
        first = max(0, self.common - (WINDOW - 1))
        start = self.base.offsets[first]
        with memoryview(self.base.buffer) as buffer:
            self._kept += buffer[start : self._agreed]
        known = self.base.offsets[first : self.common + 1]
        self._offsets = array("Q", [offset - start for offset in known])
        self._known = self._verified = self.common - first

    def _could_be_adopted(self) -> bool:
        return self.count > self.base.height

    def _is_rival(self) -> bool:
        if self.count != self.base.height or self.common == self.count:
            return False
        return self.common < self._rival_below or self.common >= self._rival_from

    def _keep(self, data: memoryview) -> int:
        """Keep bytes up to the end of the last chat."""
        before = len(self._kept)
        taken, ends = self._split(data)
        self._kept += data[:taken]
        self._offsets.extend([before + end for end in ends])
        return taken

    def _skip(self, data: memoryview) -> int:
        """Count chats without keeping them."""
        taken, _ = self._split(data)
        return taken

    def _split(self, data: memoryview) -> tuple[int, list[int]]:
        """Return how many bytes belong to the archive, and where in data its chats end."""
        position, size = self._missing, len(data)
        left = self.count - self._arrived
        ends = [position] if 0 < position <= size else []
        while position < size and len(ends) < left:
            position += OVERHEAD + data[position]
            if position <= size:
                ends.append(position)
        self._missing = max(0, position - size)
        self._arrived += len(ends)
        return min(position, size), ends

    def _stop_keeping(self) -> None:
        """Let go of what is worthless."""
        self._stage = _Stage.SKIPPING
        self._whole = None
        self._forget()

    def _forget(self) -> None:
        self._kept = bytearray()
        self._offsets = array("Q", [0])
        self._known = self._verified = 0


def _stop(offsets: "array[int]", first: int, last: int, size: int) -> int:
    """Return the end of about `size` bytes of chats from first on, at least one, up to last."""
    end = bisect_right(offsets, offsets[first] + size, first + 1) - 1
    return min(max(end, first + 1), last)

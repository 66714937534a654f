"""What survives a restart: the archive and our chats that are not settled.

A storage blocks; it is called in a thread, one call at a time.
"""

from collections.abc import Sequence
from typing import Annotated, NamedTuple, Protocol

import msgspec

from p2pchat.archive.archive import Archive
from p2pchat.archive.record import MAX_TEXT

# held where a record is decoded: what breaks them was not written by us
_Text = Annotated[str, msgspec.Meta(pattern=rf"\A[ -~]{{1,{MAX_TEXT}}}\Z")]
_Mark = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{16}\Z")]
_Height = Annotated[int, msgspec.Meta(ge=1)]


class OwnRecord(msgspec.Struct, frozen=True):
    """One chat of ours: its text, the mark of its code in hexadecimal, its height if it has one.

    `confirmed`: an archive with it came from somebody else.
    """

    chat_id: int
    text: _Text
    mark: _Mark
    height: _Height | None = None
    confirmed: bool = False


class Loaded(NamedTuple):
    """What was there at the start; `notices` tell the user of what was damaged."""

    archive: Archive
    own: list[OwnRecord]
    notices: list[str]


class Storage(Protocol):
    """Keeps the archive and our chats. Every method may raise OSError; then nothing was lost."""

    def load(self) -> Loaded:
        """Read what there is; what is damaged is set aside and cut back to what is valid."""
        ...

    def append(self, archive: Archive, height: int) -> None:
        """Add to the first `height` chats, which are stored already, the rest of this archive."""
        ...

    def replace(self, archive: Archive) -> None:
        """Store this archive instead of the one that is stored; never is there neither."""
        ...

    def save_own(self, records: Sequence[OwnRecord]) -> None:
        """Store our chats instead of those that are stored."""
        ...


class MemoryStorage:
    """A storage that lasts as long as the object, for a node without a folder."""

    def __init__(self) -> None:
        self._archive = Archive()
        self._own: list[OwnRecord] = []

    def load(self) -> Loaded:
        """Return what was stored last."""
        return Loaded(self._archive, list(self._own), [])

    def append(self, archive: Archive, height: int) -> None:
        """Store this archive."""
        self._archive = archive

    def replace(self, archive: Archive) -> None:
        """Store this archive."""
        self._archive = archive

    def save_own(self, records: Sequence[OwnRecord]) -> None:
        """Store these records."""
        self._own = list(records)

"""Events of the archive for tests."""

from p2pchat.events import ArchiveGrew, ArchivePeerChanged, ChatChanged
from tests.ui.fake_archive import TIP
from tests.ui.fakes import NOON


def grew(height: int, *chats: str, **changes) -> ArchiveGrew:
    """Make the event of an archive that became longer."""
    fields = {"tip": TIP, "source": "192.0.2.7", "reorganised": False, **changes}
    return ArchiveGrew(time=NOON, height=height, chats=list(chats), **fields)


def chat_changed(state: str, height: int | None = None, **changes) -> ChatChanged:
    """Make the event of a chat of ours that moved on."""
    fields = {"chat_id": 1, "text": "hello", **changes}
    return ChatChanged(time=NOON, state=state, height=height, **fields)


def peer_changed(state: str, height: int | None = None, **changes) -> ArchivePeerChanged:
    """Make the event of a peer of the archive that came, went or is ignored."""
    fields = {"address": "192.0.2.7", **changes}
    return ArchivePeerChanged(time=NOON, state=state, height=height, **fields)

"""An archive that only records what it is asked, and sample values."""

from twisted.internet.defer import Deferred, succeed

from p2pchat.api import (
    ArchivedChat,
    ArchiveInfo,
    ArchivePeerInfo,
    ChatInfo,
    KernelInfo,
    Verification,
)

TIP = "00009f1e6b1a40f1a2b3c4d5e6f70819"


def chat_info(text: str = "hello", state: str = "mining", **changes) -> ChatInfo:
    """Make a chat of ours as an archive would tell of it."""
    fields = {"chat_id": 1, "height": None, "confirmations": 0, **changes}
    return ChatInfo(text=text, state=state, **fields)


def archived(height: int, text: str, ours: bool = False) -> ArchivedChat:
    """Make a chat of the archive."""
    return ArchivedChat(height=height, text=text, digest=TIP, ours=ours)


def archive_peer(address: str, *directions: str, **changes) -> ArchivePeerInfo:
    """Make a peer of the archive."""
    fields = {"height": None, "offences": 0, "paused": 0.0, **changes}
    return ArchivePeerInfo(address=address, directions=list(directions), **fields)


def archive_info(**changes) -> ArchiveInfo:
    """Make an archive at a glance: empty and alone, but for changes."""
    fields = {
        "height": 0,
        "tip": "",
        "size": 0,
        "limit": 64 * 1024 * 1024,
        "host": "127.0.0.2",
        "port": 51511,
        "peers": [],
        "connecting": 0,
        "chats": [],
        "mining": False,
        "rate": 0.0,
        "kernel": KernelInfo("_md5", 2_621_440.0),
        "loading": False,
        **changes,
    }
    return ArchiveInfo(**fields)


class FakeArchive:
    """An archive without a network: `calls` is what it was asked, in order."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []
        self.chats: list[ArchivedChat] = []
        self.known_info = archive_info()
        self.asked = 2
        self.refusal: Exception | None = None
        self.verification: Deferred[Verification] = succeed(
            Verification(height=12, seconds=0.2, invalid=None)
        )

    def chat(self, text: str) -> ChatInfo:
        self._note("chat", text)
        return chat_info(text, chat_id=len(self.calls))

    def history(self, count: int | None) -> list[ArchivedChat]:
        self._note("history", count)
        return self.chats if count is None else self.chats[-count:]

    def info(self) -> ArchiveInfo:
        return self.known_info

    def connect(self, host: str) -> None:
        self._note("connect", host)

    def request(self) -> int:
        self._note("request")
        return self.asked

    def verify(self) -> "Deferred[Verification]":
        self._note("verify")
        return self.verification

    def _note(self, *call: object) -> None:
        self.calls.append(call)
        if self.refusal:
            raise self.refusal

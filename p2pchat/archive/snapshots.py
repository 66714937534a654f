"""What front ends are shown of the archive when they ask."""

from p2pchat.api import ArchivedChat, ArchiveInfo, KernelInfo
from p2pchat.archive import kernel
from p2pchat.archive.listener import ListeningPort
from p2pchat.archive.mining import Mining
from p2pchat.archive.neighbours import Neighbours
from p2pchat.archive.replica import Replica


def archived_chats(replica: Replica, count: int | None) -> list[ArchivedChat]:
    """Show the newest chats, oldest first; all of them if count is None."""
    archive, ours = replica.archive, replica.own.heights()
    newest = archive.height if count is None else count
    return [
        ArchivedChat(index + 1, readable(chat.text), chat.digest.hex(), index + 1 in ours)
        for index, chat in archive.newest(newest)
    ]


def archive_info(
    replica: Replica,
    mining: Mining,
    neighbours: Neighbours,
    port: ListeningPort,
    *,
    loading: bool,
    trouble: str,
) -> ArchiveInfo:
    """Show the archive at a glance."""
    archive = replica.archive
    return ArchiveInfo(
        height=archive.height,
        tip=archive.tip,
        size=archive.size,
        limit=replica.limit,
        host=port.address.host or "0.0.0.0",
        port=port.address.port if port.open else 0,
        peers=neighbours.infos(),
        connecting=neighbours.connecting,
        chats=[chat.info() for chat in replica.own],
        mining=mining.active,
        rate=mining.rate,
        kernel=KernelInfo(kernel.name(), kernel.rate()),
        loading=loading,
        place=_place(port),
        trouble=trouble,
        tries=mining.tries,
        missing=neighbours.missing,
    )


def readable(text: bytes) -> str:
    """Return a chat's bytes as text; what is none stays visible as escapes."""
    return text.decode("utf-8", "backslashreplace")


def _place(port: ListeningPort) -> str:
    """Say where we listen, or why we don't."""
    if port.open:
        return f"listening on {port.address.host or '0.0.0.0'}:{port.address.port}"
    if not port.was_taken:
        return "not listening"
    if port.trouble:
        return f"not listening: {port.trouble}"
    return f"not listening: another program has the port, and is dialled ({port.holder})"

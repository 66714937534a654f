"""What the user hears of the archive: events, notices, and lines of the log."""

from collections.abc import Callable, Iterable
from datetime import datetime

from twisted.logger import Logger

from p2pchat.api import ChatInfo
from p2pchat.archive import kernel
from p2pchat.archive.archive import Archive
from p2pchat.archive.listener import ListeningPort
from p2pchat.archive.own import OwnChat
from p2pchat.archive.replica import Change
from p2pchat.archive.snapshots import readable
from p2pchat.events import (
    ArchiveGrew,
    ArchivePeerChanged,
    ArchivePeerState,
    ChatChanged,
    Level,
    Listener,
    Notice,
)
from p2pchat.identity import Address

#: How many of the texts that are new an event carries.
MAX_NEW_TEXTS = 20

#: One deployed program cannot take more chats than this (docs/protocols.md, 3.11).
CROWDED = 992


class Reporter:
    """Tells `report` what becomes of the archive.

    `when_saved` calls when all that was to be stored until now is.
    """

    log = Logger()

    def __init__(
        self,
        wall_clock: Callable[[], datetime],
        report: Listener,
        when_saved: Callable[[Callable[[], None]], None],
    ) -> None:
        self._wall_clock = wall_clock
        self._report = report
        self._when_saved = when_saved
        self._stuck = False

    def notice(self, level: Level, text: str) -> None:
        """Tell something that the user ought to know."""
        self.log.info("[Archive] {text}", text=text)
        self._report(Notice(time=self._wall_clock(), level=level, text=text))

    # Starting, the port and the disk

    def computed_by_kernel(self) -> None:
        """Tell what mines and verifies."""
        self.log.info("[Archive] mined and verified by {kernel}", kernel=kernel.name())
        if kernel.complaint():
            self.notice("info", kernel.complaint())

    def not_loaded(self, trouble: str, own: Iterable[OwnChat]) -> None:
        """Tell that there is no archive, and which chats were asked for in vain."""
        self.notice("error", trouble)
        for chat in own:
            self.notice("error", f"not taken into the archive: {chat.text.decode('ascii')}")

    def loaded(self, archive: Archive) -> None:
        """Tell what archive there is to begin with."""
        if archive.height:
            self._grew(archive, "file", 0, 0)

    def listens(self, port: ListeningPort) -> None:
        """Tell that the port is ours."""
        host, number = port.address.host or "0.0.0.0", port.address.port
        self.log.info("[Archive] listening on {host}:{port}", host=host, port=number)
        if port.was_taken:
            self.notice("info", f"the archive's port {number} is ours now")

    def links_to(self, holder: Address) -> None:
        """Tell that another program has the port, which is dialled instead."""
        self.notice("info", f"the archive's port {holder.port} is in use; linking to {holder}")

    def unreachable(self, trouble: str) -> None:
        """Tell that we cannot listen."""
        self.notice("warning", f"others cannot reach our archive: {trouble}")

    def disk_failed(self, reason: str) -> None:
        """Tell that nothing can be stored for now."""
        self.notice("error", f"the archive cannot be written: {reason}; trying again")

    def disk_recovered(self) -> None:
        """Tell that all is stored again."""
        self.notice("info", "the archive is on the disk again")

    def not_stored(self, trouble: str) -> None:
        """Tell that the last attempt to store all has failed."""
        self.notice("error", f"not stored before leaving: {trouble}")

    # Peers, the archive and our chats

    def peer_changed(
        self, host: str, state: ArchivePeerState, height: int | None, reason: str
    ) -> None:
        """Tell that a peer came or went, or is ignored for a while."""
        self.log.info("[Archive] {host} {state} {reason}", host=host, state=state, reason=reason)
        self._report(
            ArchivePeerChanged(
                time=self._wall_clock(), address=host, state=state, height=height, reason=reason
            )
        )

    def grown(self, change: Change, source: str) -> None:
        """Tell that the archive is another one, and what that means for chats of ours."""
        self._grew(change.archive, source, change.common, change.dropped)
        for chat in change.moved:
            if chat.height is None:
                self.chat_changed(chat.info())
            else:
                self.chat_stands(chat)
        if change.common + change.dropped <= CROWDED < change.archive.height:
            self.notice("info", f"{CROWDED} chats: some programs cannot take more")

    def _grew(self, archive: Archive, source: str, common: int, dropped: int) -> None:
        new = archive.newest(min(MAX_NEW_TEXTS, archive.height - common))
        self.log.info(
            "[Archive] {height} chats from {source}, {dropped} dropped",
            height=archive.height,
            source=source,
            dropped=dropped,
        )
        self._report(
            ArchiveGrew(
                time=self._wall_clock(),
                height=archive.height,
                tip=archive.tip,
                source=source,
                reorganised=dropped > 0,
                dropped=dropped,
                chats=[readable(chat.text) for _, chat in new],
            )
        )

    def chat_stands(self, chat: OwnChat) -> None:
        """Report a chat as in the archive only when no crash can take it away any more."""
        info, moves = chat.info(), chat.moves

        def report() -> None:
            if chat.moves == moves:
                self.chat_changed(info)

        self._when_saved(report)

    def chat_changed(self, info: ChatInfo) -> None:
        """Report what became of a chat of ours."""
        self._report(
            ChatChanged(
                time=self._wall_clock(),
                chat_id=info.chat_id,
                state=info.state,
                height=info.height,
                text=info.text,
                confirmations=info.confirmations,
            )
        )

    def waiting(self, count: int, *, stuck: bool) -> None:
        """Say once that so many chats of ours have to wait for room; stuck: whether they do."""
        if stuck and not self._stuck:
            self.notice(
                "warning",
                f"the archive is full, {count} of our chats do not fit; "
                "they are kept, and mined when archive.max_archive_bytes is larger",
            )
        self._stuck = stuck

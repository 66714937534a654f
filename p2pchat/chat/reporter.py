"""What the user hears of peers: events, and notices."""

from collections.abc import Callable
from datetime import datetime

from twisted.logger import Logger

from p2pchat.chat.link import Closed, Link
from p2pchat.chat.peers import Peer
from p2pchat.events import Level, Listener, Notice, PeerDown, PeerUp


class Reporter:
    """Tells `report` who comes and goes, and what the user ought to know."""

    log = Logger()

    def __init__(self, wall_clock: Callable[[], datetime], report: Listener) -> None:
        self._wall_clock = wall_clock
        self._report = report

    def peer_up(self, peer: Peer, link: Link) -> None:
        """Tell that a peer has a link."""
        self._report(
            PeerUp(
                time=self._wall_clock(),
                peer_id=peer.peer_id,
                direction=link.role.value,
                address=str(link.address),
                modern=link.modern,
            )
        )

    def peer_down(self, peer: Peer, closed: Closed) -> None:
        """Tell that a peer has no link any more."""
        why = closed.ending.value
        reason = f"{why} ({closed.reason})" if closed.reason else why
        self._report(PeerDown(time=self._wall_clock(), peer_id=peer.peer_id, reason=reason))

    def notice(self, level: Level, text: str) -> None:
        """Tell something that the user ought to know."""
        self.log.warn("[Node] {text}", text=text)
        self._report(Notice(time=self._wall_clock(), level=level, text=text))

    def warn(self, text: str) -> None:
        """Tell something that the user ought to mind."""
        self.notice("warning", text)

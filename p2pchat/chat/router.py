"""Messages in and out: the two directions of a node's traffic, joined."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from random import Random

from twisted.internet.interfaces import IReactorTime

from p2pchat.chat.link import Link, Talk
from p2pchat.chat.messages import Ack
from p2pchat.chat.opening import Opening
from p2pchat.chat.outbox import Outbox
from p2pchat.chat.peers import Peer, PeerTable
from p2pchat.chat.receiving import Receiving
from p2pchat.chat.sending import Sending
from p2pchat.events import Level, Listener
from p2pchat.history import History, OutboxEntry
from p2pchat.identity import PeerId


class Router:
    """The traffic of a node; events go to `report`, times come from `clock` and `wall_clock`.

    The history is used from resume() on; what needs it before that waits.
    """

    def __init__(
        self,
        clock: IReactorTime,
        rng: Random,
        wall_clock: Callable[[], datetime],
        me: PeerId,
        peers: PeerTable,
        outbox: Outbox,
        history: History,
        report: Listener,
        notice: Callable[[Level, str], None],
    ) -> None:
        self._opening = opening = Opening()
        self.sending = Sending(
            clock, rng, wall_clock, me, peers, outbox, history, opening, report, notice
        )
        self._receiving = Receiving(clock, wall_clock, me, history, opening, report, notice)

    def resume(self, entries: Iterable[OutboxEntry]) -> None:
        """Use the history, which is open, and first take up what it has in the outbox."""
        self.sending.resume(entries)
        self._opening.open()

    def not_opened(self, trouble: str) -> None:
        """Take note that the history could not be opened; that is tried again."""
        self._opening.failed(trouble)

    def received(self, peer: Peer, link: Link, messages: Sequence[Talk]) -> None:
        """Take what a peer said in one read."""
        spoken = []
        for message in messages:
            if isinstance(message, Ack):
                self.sending.acknowledged(peer, message.msg_id)
            else:
                spoken.append(message)
        self._receiving.received(peer, link, spoken)

    def link_down(self, peer: Peer, link: Link) -> None:
        """Let what the link did not get acknowledged go to another one; expect nothing of it."""
        self.sending.link_down(peer, link)
        self._receiving.link_down(link)

    def leave(self) -> None:
        """Wait no longer for a history that is not open: the node is stopping."""
        self._opening.give_up()

    def stop(self) -> None:
        """Try nothing more, and show what was taken."""
        self._opening.give_up()
        self.sending.stop()
        self._receiving.stop()

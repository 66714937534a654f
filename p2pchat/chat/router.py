"""Messages in and out: who gets what, what is acknowledged, how each delivery ends."""

from collections.abc import Callable, Sequence
from datetime import datetime
from random import Random

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from p2pchat.chat.codec import MAX_LINE, encode
from p2pchat.chat.delivery import Deliveries, Delivery, Stage
from p2pchat.chat.inbox import Inbox, Spoken, Taken
from p2pchat.chat.link import Link, Talk
from p2pchat.chat.messages import Ack, Pub, Relay, Send, new_id
from p2pchat.chat.peers import Peer, PeerTable
from p2pchat.errors import LocalProtocolError, QueueFullError, RequestError
from p2pchat.events import DeliveryChanged, DeliveryState, Listener, MessageReceived, Notice
from p2pchat.identity import PeerId
from p2pchat.text import Visible, visible

#: Room kept in the line of a publication, in bytes: one program gets it in a longer form (2.10).
PUB_MARGIN = 1024


class Router:
    """The traffic of a node; events go to `report`, times come from `clock` and `wall_clock`."""

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        rng: Random,
        wall_clock: Callable[[], datetime],
        me: PeerId,
        peers: PeerTable,
        deliveries: Deliveries,
        report: Listener,
    ) -> None:
        self._clock = clock
        self._rng = rng
        self._wall_clock = wall_clock
        self._me = me
        self._peers = peers
        self._deliveries = deliveries
        self._report = report
        self._inbox = Inbox(clock, self._show)
        self._expiry: IDelayedCall | None = None

    @property
    def pending(self) -> int:
        """Count the messages that are neither delivered nor failed yet."""
        return len(self._deliveries)

    # Out

    def send(self, peer: Peer, text: str) -> str:
        """Send text to one peer and return its msg_id; RequestError if it can't be taken."""
        message = Send(new_id(self._rng), self._me, peer.peer_id, text)
        try:
            encode(message)
            delivery = self._deliveries.add(peer.peer_id, message, self._clock.seconds())
        except (LocalProtocolError, QueueFullError) as error:
            raise RequestError(f"not sent to {visible(peer.peer_id)}: {error}") from error
        self._log_text("SEND", peer.peer_id, text)
        link = peer.writing_link()
        if link is not None:
            self._queue_new(delivery, link)
        self._plan_expiry()
        return message.msg_id

    def publish(self, target: str, peers: list[Peer], text: str) -> tuple[str, int]:
        """Publish text to these peers; return its msg_id and how many links took it.

        Raises RequestError if no peer could be sent this text.
        """
        message = Pub(new_id(self._rng), self._me, target, text)
        line = self._encode_publication(message)
        self._log_text("PUB", target, text)
        taken = 0
        for peer in peers:
            link = peer.writing_link()
            if link is None:
                continue
            try:
                link.queue(message, line)  # one line for all of them
                taken += 1
            except QueueFullError as error:
                self._warn_of_refusal(peer.peer_id, error)
        return message.msg_id, taken

    def link_up(self, peer: Peer, link: Link) -> None:
        """Hand what waited for a link to this peer to it."""
        for delivery in self._deliveries.waiting(peer.peer_id):
            try:
                link.queue(delivery.message)
            except QueueFullError as error:
                self._warn_of_refusal(peer.peer_id, error)
                break
            self._note_queued(delivery, link)
        self._plan_expiry()

    def link_down(self, peer: Peer, link: Link) -> None:
        """Move what the link did not get acknowledged to another one, or let it wait for one."""
        self._deliveries.link_lost(link, self._clock.seconds())
        other = peer.writing_link()
        if other is not None:
            self.link_up(peer, other)
        self._plan_expiry()

    def written(self, message: Send) -> None:
        """Note that a SEND was handed to a transport."""
        delivery = self._deliveries.written(message.msg_id, self._clock.seconds())
        if delivery is not None:
            self._report_delivery(delivery, "sent")
        self._plan_expiry()

    # In

    def received(self, peer: Peer, link: Link, messages: Sequence[Talk]) -> None:
        """Take what a peer said in one read: acknowledge it, and show what is new."""
        now = self._wall_clock()
        wants_ack = [m.msg_id for m in messages if type(m) is Send and m.require_ack]
        for message in messages:
            if isinstance(message, Ack):
                self._acknowledged(peer, message.msg_id)
            elif isinstance(message, Relay) and message.dst != self._me:
                continue
            elif peer.seen.add(message.msg_id):
                self._inbox.put((now, peer.peer_id, message), link)
        if wants_ack:
            link.acknowledge(wants_ack)

    def stop(self) -> None:
        """Fail what is still under way, show what was taken, drop every timer."""
        if self._expiry is not None and self._expiry.active():
            self._expiry.cancel()
        self._expiry = None
        for delivery in self._deliveries.abandon():
            self._report_delivery(delivery, "failed", "the node stopped before it was acknowledged")
        self._inbox.drain()

    def _show(self, taken: Taken) -> None:
        event = self._event_of(*taken)
        self._log_text(event.kind.upper(), event.source, event.text)
        self._report(event)

    def _event_of(self, now: datetime, peer: PeerId, message: Spoken) -> MessageReceived:
        kind = type(message)
        return MessageReceived(
            time=now,
            msg_id=message.msg_id,
            source=message.src if kind is Relay else peer,
            to=_target_of(message.dst) if kind is Pub else self._me,
            text=message.payload,
            kind="pub" if kind is Pub else "send",
            relayed=kind is Relay,
        )

    def _acknowledged(self, peer: Peer, msg_id: str) -> None:
        if self._deliveries.acknowledged(peer.peer_id, msg_id):
            self._report(
                DeliveryChanged(
                    time=self._wall_clock(), msg_id=msg_id, to=peer.peer_id, state="delivered"
                )
            )

    # Deliveries

    def _queue_new(self, delivery: Delivery, link: Link) -> None:
        try:
            link.queue(delivery.message)
        except QueueFullError as error:
            self._deliveries.withdraw(delivery)
            raise RequestError(
                f"{visible(delivery.peer)} does not keep up: {error}; try again later"
            ) from error
        self._note_queued(delivery, link)

    def _note_queued(self, delivery: Delivery, link: Link) -> None:
        # queueing may write at once, and then it is sent already
        if delivery.stage is Stage.WAITING:
            self._deliveries.queued(delivery, link)
        delivery.link = link

    def _expire(self) -> None:
        self._expiry = None
        for delivery in self._deliveries.expire(self._clock.seconds()):
            self._report_delivery(delivery, "failed", self._reason(delivery))
        self._plan_expiry()

    def _reason(self, delivery: Delivery) -> str:
        seconds = f"{self._deliveries.timeout:g} s"
        if delivery.stage is Stage.SENT:
            return f"no ACK within {seconds}"
        peer = self._peers.get(delivery.peer)
        if peer is not None and peer.writing_link() is not None:
            return f"it does not keep up: no room in its queue within {seconds}"
        if delivery.sent:
            return f"the link was lost before an ACK, and no new one came within {seconds}"
        return f"not connected within {seconds}"

    def _plan_expiry(self) -> None:
        deadline = self._deliveries.next_deadline()
        if deadline is None:
            return
        if self._expiry is None or not self._expiry.active():
            delay = max(0.0, deadline - self._clock.seconds())
            self._expiry = self._clock.callLater(delay, self._expire)

    def _report_delivery(self, delivery: Delivery, state: DeliveryState, reason: str = "") -> None:
        self._report(
            DeliveryChanged(
                time=self._wall_clock(),
                msg_id=delivery.message.msg_id,
                to=delivery.peer,
                state=state,
                reason=reason,
            )
        )

    def _encode_publication(self, message: Pub) -> bytes:
        try:
            line = encode(message)
        except LocalProtocolError as error:
            raise RequestError(f"not published: {error}") from error
        if len(line) > MAX_LINE - PUB_MARGIN:
            raise RequestError(
                f"not published: the message is {len(line)} bytes long; "
                f"{MAX_LINE - PUB_MARGIN} are allowed"
            )
        return line

    def _warn_of_refusal(self, peer: PeerId, error: QueueFullError) -> None:
        """Tell the user that a message did not go to one of its receivers."""
        text = f"{visible(peer)} does not keep up and did not get the message: {error}"
        self.log.warn("[Router] {text}", text=text)
        self._report(Notice(time=self._wall_clock(), level="warning", text=text))

    def _log_text(self, kind: str, who: str, text: str) -> None:
        self.log.info(
            "[Router] {kind} {who}: {size} characters", kind=kind, who=visible(who), size=len(text)
        )
        self.log.debug(
            "[Router] {kind} {who}: {text}", kind=kind, who=visible(who), text=Visible(text)
        )


def _target_of(dst: str) -> str:
    """Return what a publication is addressed to; a bare name means that namespace (2.3)."""
    return dst if dst == "*" or dst.startswith("#") else f"#{dst}"

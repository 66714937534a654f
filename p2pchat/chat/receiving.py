"""Messages from others: stored, then acknowledged, then shown.

An ACK says that a message survives a crash of ours, so it is sent when the message is committed. A
repeated one is acknowledged again and not shown again. What cannot be stored is not acknowledged:
its sender keeps it and tries again.

Whoever keeps the history tells the user of a disk that fails; told here is only what he would not
hear of otherwise: that more comes in than the disk takes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from p2pchat.chat.inbox import Inbox, Spoken, Taken
from p2pchat.chat.link import Link
from p2pchat.chat.messages import Pub, Relay, Send
from p2pchat.chat.opening import Opening
from p2pchat.chat.owed import Owed
from p2pchat.chat.peers import Peer
from p2pchat.chat.said import log_said
from p2pchat.errors import QueueFullError
from p2pchat.events import Level, Listener, MessageReceived
from p2pchat.history import History, Received, StoreError
from p2pchat.identity import PeerId

#: A link is not read further while more than this many of its messages wait to be stored.
HIGH_WATER = 2000

#: The same for their text, in characters.
HIGH_WATER_TEXT = 1024 * 1024


@dataclass(slots=True)
class _Backlog:
    """How much of what one link said is being stored; text in characters."""

    count: int = 0
    text: int = 0

    @property
    def is_high(self) -> bool:
        return self.count > HIGH_WATER or self.text > HIGH_WATER_TEXT

    @property
    def is_low(self) -> bool:
        return self.count <= HIGH_WATER // 2 and self.text <= HIGH_WATER_TEXT // 2


class Receiving:
    """What comes in; messages go to `report`, what went wrong to `notice`.

    Before the `opening` of the history all that comes in waits for it.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        wall_clock: Callable[[], datetime],
        me: PeerId,
        history: History,
        opening: Opening,
        report: Listener,
        notice: Callable[[Level, str], None],
    ) -> None:
        self._clock = clock
        self._wall_clock = wall_clock
        self._me = me
        self._history = history
        self._opening = opening
        self._report = report
        self._notice = notice
        self._inbox = Inbox(clock, self._show, lambda: bool(self._storing))
        self._storing: dict[Link, _Backlog] = {}
        self._owed: dict[Link, Owed] = {}
        self._overloaded = False
        self._stopped = False

    def received(self, peer: Peer, link: Link, messages: Sequence[Spoken]) -> None:
        """Take what a peer said in one read."""
        spoken = [message for message in messages if self._is_taken(message, link)]
        if not spoken:
            return
        now = self._wall_clock()
        batch = [self._as_received(now, peer.peer_id, message) for message in spoken]
        text = sum(len(message.text) for message in batch)
        self._is_storing(link, len(batch), text)
        stored = self._opening.wait(len(batch), text)
        stored.addCallback(lambda _: self._history.receive(batch))
        stored.addCallbacks(
            lambda ids: self._stored(peer.peer_id, link, now, spoken, ids),
            lambda failure: self._not_stored(failure, link, spoken),
        )
        stored.addErrback(lambda failure: self.log.failure("a message was lost", failure))
        stored.addCallback(lambda _: self._is_done(link, len(batch), text))

    def stop(self) -> None:
        """Show all that was taken, and at once what is still being stored."""
        self._stopped = True
        self._inbox.drain()

    def _stored(
        self,
        peer: PeerId,
        link: Link,
        now: datetime,
        spoken: Sequence[Spoken],
        ids: Sequence[int | None],
    ) -> None:
        self._overloaded = False
        for message, stored_id in zip(spoken, ids, strict=True):
            if stored_id is not None:
                self._inbox.put((now, peer, message, stored_id), link)
        if self._stopped:
            self._inbox.drain()
        wants_ack = _wanting_ack(spoken)
        owed = self._owed.get(link)
        if owed is not None:
            owed.stored(wants_ack)
            if not owed:
                del self._owed[link]
        if wants_ack:
            link.acknowledge(wants_ack)

    def _not_stored(self, failure: Failure, link: Link, spoken: Sequence[Spoken]) -> None:
        why = failure.trap(StoreError, QueueFullError)
        if link.modern and not link.ended:
            owed = self._owed.setdefault(link, Owed())
            owed.failed(_wanting_ack(spoken), self._clock.seconds())
        self.log.debug("[Store] not stored: {error}", error=failure.value)
        if why is QueueFullError and not self._overloaded:
            self._overloaded = True
            self._notice(
                "error",
                f"messages cannot be stored: {failure.value}; until that is over they are not "
                "shown and not confirmed, so that their senders try again",
            )

    def link_down(self, link: Link) -> None:
        """Expect nothing more of a link."""
        self._owed.pop(link, None)

    def _is_taken(self, message: Spoken, link: Link) -> bool:
        """Tell whether a message is for us, and whether it is its turn."""
        if type(message) is Relay:
            return message.dst == self._me
        owed = self._owed.get(link)
        if owed is None or type(message) is not Send or not message.require_ack:
            return True
        return owed.takes(message.msg_id, self._clock.seconds())

    def _is_storing(self, link: Link, count: int, text: int) -> None:
        link.hold_open()
        backlog = self._storing.setdefault(link, _Backlog())
        backlog.count += count
        backlog.text += text
        if backlog.is_high:
            link.pause("storing")

    def _is_done(self, link: Link, count: int, text: int) -> None:
        backlog = self._storing[link]
        backlog.count -= count
        backlog.text -= text
        if backlog.is_low:
            link.resume("storing")
        if not backlog.count:
            del self._storing[link]
        link.let_go()

    def _as_received(self, now: datetime, peer: PeerId, message: Spoken) -> Received:
        kind = type(message)
        relayed = kind is Relay
        sender = PeerId(message.src) if relayed else peer
        if kind is Pub:
            to, text = _target_of(message.dst), message.payload
            return Received(message.msg_id, sender, to, text, "pub", relayed, now)
        return Received(message.msg_id, sender, self._me, message.payload, "send", relayed, now)

    def _show(self, taken: Taken) -> None:
        event = self._event_of(*taken)
        log_said(self.log, event.kind.upper(), event.source, event.text)
        self._report(event)

    def _event_of(
        self, now: datetime, peer: PeerId, message: Spoken, stored_id: int
    ) -> MessageReceived:
        kind = type(message)
        return MessageReceived(
            time=now,
            msg_id=message.msg_id,
            source=message.src if kind is Relay else peer,
            to=_target_of(message.dst) if kind is Pub else self._me,
            text=message.payload,
            kind="pub" if kind is Pub else "send",
            relayed=kind is Relay,
            stored_id=stored_id,
        )


def _wanting_ack(spoken: Sequence[Spoken]) -> list[str]:
    return [m.msg_id for m in spoken if type(m) is Send and m.require_ack]


def _target_of(dst: str) -> str:
    """Return what a publication is addressed to; a bare name means that namespace (2.3)."""
    return dst if dst == "*" or dst.startswith("#") else f"#{dst}"

"""Messages of ours: stored, handed to links, tried again, and how each ends.

A message is accepted when it is stored; from then on it is not lost, whoever crashes when. Storing
and delivering are apart: the history says what has to be delivered, the outbox when it is tried.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from random import Random

from twisted.internet.defer import TimeoutError as OutOfTime
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from p2pchat.chat.ahead import Ahead
from p2pchat.chat.codec import MAX_LINE, encode
from p2pchat.chat.link import Link
from p2pchat.chat.messages import Pub, Send, new_id
from p2pchat.chat.opening import Opening
from p2pchat.chat.outbox import Letter, Outbox, Stage
from p2pchat.chat.peers import Peer, PeerTable
from p2pchat.chat.requeuing import Requeuing
from p2pchat.chat.said import log_said
from p2pchat.chat.unsettled import Unsettled
from p2pchat.errors import LocalProtocolError, QueueFullError, RequestError
from p2pchat.events import DeliveryChanged, DeliveryState, Level
from p2pchat.history import WITHDRAWN, History, OutboxEntry, StoreError
from p2pchat.identity import PeerId
from p2pchat.text import visible

#: Room kept in the line of a publication, in bytes: one program gets it in a longer form (2.10).
PUB_MARGIN = 1024

#: More letters go to a link when its queue is down to so many messages.
LOW_QUEUE = 100

#: How often it is looked for letters that are too old, in seconds.
AGE_INTERVAL = 60.0

#: When it is tried again to hand letters to a link that had no room for them, in seconds.
ROOM_INTERVAL = 1.0

#: The shortest time between two looks, in seconds: what is due at nearly one time is done at once.
LOOK_INTERVAL = 0.02

#: How long a message waits for the history to open until it is refused, in seconds.
OPENING_TIMEOUT = 10.0


class Sending:
    """What goes out; deliveries go to `report`, what went wrong to `notice`.

    Before the `opening` of the history what is sent waits for it, OPENING_TIMEOUT at the most, and
    not at all once that has failed.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        rng: Random,
        wall_clock: Callable[[], datetime],
        me: PeerId,
        peers: PeerTable,
        outbox: Outbox,
        history: History,
        opening: Opening,
        report: Callable[[DeliveryChanged], None],
        notice: Callable[[Level, str], None],
    ) -> None:
        self._clock = clock
        self._rng = rng
        self._wall_clock = wall_clock
        self._me = me
        self._peers = peers
        self._outbox = outbox
        self._history = history
        self._opening = opening
        self._report = report
        self._notice = notice
        self._unsettled = Unsettled(history, self._plan)
        self._requeuing = Requeuing(history, outbox, self._plan, notice)
        self._ahead = Ahead(history, self._counted_ahead, self._try_again_soon)
        self._counting = False
        self._next_look: IDelayedCall | None = None
        self._age_checked = float("-inf")
        self._no_room = False
        self._stopped = False

    @property
    def pending(self) -> int:
        """Count the messages that are neither delivered nor failed yet."""
        return len(self._outbox)

    @property
    def on_the_way(self) -> int:
        """Count those of them that a link has taken."""
        return self._outbox.on_a_link

    @property
    def waiting_for(self) -> list[PeerId]:
        """Return the peers for whom something waits."""
        return self._outbox.waiting_for

    def resume(self, entries: Iterable[OutboxEntry]) -> None:
        """Take up what an earlier run left in the outbox."""
        for entry in entries:
            if entry.msg_id not in self._outbox:
                message = Send(entry.msg_id, self._me, entry.to, entry.text)
                times = entry.attempts
                self._outbox.add(
                    Letter(entry.stored_id, entry.to, message, entry.queued_at, times, times)
                )
        self._look()

    async def send(self, peer_id: PeerId, text: str) -> str:
        """Store a message to one peer and return its msg_id; RequestError if it can't be taken."""
        message = Send(new_id(self._rng), self._me, peer_id, text)
        now = self._wall_clock()
        try:
            encode(message)
            await self._opened(len(text))
            stored_id = await self._history.queue(peer_id, message.msg_id, text, now)
        except (LocalProtocolError, QueueFullError, StoreError) as error:
            raise RequestError(f"not sent to {visible(peer_id)}: {error}") from error
        log_said(self.log, "SEND", peer_id, text)
        letter = Letter(stored_id, peer_id, message, now)
        self._outbox.add(letter)
        self._report_delivery(letter, "queued")
        self._hand_over_to(peer_id)
        self._plan()
        return message.msg_id

    async def cancel(self, message: int | str) -> bool:
        """Withdraw a message that is in the outbox; False if it is not."""
        await self._opened()
        entries = await self._history.outbox()
        entry = next((e for e in entries if message in (e.stored_id, e.msg_id)), None)
        if entry is None or not await self._history.cancel(entry.msg_id):
            return False
        self._take_back(entry.to, entry.msg_id)
        if not self._outbox.withdraw(entry.msg_id):
            return False  # it ended while the disk was at work
        self._report_end(entry.msg_id, entry.to, "failed", WITHDRAWN)
        return True

    def publish(self, target: str, peers: list[Peer], text: str) -> tuple[str, int]:
        """Publish text to these peers; return its msg_id and how many links took it.

        Raises RequestError if no peer could be sent this text.
        """
        message = Pub(new_id(self._rng), self._me, target, text)
        line = _encode_publication(message)
        taken = 0
        for peer in peers:
            link = peer.writing_link()
            if link is None:
                continue
            try:
                link.queue(message, line)  # one line for all of them
                taken += 1
            except QueueFullError as error:
                who = visible(peer.peer_id)
                self._notice("warning", f"{who} does not keep up and missed a /pub: {error}")
        log_said(self.log, "PUB", target, text)
        now = self._wall_clock()
        stored = self._opening.wait(1, len(text))
        stored.addCallback(lambda _: self._history.published(target, message.msg_id, text, now))
        stored.addErrback(self._not_kept)
        return message.msg_id, taken

    # Links

    def link_up(self, peer: Peer) -> None:
        """Hand what waited for a link to this peer to it."""
        self._hand_over(peer)
        self._plan()

    def link_down(self, peer: Peer, link: Link) -> None:
        """Let what the link did not get acknowledged go to another one."""
        self._outbox.link_lost(link)
        self._hand_over(peer)
        self._plan()

    def written(self, message: Send) -> None:
        """Note that a SEND was handed to a transport."""
        letter = self._outbox.written(message.msg_id, self._clock.seconds())
        if letter is None:
            return
        is_counted = letter.counted >= letter.attempts
        letter.counted = max(letter.counted, letter.attempts)
        stored = self._history.written(message.msg_id, counted=is_counted)
        stored.addErrback(self._not_stored)
        if letter.attempts == 1:
            self._report_delivery(letter, "sent")
        self._plan()

    def acknowledged(self, peer: Peer, msg_id: str) -> None:
        """Note that a peer has taken a message of ours."""
        was_queued = self._outbox.is_queued(msg_id)
        if not self._outbox.acknowledged(peer.peer_id, msg_id):
            return
        if was_queued:  # again, while the answer to the last attempt was on its way
            self._take_back(peer.peer_id, msg_id)
        self._unsettled.settle(msg_id, "delivered")
        self._report_end(msg_id, peer.peer_id, "delivered")
        link = peer.writing_link()
        if link is not None and link.queued < LOW_QUEUE:
            self._hand_over(peer)

    def stop(self) -> None:
        """Try nothing more; what is stored goes on when the node is started again."""
        self._stopped = True
        self._stop_looking()
        self._requeuing.retry()
        self._unsettled.retry()

    # Within

    async def _opened(self, text: int = 0) -> None:
        """Wait until the history is open; StoreError or QueueFullError if that can't be."""
        if self._opening.is_open:
            return
        try:
            await self._opening.wait(1, text, impatient=True).addTimeout(
                OPENING_TIMEOUT, self._clock
            )
        except OutOfTime as error:
            raise StoreError("the history is not open yet") from error

    def _hand_over_to(self, peer_id: PeerId) -> None:
        peer = self._peers.get(peer_id)
        if peer is not None:
            self._hand_over(peer)

    def _hand_over(self, peer: Peer) -> None:
        """Let the peer's link, if it has one, take what waits for it, as far as it has room."""
        link = peer.writing_link()
        if link is not None:
            self._gather(peer, link)
            self._fill(peer, link)
        self._give_up(self._outbox.exhausted())

    def _gather(self, peer: Peer, link: Link) -> None:
        """Take back what stands in queues of other links, so that nothing overtakes it."""
        for other in peer.links:
            if other is link or not (other.queued or other.ended):
                continue
            for letter in self._outbox.queued_on(other):
                if other.withdraw(letter.msg_id) or other.ended:
                    self._outbox.taken_back(letter)

    def _fill(self, peer: Peer, link: Link) -> None:
        legacy = not link.modern
        while (letter := self._outbox.next_ready(peer.peer_id, legacy=legacy)) is not None:
            if legacy and letter.counted <= letter.attempts:
                self._count_ahead(peer)
                if letter.counted <= letter.attempts:
                    return  # it goes on when that is done
            try:
                link.queue(letter.message)
            except QueueFullError:
                self._no_room = True
                return
            self._outbox.queued(letter, link)

    def _count_ahead(self, peer: Peer) -> None:
        self._counting = True
        self._ahead.count(self._outbox.uncounted(peer.peer_id, LOW_QUEUE))
        self._counting = False

    def _counted_ahead(self, peer_id: PeerId) -> None:
        if not self._counting:  # else whoever has it counted goes on
            self._hand_over_to(peer_id)

    def _take_back(self, peer_id: PeerId, msg_id: str) -> None:
        """Take a message out of the queue of whatever link it stands in."""
        peer = self._peers.get(peer_id)
        for link in peer.links if peer is not None else ():
            if link.withdraw(msg_id):
                return

    def _look(self) -> None:
        """Try again what is due, and give up what is hopeless."""
        self._stop_looking()
        self._no_room = False
        now = self._clock.seconds()
        if now - self._age_checked >= AGE_INTERVAL:
            self._age_checked = now
            self._give_up(self._outbox.too_old(self._wall_clock()))
            self._requeuing.retry()
            self._unsettled.retry()
        for peer_id in self._outbox.overdue(now):
            self._hand_over_to(peer_id)
        self._give_up(self._outbox.exhausted())
        self._plan()

    def _give_up(self, hopeless: Iterable[tuple[Letter, str]]) -> None:
        for letter, reason in hopeless:
            if letter.stage is Stage.QUEUED:  # it must not leave once it is told that it failed
                self._take_back(letter.peer, letter.msg_id)
            self._unsettled.settle(letter.msg_id, "failed", reason)
            self._report_delivery(letter, "failed", reason)

    def _try_again_soon(self) -> None:
        self._no_room = True
        self._plan()

    def _plan(self) -> None:
        """See to it that the next look comes in time."""
        if self._stopped or not (len(self._outbox) or len(self._unsettled)):
            return
        now = self._clock.seconds()
        at = now + (ROOM_INTERVAL if self._no_room else AGE_INTERVAL)
        due = self._outbox.next_look()
        if due is not None:
            at = min(at, max(due, now + LOOK_INTERVAL))
        if self._next_look is not None and self._next_look.active():
            if self._next_look.getTime() <= at:
                return
            self._next_look.cancel()
        self._next_look = self._clock.callLater(at - now, self._look)

    def _stop_looking(self) -> None:
        if self._next_look is not None and self._next_look.active():
            self._next_look.cancel()
        self._next_look = None

    def _report_delivery(self, letter: Letter, state: DeliveryState, reason: str = "") -> None:
        self._report_end(letter.msg_id, letter.peer, state, reason)

    def _report_end(
        self, msg_id: str, peer: PeerId, state: DeliveryState, reason: str = ""
    ) -> None:
        self._report(
            DeliveryChanged(
                time=self._wall_clock(), msg_id=msg_id, to=peer, state=state, reason=reason
            )
        )

    def _not_kept(self, failure: Failure) -> None:
        """A publication is not in the history."""
        failure.trap(StoreError, QueueFullError)
        self._notice("warning", f"a /pub went out, but will not be in the history: {failure.value}")

    def _not_stored(self, failure: Failure) -> None:
        """That it was written is not noted."""
        failure.trap(StoreError, QueueFullError)
        self.log.warn("[Store] {error}", error=failure.value)


def _encode_publication(message: Pub) -> bytes:
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

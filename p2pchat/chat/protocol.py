"""One link on a transport: ties Session and Outbound to bytes and timers.

The link reports to its LinkOwner and knows of no other link.
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, cast, get_args

from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from p2pchat.chat.closing import Closing
from p2pchat.chat.framing import MessageReceiver
from p2pchat.chat.heartbeat import Heartbeat
from p2pchat.chat.link import Closed, Ending, LinkOwner, LinkSettings, Talk
from p2pchat.chat.messages import (
    Ack,
    AnyMessage,
    ArchiveOffer,
    Bye,
    ByeOk,
    Hello,
    HelloOk,
    HelloReject,
    Message,
    Ping,
    Pong,
    Pub,
    Send,
)
from p2pchat.chat.outbound import Habits, Outbound
from p2pchat.chat.session import Role, Session, State
from p2pchat.chat.wire import Transport, Wire
from p2pchat.identity import Address, PeerId
from p2pchat.text import visible


class ChatProtocol(MessageReceiver):
    """A link; implements p2pchat.chat.link.Link."""

    def __init__(
        self,
        clock: IReactorTime,
        settings: LinkSettings,
        owner: LinkOwner,
        role: Role,
        address: Address,
        expected: PeerId | None = None,
    ) -> None:
        session = Session(
            settings.me, role, agent=settings.agent, expected=expected, offer=settings.offer
        )
        MessageReceiver.__init__(self, session, address)
        self.role = role
        #: The peer that was dialled, None on an accepted link.
        self.expected = expected
        self.established_at: float | None = None
        self.heard_at = 0.0
        self._clock = clock
        self._settings = settings
        self._owner = owner
        self._outbound = Outbound(
            max_messages=settings.queue_messages,
            max_bytes=settings.queue_bytes,
            answer_timeout=settings.answer_timeout,
        )
        self._heartbeat = Heartbeat(clock, settings, self._outbound, self)
        self._spoke = False
        #: What was said and not handed over yet; on a link that is not admitted it waits here.
        self._talk: list[Talk] = []
        self._admitted = False

    # What an owner may ask (Link)

    @property
    def peer(self) -> PeerId | None:
        return self._session.peer

    @property
    def talking(self) -> bool:
        return self._session.state is State.TALKING

    @property
    def modern(self) -> bool:
        return self._session.modern

    @property
    def agent(self) -> str:
        return self._session.peer_agent

    @property
    def archive(self) -> ArchiveOffer | None:
        return self._session.peer_archive

    @property
    def closed(self) -> Closed | None:
        """How it ends; None until it is about to."""
        return self._closing.closed

    @property
    def ended(self) -> bool:
        return self._closing.closed is not None

    @property
    def paused(self) -> bool:
        return self._wire.is_held_back

    @property
    def ping_waits(self) -> bool:
        return self._heartbeat.waiting

    @property
    def queued(self) -> int:
        return len(self._outbound)

    def accept(self, habits: Habits) -> None:
        self._admitted = True
        if not self.modern:
            self._outbound.share(habits)
        if self.role is Role.LISTENER:
            self._outbound.pipelined = self.modern
            self._outbound.put_first(self._session.accept())
            self._outbound.open = True
            self._start_talking()
        self._wire.resume("decision")
        if not self._wire.corked:
            self._hand_over_talk()
            self._wire.flush()

    def refuse(self, ending: Ending, reason: str) -> None:
        self._outbound.put_first(HelloReject(reason, self._session.me))
        self.leave(ending, reason)

    def queue(self, message: Send | Pub, line: bytes | None = None) -> None:
        self._outbound.put(message, line)
        self._wire.flush_soon()

    def withdraw(self, msg_id: str) -> bool:
        return self._outbound.withdraw(msg_id)

    def acknowledge(self, msg_ids: Sequence[str]) -> None:
        self._outbound.acknowledge(msg_ids, self._settings.timestamp())
        self._wire.flush()

    def ping(self) -> None:
        self._heartbeat.queue_ping()
        self._wire.flush()

    def leave(self, ending: Ending, reason: str) -> None:
        if self._session.state in (State.LEAVING, State.LEFT):
            return
        self._closing.note(Closed(ending, reason))
        if not self._admitted:
            self._talk.clear()
            self._wire.resume("decision")
        self._closing.leave(reason)

    def hold_open(self) -> None:
        self._closing.hold_open()

    def let_go(self) -> None:
        self._closing.let_go()

    def drop(self, reason: str) -> None:
        """Hang up on a peer that keeps us waiting for its HELLO."""
        self._closing.give_up(reason, Ending.SILENT)

    def pause(self, why: str = "owner") -> None:
        self._wire.pause(why)

    def resume(self, why: str = "owner") -> None:
        self._wire.resume(why)

    # Transport to session

    def connectionMade(self) -> None:
        transport = cast(Transport, self.transport)
        self._wire = Wire(self._clock, transport, self._outbound, self._written, (Send, Ping))
        self._closing = Closing(
            self._clock, self._settings, self._session, self._outbound, self._wire
        )
        self.heard_at = self._clock.seconds()
        self._closing.await_handshake()
        if self.role is Role.DIALLER:
            self._outbound.put_first(self._session.hello())
            self._wire.flush()

    def dataReceived(self, data: bytes) -> None:
        if self._session.state is State.LEFT:
            return  # unheard, so not buffered either
        self.heard_at = self._clock.seconds()
        self._wire.cork()
        try:
            MessageReceiver.dataReceived(self, data)
        finally:
            self._hand_over_talk()
            self._wire.uncork()
        self.drop_rest()

    def message_received(self, message: AnyMessage) -> None:
        if isinstance(message, Send):
            self._on_talk(message)
        else:
            self._spoke = True
            self._DISPATCH[type(message)](self, message)

    def broken(self, reason: str) -> None:
        self._closing.give_up(reason)

    def connectionLost(self, reason: Failure = Failure(Exception("lost"))) -> None:  # noqa: B008
        self._heartbeat.stop()
        self._owner.closed(self, self._closing.gone(reason, spoke=self._spoke))

    # What the peer said

    def _on_hello(self, message: Hello) -> None:
        # the owner may take its time, to see whether an older link lives
        self._closing.await_handshake()
        self._owner.identified(self)
        self._wait_if_undecided()

    def _on_hello_ok(self, message: HelloOk) -> None:
        self._spoke = False
        self._outbound.pipelined = self.modern
        self._outbound.open = True
        # first, since the owner may decide to leave
        self._start_talking()
        self._owner.established(self)
        self._wait_if_undecided()

    def _on_hello_reject(self, message: HelloReject) -> None:
        self.leave(Ending.REFUSED, visible(message.reason, 200))

    def _on_ping(self, message: Ping) -> None:
        self._learn_from(message)
        self._outbound.reply(Pong(message.msg_id, self._settings.timestamp()))

    def _on_pong(self, message: Pong) -> None:
        self._learn_from(message)
        self._outbound.answered(message.msg_id)
        seconds = self._heartbeat.ponged(message.msg_id)
        if seconds is not None:
            self._owner.measured(self, seconds)

    def _wait_if_undecided(self) -> None:
        """Read nothing more until the owner has decided; what came already waits (2.7)."""
        if not (self._admitted or self.ended):
            self._wire.pause("decision")

    def _on_talk(self, message: Talk) -> None:
        if self._admitted or not self.ended:
            self._talk.append(message)

    def _hand_over_talk(self) -> None:
        """Report what was said since the last time, in one go: bursts are the common case."""
        if not (self._talk and self._admitted):
            return
        self._spoke = True
        talk, self._talk = self._talk, []
        if not self.modern:
            for message in talk:
                if isinstance(message, Ack):
                    self._outbound.answered(message.msg_id)
        self._owner.received(self, talk)

    def _on_bye(self, message: Bye) -> None:
        self._hand_over_talk()
        self._closing.answer(message, established=self.established_at is not None)

    def _on_bye_ok(self, message: ByeOk) -> None:
        self._closing.hang_up()

    _DISPATCH: ClassVar[dict[type, Callable[["ChatProtocol", Any], None]]] = {
        Hello: _on_hello,
        HelloOk: _on_hello_ok,
        HelloReject: _on_hello_reject,
        Ping: _on_ping,
        Pong: _on_pong,
        **dict.fromkeys(get_args(Talk), _on_talk),
        Bye: _on_bye,
        ByeOk: _on_bye_ok,
    }

    def _learn_from(self, message: Ping | Pong) -> None:
        """Recognise the program that must not be sent a PUB (2.10)."""
        dies = isinstance(message.timestamp, float) and not self.modern
        self._outbound.learn(pub_as_send_to=self.peer if dies else None)

    def _start_talking(self) -> None:
        self.established_at = self._clock.seconds()
        self._closing.await_nothing()
        self._heartbeat.start()

    def _written(self, message: Message, now: float) -> None:
        if isinstance(message, Send):
            self._owner.written(self, message)
        elif isinstance(message, Ping):
            self._heartbeat.written(message, now)

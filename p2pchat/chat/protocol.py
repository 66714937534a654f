"""One link on a transport: ties Session, Outbound and KeepAlive to bytes and timers.

The link reports to its LinkOwner and knows of no other link.
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, cast

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from p2pchat.chat.codec import MAX_LINE
from p2pchat.chat.endings import ending_by_bye, ending_by_transport
from p2pchat.chat.keepalive import KeepAlive
from p2pchat.chat.link import Closed, Ending, LinkOwner, LinkSettings, Talk
from p2pchat.chat.messages import (
    Ack,
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
    Relay,
    Send,
    new_id,
)
from p2pchat.chat.outbound import Habits, Outbound
from p2pchat.chat.session import Role, Session, State
from p2pchat.chat.wire import Transport, Wire
from p2pchat.errors import RemoteProtocolError
from p2pchat.identity import Address, PeerId
from p2pchat.text import visible

#: How long a BYE waits for its BYE_OK, in seconds (2.9).
LEAVE_TIMEOUT = 1.0

#: Bad lines that a link survives: deployed programs err, and one line is not worth a link.
MAX_BAD_LINES = 10

#: Blank lines mean nothing, but so many of them are an attack.
MAX_BLANK_LINES = 100


class ChatProtocol(LineOnlyReceiver):
    """A link; implements p2pchat.chat.link.Link."""

    delimiter = b"\n"
    MAX_LENGTH = MAX_LINE - 1
    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        settings: LinkSettings,
        owner: LinkOwner,
        role: Role,
        address: Address,
        expected: PeerId | None = None,
    ) -> None:
        self.address = address
        self.established_at: float | None = None
        self.heard_at = 0.0
        self._clock = clock
        self._settings = settings
        self._owner = owner
        self._session = Session(
            settings.me, role, agent=settings.agent, expected=expected, offer=settings.offer
        )
        self._outbound = Outbound(
            max_messages=settings.queue_messages,
            max_bytes=settings.queue_bytes,
            answer_timeout=settings.answer_timeout,
        )
        self._keepalive = KeepAlive()
        self._pinging = LoopingCall(self._keep_alive)
        self._pinging.clock = clock
        self._deadline: IDelayedCall | None = None
        self.closed: Closed | None = None
        self._bad_lines = 0
        self._spoke = False
        self._blank_lines = 0
        #: What was said and not handed over yet; on a link that is not admitted it waits here.
        self._talk: list[Talk] = []
        self._admitted = False
        self._reading = False
        self._held = 0
        self._last_words: list[Bye | ByeOk] = []
        self._parted = False

    # What an owner may ask (Link)

    @property
    def role(self) -> Role:
        return self._session.role

    @property
    def peer(self) -> PeerId | None:
        return self._session.peer

    @property
    def expected(self) -> PeerId | None:
        """The peer that was dialled, None on an accepted link."""
        return self._session.expected

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
    def ended(self) -> bool:
        return self.closed is not None

    @property
    def paused(self) -> bool:
        return self._wire.is_held_back

    @property
    def ping_waits(self) -> bool:
        return self._keepalive.waiting

    @property
    def queued(self) -> int:
        return len(self._outbound)

    def accept(self, habits: Habits) -> None:
        self._admitted = True
        if not self.modern:
            habits.pub_as_send_to = habits.pub_as_send_to or self._outbound.habits.pub_as_send_to
            self._outbound.habits = habits
        if self.role is Role.LISTENER:
            self._outbound.pipelined = self.modern
            self._outbound.put_first(self._session.accept())
            self._outbound.open = True
            self._start_talking()
        self._wire.resume("decision")
        if not self._reading:
            self._hand_over_talk()
            self._flush()

    def refuse(self, ending: Ending, reason: str) -> None:
        self._outbound.put_first(HelloReject(reason, self._session.me))
        self.leave(ending, reason)

    def queue(self, message: Send | Pub, line: bytes | None = None) -> None:
        self._outbound.put(message, line)
        self._wire.flush_soon()

    def withdraw(self, msg_id: str) -> bool:
        return self._outbound.withdraw(msg_id)

    def acknowledge(self, msg_ids: Sequence[str]) -> None:
        self._outbound.acknowledge(msg_ids, self._timestamp())
        self._flush()

    def ping(self) -> None:
        ping = Ping(new_id(self._settings.rng), self._timestamp())
        self._keepalive.pinged(ping.msg_id)
        self._outbound.put_first(ping)
        self._flush()

    def leave(self, ending: Ending, reason: str) -> None:
        if self._session.state in (State.LEAVING, State.LEFT):
            return
        self.closed = self.closed or Closed(ending, reason)
        if not self._admitted:
            self._talk.clear()
            self._wire.resume("decision")
        self._turn_away_unheard(reason)
        self._part(self._session.leave(new_id(self._settings.rng), reason))

    def hold_open(self) -> None:
        self._held += 1

    def let_go(self) -> None:
        self._held -= 1
        if not self._held and self._last_words:
            self._say_last_words()

    def drop(self, reason: str) -> None:
        """Hang up on a peer that keeps us waiting for its HELLO."""
        self._give_up(reason, Ending.SILENT)

    def pause(self, why: str = "owner") -> None:
        self._wire.pause(why)

    def resume(self, why: str = "owner") -> None:
        self._wire.resume(why)

    # Transport to session

    def connectionMade(self) -> None:
        transport = cast(Transport, self.transport)
        self._wire = Wire(self._clock, transport, self._outbound, self._written, (Send, Ping))
        self.heard_at = self._clock.seconds()
        self._set_deadline(self._settings.handshake_timeout, self._handshake_expired)
        if self.role is Role.DIALLER:
            self._outbound.put_first(self._session.hello())
            self._flush()

    def dataReceived(self, data: bytes) -> None:
        if self._session.state is State.LEFT:
            return  # unheard, so not buffered either
        self.heard_at = self._clock.seconds()
        self._reading = True
        try:
            LineOnlyReceiver.dataReceived(self, data)
        finally:
            self._hand_over_talk()
            self._reading = False
        self._drop_rest()
        self._flush()

    def lineReceived(self, line: bytes) -> None:
        if len(line) < 4 and not line.strip():
            self._note_blank_line()
            return
        try:
            message = self._session.receive(line)
        except RemoteProtocolError as error:
            self._complain(error)
            return
        if isinstance(message, Send):
            self._on_talk(message)
        elif message is not None:
            self._spoke = True
            self._DISPATCH[type(message)](self, message)

    def lineLengthExceeded(self, line: bytes) -> None:
        self._give_up(f"a line of more than {MAX_LINE} bytes")

    def connectionLost(self, reason: Failure = Failure(Exception("lost"))) -> None:  # noqa: B008
        self._set_deadline(None)
        self._last_words.clear()
        self._wire.gone()
        if self._pinging.running:
            self._pinging.stop()
        state = self._session.state
        self._session.close()
        self.closed = self.closed or ending_by_transport(
            reason, self.role, state, spoke=self._spoke
        )
        self._owner.closed(self, self.closed)

    # What the peer said

    def _on_hello(self, message: Hello) -> None:
        # the owner may take its time, to see whether an older link lives
        self._set_deadline(self._settings.handshake_timeout, self._handshake_expired)
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
        self._outbound.reply(Pong(message.msg_id, self._timestamp()))

    def _on_pong(self, message: Pong) -> None:
        self._learn_from(message)
        self._outbound.answered(message.msg_id)
        seconds = self._keepalive.ponged(message.msg_id, self._clock.seconds())
        if seconds is not None:
            self._owner.measured(self, seconds)

    def _wait_if_undecided(self) -> None:
        """Read nothing more until the owner has decided; what came already waits (2.7)."""
        if not self._admitted and self.closed is None:
            self._wire.pause("decision")

    def _on_talk(self, message: Talk) -> None:
        if self._admitted or self.closed is None:
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
        established = self.established_at is not None
        self.closed = self.closed or ending_by_bye(message, self.role, established)
        self._part(self._session.leave_answer(message))

    def _on_bye_ok(self, message: ByeOk) -> None:
        self._hang_up()

    _DISPATCH: ClassVar[dict[type, Callable[["ChatProtocol", Any], None]]] = {
        Hello: _on_hello,
        HelloOk: _on_hello_ok,
        HelloReject: _on_hello_reject,
        Ping: _on_ping,
        Pong: _on_pong,
        Send: _on_talk,
        Pub: _on_talk,
        Ack: _on_talk,
        Relay: _on_talk,
        Bye: _on_bye,
        ByeOk: _on_bye_ok,
    }

    def _learn_from(self, message: Ping | Pong) -> None:
        """Recognise the program that must not be sent a PUB (2.10)."""
        if isinstance(message.timestamp, float) and not self.modern and self.peer is not None:
            self._outbound.habits.pub_as_send_to = self.peer

    def _drop_rest(self) -> None:
        """Keep no part of a line that nobody will hear."""
        if self._session.state is State.LEFT:
            self._buffer = b""

    # Beginnings and ends

    def _start_talking(self) -> None:
        self.established_at = self._clock.seconds()
        self._set_deadline(None)
        self._pinging.start(self._settings.ping_interval).addErrback(
            lambda failure: self.log.failure("keep-alive stopped", failure)
        )

    def _keep_alive(self) -> None:
        if not self.talking:
            return
        if self.paused:
            self._keepalive.excuse()
            if self._outbound.replies:
                return  # they are a sign of life, and would have to wait for the PONG
        if self._keepalive.dead:
            self.leave(Ending.DEAD, "no answer to two PINGs")
        else:
            self.ping()

    def _handshake_expired(self) -> None:
        awaited = "HELLO_OK" if self.role is Role.DIALLER else "HELLO"
        reason = f"no {awaited} within {self._settings.handshake_timeout:g} s"
        self._give_up(reason, Ending.SILENT)

    def _note_blank_line(self) -> None:
        self._blank_lines += 1
        if self._blank_lines > MAX_BLANK_LINES:
            self._give_up("blank lines")

    def _complain(self, error: RemoteProtocolError) -> None:
        self._bad_lines += 1
        self.log.warn(
            "[Session] {who}: {error}", who=visible(self.peer or str(self.address)), error=error
        )
        talking = self._session.state in (State.TALKING, State.LEAVING)
        if not talking or self._bad_lines > MAX_BAD_LINES:
            self._give_up(str(error))

    def _give_up(self, reason: str, ending: Ending = Ending.BROKEN) -> None:
        """Tell the other side what it did, and hang up without listening any more."""
        if self._session.state is State.LEFT:
            return
        self.closed = self.closed or Closed(ending, reason)
        self._turn_away_unheard(reason)
        if self._session.state is not State.LEAVING:
            last = self._session.leave(new_id(self._settings.rng), reason)
            self._last_words += [last] if last is not None else []
        self._session.close()
        self._wire.pause("broken")
        self._say_last_words()

    def _turn_away_unheard(self, reason: str) -> None:
        if self._session.state is State.AWAIT_HELLO:
            self._outbound.put_first(HelloReject(reason, self._session.me))

    def _part(self, last: Bye | ByeOk | None) -> None:
        """Say the last word, when what the peer said is stored or LEAVE_TIMEOUT is over."""
        self._outbound.drop_messages()
        self._last_words += [last] if last is not None else []
        if self._parted or not self._held:
            self._say_last_words()
        elif len(self._last_words) == 1:
            self._set_deadline(LEAVE_TIMEOUT, self._say_last_words)

    def _say_last_words(self) -> None:
        """Say BYE and wait for BYE_OK, or answer the peer's and close."""
        self._parted = True
        words, self._last_words = self._last_words, []
        for last in words:
            self._outbound.finish(last)
        if self._session.state is State.LEFT:
            self._wire.hang_up_when_written()
        self._set_deadline(LEAVE_TIMEOUT, self._hang_up)
        self._flush()

    def _hang_up(self) -> None:
        self._session.close()
        self._wire.hang_up()

    # Session to transport

    def _flush(self) -> None:
        """Write what may be written; while a read is worked on, only once at its end."""
        if not self._reading:
            self._wire.flush()

    def _written(self, message: Message, now: float) -> None:
        if isinstance(message, Send):
            self._owner.written(self, message)
        elif isinstance(message, Ping):
            self._keepalive.written(message.msg_id, now)

    # Small things

    def _timestamp(self) -> str:
        return self._settings.wall_clock().isoformat(timespec="milliseconds")[:23] + "Z"

    def _set_deadline(
        self, seconds: float | None, call: Callable[[], object] | None = None
    ) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = None
        if seconds is not None and call is not None:
            self._deadline = self._clock.callLater(seconds, call)

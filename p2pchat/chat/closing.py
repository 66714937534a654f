"""How one link ends: the last words, BYE and BYE_OK, and a deadline to each part (2.9).

The same deadline serves the handshake: a link that is not up in time ends too.
"""

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from p2pchat.chat.endings import ending_by_bye, ending_by_transport
from p2pchat.chat.link import Closed, Ending, LinkSettings
from p2pchat.chat.messages import Bye, ByeOk, HelloReject, new_id
from p2pchat.chat.outbound import Outbound
from p2pchat.chat.session import Role, Session, State
from p2pchat.chat.wire import Wire

#: How long a BYE waits for its BYE_OK, in seconds (2.9).
LEAVE_TIMEOUT = 1.0


class Closing:
    """Brings a link to its end."""

    def __init__(
        self,
        clock: IReactorTime,
        settings: LinkSettings,
        session: Session,
        outbound: Outbound,
        wire: Wire,
    ) -> None:
        #: How it ends; None until it is about to.
        self.closed: Closed | None = None
        self._clock = clock
        self._settings = settings
        self._session = session
        self._outbound = outbound
        self._wire = wire
        self._deadline: IDelayedCall | None = None
        self._held = 0
        self._last_words: list[Bye | ByeOk] = []
        self._parted = False

    def await_handshake(self) -> None:
        """Give up unless the next step of the handshake is done in time."""
        self._set_deadline(self._settings.handshake_timeout, self._handshake_expired)

    def await_nothing(self) -> None:
        """The handshake is done."""
        self._set_deadline(None)

    def note(self, closed: Closed) -> None:
        """Note why the link ends: the first reason counts."""
        self.closed = self.closed or closed

    def hold_open(self) -> None:
        """Say the last word only when let_go() was called as often as this."""
        self._held += 1

    def let_go(self) -> None:
        """Take one hold_open() back."""
        self._held -= 1
        if not self._held and self._last_words:
            self._say_last_words()

    def leave(self, reason: str) -> None:
        """Begin to leave: say BYE, and wait for BYE_OK."""
        self._turn_away_unheard(reason)
        self._part(self._session.leave(new_id(self._settings.rng), reason))

    def answer(self, bye: Bye, *, established: bool) -> None:
        """Answer the other side's BYE, and close; established: whether the link ever was."""
        self.note(ending_by_bye(bye, self._session.role, established))
        self._part(self._session.leave_answer(bye))

    def give_up(self, reason: str, ending: Ending = Ending.BROKEN) -> None:
        """Tell the other side what it did, and hang up without listening any more."""
        if self._session.state is State.LEFT:
            return
        self.note(Closed(ending, reason))
        self._turn_away_unheard(reason)
        if self._session.state is not State.LEAVING:
            last = self._session.leave(new_id(self._settings.rng), reason)
            self._last_words += [last] if last is not None else []
        self._session.close()
        self._wire.pause("broken")
        self._say_last_words()

    def hang_up(self) -> None:
        """Close the transport; all is said."""
        self._session.close()
        self._wire.hang_up()

    def gone(self, reason: Failure, *, spoke: bool) -> Closed:
        """The transport is closed; return how the link ended.

        `spoke`: the other side said something behind its HELLO_OK.
        """
        self._set_deadline(None)
        self._last_words.clear()
        self._wire.gone()
        session = self._session
        if self.closed is None:
            self.closed = ending_by_transport(reason, session.role, session.state, spoke=spoke)
        session.close()
        return self.closed

    def _handshake_expired(self) -> None:
        awaited = "HELLO_OK" if self._session.role is Role.DIALLER else "HELLO"
        reason = f"no {awaited} within {self._settings.handshake_timeout:g} s"
        self.give_up(reason, Ending.SILENT)

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
        self._set_deadline(LEAVE_TIMEOUT, self.hang_up)
        self._wire.flush()

    def _set_deadline(
        self, seconds: float | None, call: Callable[[], object] | None = None
    ) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = None
        if seconds is not None and call is not None:
            self._deadline = self._clock.callLater(seconds, call)

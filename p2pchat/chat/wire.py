"""The transport of one link: paced writing, pausing, and an end that comes within bounds."""

from collections.abc import Callable, Container
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from zope.interface import implementer

from p2pchat.chat.messages import Message
from p2pchat.chat.outbound import Outbound

#: How long closing may take once it was asked for, in seconds; then the connection is aborted.
HANG_UP_TIMEOUT = 1.0

#: We stop reading from a peer that does not read while this many of our replies wait for it.
MAX_REPLIES = 10_000


class Transport(Protocol):
    """What a link needs of a TCP connection; Twisted's interfaces spread it over three."""

    def write(self, data: bytes) -> None: ...
    def loseConnection(self) -> None: ...
    def abortConnection(self) -> None: ...
    def registerProducer(self, producer: object, streaming: bool) -> None: ...
    def unregisterProducer(self) -> None: ...
    def pauseProducing(self) -> None: ...
    def resumeProducing(self) -> None: ...
    def setTcpNoDelay(self, enabled: bool) -> None: ...


@implementer(IPushProducer)
class Wire:
    """Writes what an Outbound lets go, when it lets it go and when the transport takes it.

    `written` is called with each message of the types in `tracked` that is handed to the transport,
    and the time.
    """

    def __init__(
        self,
        clock: IReactorTime,
        transport: Transport,
        outbound: Outbound,
        written: Callable[[Message, float], None],
        tracked: Container[type],
    ) -> None:
        self._clock = clock
        self._transport = transport
        self._outbound = outbound
        self._written = written
        self._tracked = tracked
        self._wake: IDelayedCall | None = None
        self._abort: IDelayedCall | None = None
        self._soon = False
        #: While a read is worked on; what is written then is written at once at its end.
        self.corked = False
        self._full = False
        self._hang_up_when_written = False
        self._closed = False
        self._paused_by: set[str] = set()
        transport.setTcpNoDelay(True)
        transport.registerProducer(self, True)

    def flush(self) -> None:
        """Write what may be written now, and come back by itself for the rest."""
        if self._closed or self.corked:
            return
        self._soon = False
        now = self._clock.seconds()
        while not self._full and (batch := self._outbound.take(now)):
            self._transport.write(b"".join([line for _, line in batch]))
            for message, _ in batch:
                if type(message) in self._tracked:
                    self._written(message, now)
        self._mind_replies()
        self._plan()

    def cork(self) -> None:
        """Write nothing until uncork(): what a read leads to goes together."""
        self.corked = True

    def uncork(self) -> None:
        """Write what was held back."""
        self.corked = False
        self.flush()

    def flush_soon(self) -> None:
        """Write in the reactor's next turn, so that what is queued in this one goes together."""
        if not (self._soon or self._closed):
            self._cancel_wake()
            self._wake = self._clock.callLater(0, self.flush)
            self._soon = True

    def hang_up_when_written(self) -> None:
        """Close as soon as all that waits is written; flush() does it."""
        self._hang_up_when_written = True

    def hang_up(self) -> None:
        """Close once the transport has sent what it holds, or HANG_UP_TIMEOUT later."""
        if self._closed:
            return
        self._closed = True
        self._cancel_wake()
        self._abort = self._clock.callLater(HANG_UP_TIMEOUT, self._transport.abortConnection)
        # a transport with a producer would wait for it to end before it closes
        self._transport.unregisterProducer()
        self._transport.loseConnection()

    def gone(self) -> None:
        """Forget the transport: the connection is lost."""
        self._closed = True
        self._cancel_wake()
        if self._abort is not None and self._abort.active():
            self._abort.cancel()

    def pause(self, why: str) -> None:
        """Stop reading until resume() was called for each reason given."""
        if not self._paused_by and not self._closed:
            self._transport.pauseProducing()
        self._paused_by.add(why)

    def resume(self, why: str) -> None:
        """Take one reason not to read away."""
        if why not in self._paused_by:
            return
        self._paused_by.remove(why)
        if not self._paused_by and not self._closed:
            self._transport.resumeProducing()

    @property
    def is_held_back(self) -> bool:
        """Tell whether it is for reasons of ours that nothing is read.

        Replies that the other side does not read are none; those that we pace are one.
        """
        ours = self._paused_by - {"replies"} if self._full else self._paused_by
        return bool(ours & {"owner", "storing", "replies"})

    def _mind_replies(self) -> None:
        waiting = self._outbound.replies
        if waiting > MAX_REPLIES:
            self.pause("replies")
        elif waiting <= MAX_REPLIES // 2:
            self.resume("replies")

    def _plan(self) -> None:
        wake_at = self._outbound.wake_at()
        if wake_at is None:
            self._cancel_wake()
            if self._hang_up_when_written:
                self.hang_up()
        elif not self._full:
            self._cancel_wake()
            delay = max(0.0, wake_at - self._clock.seconds())
            self._wake = self._clock.callLater(delay, self.flush)

    def _cancel_wake(self) -> None:
        if self._wake is not None and self._wake.active():
            self._wake.cancel()
        self._wake = None
        self._soon = False

    # IPushProducer: the transport's buffer is full, or has room again

    def pauseProducing(self) -> None:
        self._full = True

    def resumeProducing(self) -> None:
        self._full = False
        self.flush()

    def stopProducing(self) -> None:
        self._full = True

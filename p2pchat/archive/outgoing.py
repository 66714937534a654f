"""What goes out on a link: messages one after the other, archives as the peer takes them.

An archive is written in parts, straight from the bytes that all archives share, whenever the
transport has room. Until the reactor's next turn, and while a peer reads slowly, requests and
answers that it is owed are remembered once each; the archive is the newest by the time its turn
comes (docs/protocols.md, 3.9).
"""

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from zope.interface import implementer

from p2pchat.archive.archive import Archive
from p2pchat.archive.codec import Type, archive_header

#: How much of an archive is handed to the transport at a time, in bytes.
PART = 16384


@implementer(IPushProducer)
class Outgoing:
    """Writes to one transport; calls `stalled` if it takes too long.

    A transport has room again when all is gone that it holds, some 64 KiB: whoever does not read so
    much within `timeout` seconds has stalled, however many bytes it takes.
    """

    def __init__(
        self, transport: Any, clock: IReactorTime, timeout: float, stalled: Callable[[], None]
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._timeout = timeout
        self._stalled = stalled
        self._owed: dict[Type, Callable[[], bytes | Archive | None]] = {}
        self._rest: memoryview | None = None
        self._paused = self._closed = False
        self._watch: IDelayedCall | None = None
        self._turn: IDelayedCall | None = None
        transport.registerProducer(self, True)

    @property
    def busy(self) -> bool:
        """Whether something waits until the peer reads."""
        return self._paused

    @property
    def source(self) -> Any:
        """The buffer that the archive is in which is being sent; None if none is."""
        return self._rest.obj if self._rest is not None else None

    def owe(self, kind: Type, make: Callable[[], bytes | Archive | None]) -> None:
        """Send a message of this kind in the reactor's next turn, or when there is room.

        `make` is called then: it returns the message's bytes, an archive, or None for nothing. Only
        the last call for a kind counts.
        """
        if self._closed:
            return
        self._owed[kind] = make
        if not self._paused and self._turn is None:
            self._turn = self._clock.callLater(0, self._take_turn)

    def flush(self) -> None:
        """Write what there is room for now."""
        self._cancel_turn()
        self._write()

    def close(self) -> None:
        """Send nothing more."""
        self._closed = True
        self._owed.clear()
        self._transport.unregisterProducer()
        self.stopProducing()

    # The transport asks (IPushProducer)

    def pauseProducing(self) -> None:
        self._paused = True
        if self._watch is None:
            self._watch = self._clock.callLater(self._timeout, self._stall)

    def resumeProducing(self) -> None:
        self._paused = False
        self._unwatch()
        self._write()

    def stopProducing(self) -> None:
        self._paused = True
        self._rest = None
        self._unwatch()
        self._cancel_turn()

    def _take_turn(self) -> None:
        self._turn = None
        self._write()

    def _cancel_turn(self) -> None:
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None

    def _write(self) -> None:
        while not self._paused:
            if self._rest is not None:
                part, rest = self._rest[:PART], self._rest[PART:]
                self._rest = rest if rest else None
                self._transport.write(bytes(part))
            elif self._owed:
                self._begin(self._owed.pop(next(iter(self._owed)))())
            else:
                return

    def _begin(self, message: bytes | Archive | None) -> None:
        if isinstance(message, Archive):
            self._rest = message.view() if message.height else None
            message = archive_header(message.height)
        if message:
            self._transport.write(message)

    def _stall(self) -> None:
        self._watch = None
        self._stalled()

    def _unwatch(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

"""Lines from and to file descriptors, by threads, so that the reactor never waits for them.

A thread works with pipes, files and terminals alike and under every reactor; a file, for instance,
cannot be watched by epoll at all. The threads are daemons: one that hangs in a read or a write
never keeps the process from ending.
"""

import os
from collections.abc import Callable, Iterator
from select import select
from threading import Semaphore, Thread
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorThreads, IReactorTime
from twisted.logger import Logger

from p2pchat.ui.backlog import Backlog
from p2pchat.ui.lines import LineSplitter

#: Most that waits for a slow reader of our output, in bytes.
OUTPUT_LIMIT = 64 * 1024 * 1024

_CHUNK = 64 * 1024
_LINES_A_TURN = 64


class Reactor(IReactorTime, IReactorThreads):
    """What consoles need of a reactor: timers, threads, and calls from other threads."""


class InputListener(Protocol):
    """Whom the lines of an input are for; called in the reactor's thread."""

    async def line_received(self, line: str | None) -> None:
        """Take a line, None if it was too long; the next one comes when this is done."""

    def input_ended(self) -> None:
        """Take note that there will be no more lines."""


class LineInput:
    """Reads lines from a file descriptor and hands them over one after another.

    No more is read while lines that were read are not carried out, so that a large file is never in
    memory.
    """

    _log = Logger()

    def __init__(self, fd: int, reactor: Reactor, listener: InputListener) -> None:
        self._fd = fd
        self._reactor = reactor
        self._listener = listener
        self._carried_out = Semaphore(0)
        self._stopped = False
        self.thread = Thread(target=self._read, name="console input", daemon=True)

    def start(self) -> None:
        self.thread.start()

    def stop(self) -> None:
        """Hand nothing over any more; the thread ends after its current read."""
        self._stopped = True
        self._carried_out.release()

    def _read(self) -> None:
        splitter = LineSplitter()
        for chunk in self._chunks():
            self._hand_over(splitter.feed(chunk))
            if self._stopped:
                return
        self._hand_over(splitter.end())
        self._reactor.callFromThread(self._end)

    def _chunks(self) -> Iterator[bytes]:
        while True:
            try:
                chunk = os.read(self._fd, _CHUNK)
            except BlockingIOError:
                select([self._fd], [], [])
                continue
            except OSError:  # the terminal hung up, for instance: there is no more to read
                return
            if not chunk:
                return
            yield chunk

    def _hand_over(self, lines: list[str | None]) -> None:
        for start in range(0, len(lines), _LINES_A_TURN):
            if self._stopped:
                return
            self._reactor.callFromThread(self._begin, lines[start : start + _LINES_A_TURN])
            self._carried_out.acquire()

    def _begin(self, lines: list[str | None]) -> None:
        result = Deferred.fromCoroutine(self._carry_out(lines))
        result.addErrback(lambda failure: self._log.failure("A line was not carried out", failure))
        result.addBoth(lambda _: self._carried_out.release())

    async def _carry_out(self, lines: list[str | None]) -> None:
        for line in lines:
            if self._stopped:
                return
            await self._listener.line_received(line)

    def _end(self) -> None:
        if not self._stopped:
            self._listener.input_ended()


class LineOutput:
    """Writes what it is given to a file descriptor.

    `describe_loss` makes the bytes that tell how many writes were dropped because nobody read them;
    it is called in the writing thread. `on_gone` is called once, in the reactor's thread, with the
    reason if nothing can be written any more; whatever is written after that is dropped.
    """

    def __init__(
        self,
        fd: int,
        reactor: Reactor,
        describe_loss: Callable[[int], bytes],
        on_gone: Callable[[str], None],
        limit: int = OUTPUT_LIMIT,
    ) -> None:
        self._fd = fd
        self._reactor = reactor
        self._describe_loss = describe_loss
        self._on_gone = on_gone
        self._backlog: Backlog[bytes] = Backlog(limit)
        self._ended: Deferred[None] = Deferred()
        self.thread = Thread(target=self._write_all, name="console output", daemon=True)

    def start(self) -> None:
        self.thread.start()

    def write(self, data: bytes) -> bool:
        """Write data soon, and tell whether that will be; never blocks."""
        return not data or self._backlog.put(data, len(data))

    def close(self, timeout: float) -> "Deferred[None]":
        """Write nothing new; fires when all is written, or after timeout seconds."""
        self._backlog.close()
        return self._ended.addTimeout(timeout, self._reactor, onTimeoutCancel=lambda *_: None)

    def _write_all(self) -> None:
        try:
            while self._backlog.wait():
                items, lost = self._backlog.take(_CHUNK)
                if lost:
                    items.append(self._describe_loss(lost))
                self._write(b"".join(items))
        except OSError as error:
            self._backlog.close()
            self._reactor.callFromThread(self._on_gone, error.strerror or str(error))
        self._reactor.callFromThread(self._ended.callback, None)

    def _write(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            try:
                left = left[os.write(self._fd, left) :]
            except BlockingIOError:
                select([], [self._fd], [])

"""A console on streams: commands from one file descriptor, output to another.

What the lines of output look like is up to a Format: `plain` for people, `json_lines` for programs.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from p2pchat.api import NodeApi
from p2pchat.events import Event, Notice
from p2pchat.history import OutboxEntry
from p2pchat.ui.classic import slashed
from p2pchat.ui.commands import Reply, failure
from p2pchat.ui.dialogue import Dialogue
from p2pchat.ui.lines import LINE_LIMIT
from p2pchat.ui.reading import Reading
from p2pchat.ui.stdio import LineInput, LineOutput, Reactor
from p2pchat.ui.surroundings import Surroundings, threads_of

#: Longest wait for what is under way at the end of input, in seconds.
SETTLE_TIMEOUT = 5.0
#: Longest wait for a slow reader of the output when the node stops, in seconds.
FLUSH_TIMEOUT = 2.0
#: How long the first line waits until there is somebody to talk to, in seconds.
GATHER_TIMEOUT = 5.0


class Format(Protocol):
    """How events and replies are written: each as whole lines, or as nothing."""

    def event(self, event: Event) -> bytes:
        """Write an event."""

    def reply(self, reply: Reply, time: datetime) -> bytes:
        """Write a reply."""

    def recall(self, entries: Sequence[OutboxEntry]) -> None:
        """Note messages of an earlier run, whose delivery events are to be written."""


class StreamConsole(Service):
    """Carries out the lines of an input one after another and writes what happens.

    At the end of input it waits for what is under way, then leaves. Without an input (None) there
    are no commands and no end. `now` tells the time in UTC; it is called from a thread too. With
    `classic` the words of an earlier program are commands too. If somebody `reads` the output, what
    was written counts as read when the next line comes in.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Reactor,
        api: NodeApi,
        form: Format,
        now: Callable[[], datetime],
        input_fd: int | None,
        output_fd: int,
        *,
        classic: bool = False,
        reads: bool = False,
    ) -> None:
        self._api = api
        self._form = form
        self._now = now
        self._classic = classic
        self._reading = Reading(api) if reads else None
        self._dialogue = Dialogue(api, self, Surroundings(now, threads_of(reactor)))
        self._input = None if input_fd is None else LineInput(input_fd, reactor, self)
        self._output = LineOutput(output_fd, reactor, self._describe_loss, self._output_gone)

    def startService(self) -> None:
        """Subscribe to the node's events and begin to read."""
        Service.startService(self)
        self._dialogue.start()
        self._output.start()
        gathered = self._api.gathered(GATHER_TIMEOUT)
        gathered.addCallback(lambda _: self._begin_to_read())

    def _begin_to_read(self) -> None:
        """Read once there is somebody to talk to: a pipe is full before the node knows anybody."""
        if self._input and self.running:
            self._input.start()

    def stopService(self) -> "Deferred[None]":
        """Stop reading; fires when all output is written, or after 2 s."""
        Service.stopService(self)
        self._dialogue.stop()
        if self._input:
            self._input.stop()
        return self._output.close(FLUSH_TIMEOUT)

    def show_event(self, event: Event) -> None:
        kept = self._output.write(self._form.event(event))
        if self._reading:
            self._reading.event_shown(event, kept=kept)

    def show_reply(self, typed: str, reply: Reply) -> None:
        self._output.write(self._form.reply(reply, self._now()))

    def recall(self, entries: Sequence[OutboxEntry]) -> None:
        self._form.recall(entries)

    async def line_received(self, line: str | None) -> None:
        """Carry out a line; a line that was too long gets a reply that says so."""
        if line is None:
            self.show_reply("", failure("", f"a line over {LINE_LIMIT} bytes was not carried out"))
            return
        line = slashed(line, self._api) if self._classic else line
        if self._reading:
            self._reading.line_entered(line)
        await self._dialogue.execute(line)

    def input_ended(self) -> None:
        """Let what is under way end, then leave."""
        ended = Deferred.fromCoroutine(self._leave_when_settled())
        ended.addErrback(lambda reason: self._log.failure("The end of input failed", reason))

    async def _leave_when_settled(self) -> None:
        await self._api.settled(SETTLE_TIMEOUT)
        if self.running:
            self._api.leave()

    def _describe_loss(self, count: int) -> bytes:
        text = f"{count} lines of output were dropped here because they were not read in time"
        return self._form.event(Notice(time=self._now(), level="warning", text=text))

    def _output_gone(self, reason: str) -> None:
        self._log.info("Nobody reads the console any more: {reason}", reason=reason)
        if self.running:
            self._api.leave()

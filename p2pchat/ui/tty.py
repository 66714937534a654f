"""The console on a terminal: a prompt with completion and history, and what happens above it."""

from collections.abc import Callable
from datetime import datetime, tzinfo
from typing import Protocol

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from p2pchat.api import NodeApi
from p2pchat.events import DeliveryChanged, Event, MessageReceived, Notice, PeerDown, PeerUp
from p2pchat.text import visible
from p2pchat.ui.actions import Sent
from p2pchat.ui.commands import Reply, parse
from p2pchat.ui.completion import Candidate, candidates
from p2pchat.ui.dialogue import Dialogue
from p2pchat.ui.outgoing import Message, Outgoing
from p2pchat.ui.prompt import PromptListener, Scene
from p2pchat.ui.stdio import Reactor
from p2pchat.ui.tables import plural
from p2pchat.ui.views import Line, delivery_line, event_line, reply_lines, stamped
from p2pchat.ui.words import shown

#: Longest wait for the terminal when the node stops, in seconds.
CLOSE_TIMEOUT = 2.0

_MAX_OUTGOING = 200
_MAX_ABOVE = 3
_MESSAGES = ("", "/msg", "/pub")


class PromptLike(Protocol):
    """What the console needs of a prompt; `Prompt` describes each."""

    def start(self, listener: PromptListener) -> None: ...
    def print(self, line: Line) -> None: ...
    def show(self, scene: Scene) -> None: ...
    def close(self) -> None: ...
    def restore(self) -> None: ...


class TtyConsole(Service):
    """Carries out what is typed at a prompt and shows what happens above it.

    A message of ours stays above the prompt with its delivery mark until it is delivered or failed;
    then it is printed once, with the time it was written. `now` tells the time in UTC; it is called
    from a thread too.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Reactor,
        api: NodeApi,
        prompt: PromptLike,
        now: Callable[[], datetime],
        zone: tzinfo | None = None,
    ) -> None:
        self._reactor = reactor
        self._api = api
        self._prompt = prompt
        self._now = now
        self._zone = zone
        self._dialogue = Dialogue(api, self)
        self._prompt_started = False
        self._closed: Deferred[None] = Deferred()
        self._outgoing = Outgoing(_MAX_OUTGOING)
        self._connected: set[str] = set()
        self._unread = 0

    def startService(self) -> None:
        """Subscribe to the node's events; the prompt appears when the reactor runs."""
        Service.startService(self)
        self._dialogue.start()
        self._reactor.callFromThread(self._start_prompt)

    def stopService(self) -> "Deferred[None]":
        """Fires when all is printed and the terminal is as it was, or after 2 s."""
        Service.stopService(self)
        self._dialogue.stop()
        if not self._prompt_started:
            return succeed(None)
        for message in self._outgoing:
            self._print_message(message)
        self._prompt.close()
        closed = self._closed.addTimeout(
            CLOSE_TIMEOUT, self._reactor, onTimeoutCancel=lambda *_: None
        )
        return closed.addCallback(lambda _: self._prompt.restore())

    def show_event(self, event: Event) -> None:
        match event:
            case DeliveryChanged():
                self._delivery(event)
            case MessageReceived():
                self._unread += 1
                self._print(event_line(event), event.time)
            case _:
                self._count(event)
                self._print(event_line(event), event.time)
        self._show_scene()

    def show_reply(self, typed: str, reply: Reply) -> None:
        now = self._now()
        if isinstance(reply.data, Sent):
            given_up = self._outgoing.add(reply.data.msg_id, Message(now, reply.lines[0]))
            if given_up:
                self._print_message(given_up)
        else:
            if reply.error and _is_message(typed):
                self._echo(typed)
            for line in reply_lines(reply):
                self._print(line, now)
        self._show_scene()

    def line_entered(self, text: str) -> None:
        self._reactor.callFromThread(self._entered, text)

    def candidates_wanted(
        self, before_cursor: str, answer: Callable[[list[Candidate]], None]
    ) -> None:
        self._reactor.callFromThread(lambda: answer(candidates(before_cursor, self._api)))

    def describe_loss(self, count: int) -> Line:
        text = f"{count} lines were dropped here because the terminal took none"
        notice = Notice(time=self._now(), level="warning", text=text)
        return stamped(event_line(notice), notice.time, self._zone)

    def prompt_left(self, error: BaseException | None) -> None:
        self._reactor.callFromThread(self._leave, error)

    def prompt_closed(self, error: BaseException | None) -> None:
        self._reactor.callFromThread(self._prompt_ended, error)

    def _start_prompt(self) -> None:
        if self.running:
            self._prompt_started = True
            self._show_scene()
            self._prompt.start(self)

    def _leave(self, error: BaseException | None) -> None:
        if error is not None:
            self._log.error("The terminal failed: {error!r}", error=error)
        if self.running:
            self._api.leave()

    def _prompt_ended(self, error: BaseException | None) -> None:
        self._leave(error)
        self._closed.callback(None)

    def _entered(self, text: str) -> None:
        if not self.running:
            return
        self._unread = 0
        if text.strip() and not _is_message(text):
            self._echo(text)
        self._dialogue.execute(text)
        self._show_scene()

    def _echo(self, text: str) -> None:
        self._print([("class:typed", f"> {visible(text)}")], self._now())

    def _delivery(self, event: DeliveryChanged) -> None:
        message = self._outgoing.move_on(event)
        if message is None:
            self._print(event_line(event), event.time)
        elif event.state != "sent":
            self._print_message(message)

    def _count(self, event: Event) -> None:
        if isinstance(event, PeerUp):
            self._connected.add(event.peer_id)
        elif isinstance(event, PeerDown):
            self._connected.discard(event.peer_id)

    def _print_message(self, message: Message) -> None:
        self._print(delivery_line(message.text, message.state, message.reason), message.time)

    def _print(self, line: Line, time: datetime) -> None:
        self._prompt.print(stamped(line, time, self._zone))

    def _show_scene(self) -> None:
        partner = self._dialogue.partner
        toolbar = (shown(self._api.peer_id), f"{len(self._connected)} connected")
        self._prompt.show(
            Scene(
                above=self._above(),
                partner=shown(partner) if partner else "",
                toolbar=" | ".join((*toolbar, f"{self._unread} unread")),
            )
        )

    def _above(self) -> tuple[Line, ...]:
        messages = list(self._outgoing)
        lines = [
            stamped(delivery_line(message.text, message.state), message.time, self._zone)
            for message in messages[-_MAX_ABOVE:]
        ]
        more = len(messages) - len(lines)
        note: list[Line] = [[("class:waiting", f"{plural(more, 'message')} before")]]
        return (*(note if more else []), *lines)


def _is_message(typed: str) -> bool:
    return parse(typed)[0].lower() in _MESSAGES

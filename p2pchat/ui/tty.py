"""The console on a terminal: a prompt with completion and history, and what happens above it."""

from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo
from typing import Protocol

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from p2pchat.api import ChatInfo, NodeApi
from p2pchat.events import ChatChanged, DeliveryChanged, Event, Notice
from p2pchat.text import visible
from p2pchat.ui.actions import Sent
from p2pchat.ui.commands import Reply, parse
from p2pchat.ui.completion import Candidate, candidates
from p2pchat.ui.dialogue import Dialogue
from p2pchat.ui.marks import chat_note
from p2pchat.ui.outgoing import Key, Message, Outgoing
from p2pchat.ui.prompt import PromptListener, Scene
from p2pchat.ui.stdio import Reactor
from p2pchat.ui.tables import plural
from p2pchat.ui.tally import Tally
from p2pchat.ui.views import Line, delivery_line, event_line, event_lines, reply_lines, stamped
from p2pchat.ui.words import shown

#: Longest wait for the terminal when the node stops, in seconds.
CLOSE_TIMEOUT = 2.0

_MAX_OUTGOING = 200
_MAX_ABOVE = 3
_MESSAGES = ("", "/msg", "/pub", "/chat")

#: How long a chat waits above the prompt for a peer to confirm it, if it stands in our archive.
_CONFIRMATION_TIME = timedelta(seconds=30)


class PromptLike(Protocol):
    """What the console needs of a prompt; `Prompt` describes each."""

    def start(self, listener: PromptListener) -> None: ...
    def print(self, line: Line) -> None: ...
    def show(self, scene: Scene) -> None: ...
    def close(self) -> None: ...
    def restore(self) -> None: ...


class TtyConsole(Service):
    """Carries out what is typed at a prompt and shows what happens above it.

    A message of ours stays above the prompt with its delivery mark until it is delivered or failed,
    a chat of the archive until a peer confirmed it, or for 30 s and until it stands in ours; then
    it is printed once, with the time it was written. `now` tells the time in UTC; it is called from
    a thread too.
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
        self._tally = Tally(api.peer_id)

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
                self._move_on(event, event.msg_id, event.state, event.reason)
            case ChatChanged():
                self._move_on(event, event.chat_id, event.state, chat_note(event))
            case _:
                self._tally.count(event)
                self._print_event(event)
        self._show_scene()

    def show_reply(self, typed: str, reply: Reply) -> None:
        now = self._now()
        match reply.data:
            case Sent(msg_id=msg_id):
                self._follow(msg_id, Message(now, reply.lines[0]))
            case ChatInfo(state=state) as chat:
                self._follow(chat.chat_id, Message(now, reply.lines[0], state, chat_note(chat)))
            case _:
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
        self._tally.read()
        if text.strip() and not _is_message(text):
            self._echo(text)
        self._dialogue.execute(text)
        self._show_scene()

    def _echo(self, text: str) -> None:
        self._print([("class:typed", f"> {visible(text)}")], self._now())

    def _follow(self, key: Key, message: Message) -> None:
        given_up = self._outgoing.add(key, message)
        if given_up:
            self._print_message(given_up)

    def _move_on(self, event: Event, key: Key, state: str, note: str) -> None:
        message = self._outgoing.move_on(key, state, note)
        if message is None:
            self._print_event(event)
        elif message.ended:
            self._print_message(message)

    def _print_event(self, event: Event) -> None:
        for line in event_lines(event):
            self._print(line, event.time)

    def _print_message(self, message: Message) -> None:
        self._prompt.print(self._line_of(message))

    def _line_of(self, message: Message) -> Line:
        line = delivery_line(message.text, message.state, message.note)
        return stamped(line, message.time, self._zone)

    def _print(self, line: Line, time: datetime) -> None:
        self._prompt.print(stamped(line, time, self._zone))

    def _show_scene(self) -> None:
        for chat in self._outgoing.take_archived(self._now() - _CONFIRMATION_TIME):
            self._print_message(chat)
        partner = self._dialogue.partner
        self._prompt.show(
            Scene(
                above=self._above(),
                partner=shown(partner) if partner else "",
                toolbar=str(self._tally),
            )
        )

    def _above(self) -> tuple[Line, ...]:
        messages = list(self._outgoing)
        lines = [self._line_of(message) for message in messages[-_MAX_ABOVE:]]
        more = len(messages) - len(lines)
        note: list[Line] = [[("class:waiting", f"{plural(more, 'message')} before")]]
        return (*(note if more else []), *lines)


def _is_message(typed: str) -> bool:
    return parse(typed)[0].lower() in _MESSAGES

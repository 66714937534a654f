"""The console on a terminal: a prompt with completion and history, and what happens above it."""

from collections.abc import Callable, Sequence
from datetime import datetime, tzinfo
from typing import Protocol

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from p2pchat.api import ChatInfo, NodeApi
from p2pchat.events import (
    ChatChanged,
    DeliveryChanged,
    Event,
    HistoryOpened,
    Notice,
    PeerDown,
)
from p2pchat.history import OutboxEntry
from p2pchat.text import visible
from p2pchat.ui.absence import Absence
from p2pchat.ui.actions import Sent
from p2pchat.ui.commands import Reply, parse
from p2pchat.ui.completion import Candidate, candidates
from p2pchat.ui.dialogue import Dialogue
from p2pchat.ui.history_actions import UnreadMessages
from p2pchat.ui.marks import chat_note
from p2pchat.ui.outgoing import Key, Message, recalled
from p2pchat.ui.prompt import PromptListener, Scene
from p2pchat.ui.reading import Reading
from p2pchat.ui.recollection import Recollection
from p2pchat.ui.said import rule
from p2pchat.ui.stdio import Reactor
from p2pchat.ui.styled import Line, stamped
from p2pchat.ui.surroundings import Surroundings, threads_of
from p2pchat.ui.tally import Tally
from p2pchat.ui.under_way import UnderWay
from p2pchat.ui.views import event_line, event_lines, reply_lines
from p2pchat.ui.words import shown

#: Longest wait for the terminal when the node stops, in seconds.
CLOSE_TIMEOUT = 2.0

_MESSAGES = ("", "/msg", "/pub", "/chat")


class PromptLike(Protocol):
    """What the console needs of a prompt; `Prompt` describes each."""

    def start(self, listener: PromptListener) -> None: ...
    def print(self, line: Line) -> bool: ...
    def show(self, scene: Scene) -> None: ...
    def close(self) -> None: ...
    def restore(self) -> None: ...


class TtyConsole(Service):
    """Carries out what is typed at a prompt and shows what happens above it.

    What we said stays above the prompt until it arrived (see `under_way`). `now` tells the time in
    UTC; it is called from a thread too.
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
        self._dialogue = Dialogue(api, self, Surroundings(now, threads_of(reactor), zone))
        self._prompt_started = False
        self._closed: Deferred[None] = Deferred()
        self._under_way = UnderWay(prompt.print, zone)
        self._tally = Tally(api.peer_id)
        self._absence = Absence(now())
        self._reading = Reading(api)
        self._recollection = Recollection(reactor, api)

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
        self._under_way.print_all()
        self._prompt.close()
        closed = self._closed.addTimeout(
            CLOSE_TIMEOUT, self._reactor, onTimeoutCancel=lambda *_: None
        )
        return closed.addCallback(lambda _: self._prompt.restore())

    def show_event(self, event: Event) -> None:
        kept = True
        match event:
            case DeliveryChanged():
                self._move_on(event, event.msg_id, event.state, event.reason)
            case ChatChanged():
                self._move_on(event, event.chat_id, event.state, chat_note(event))
            case _:
                if self._tally.count(event) and self._absence.begins_unread(self._now()):
                    self._prompt.print(rule("unread from here on"))
                kept = self._print_event(event)
        if isinstance(event, PeerDown):
            self._under_way.set_aside(event.peer_id)
        self._reading.event_shown(event, kept=kept)
        self._show_scene()
        if isinstance(event, HistoryOpened):  # what waits is taken up behind this event
            self._reactor.callFromThread(self._show_scene)

    def show_reply(self, typed: str, reply: Reply) -> None:
        now = self._now()
        match reply.data:
            case OutboxEntry():
                pass  # it was withdrawn, which its delivery event has told
            case Sent(msg_id=msg_id) as sent:
                self._recollection.spoken_to(sent.to)
                self._under_way.follow(msg_id, Message(now, reply.lines[0], to=sent.to))
                if sent.absent:
                    self._under_way.set_aside(sent.to)
                for text in reply.lines[1:]:
                    self._print([("class:notice", f"· {text}")], now)
            case ChatInfo(state=state) as chat:
                ours = Message(now, reply.lines[0], state, chat_note(chat))
                self._under_way.follow(chat.chat_id, ours)
            case _:
                if isinstance(reply.data, UnreadMessages):
                    self._tally.listed(reply.data.left)
                if reply.error and _is_message(typed):
                    self._echo(typed)
                for line in reply_lines(reply, now, self._zone):
                    self._prompt.print(line)
        self._show_scene()

    def recall(self, entries: Sequence[OutboxEntry]) -> None:
        for entry in entries:
            self._under_way.recall(entry.msg_id, recalled(entry))

    def line_entered(self, text: str) -> None:
        self._reactor.callFromThread(self._entered, text)

    def candidates_wanted(
        self, before_cursor: str, answer: Callable[[list[Candidate]], None]
    ) -> None:
        self._reactor.callFromThread(self._complete, before_cursor, answer)

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
            self._complete("", lambda _: None)
            self._show_scene()
            self._prompt.start(self)

    def _complete(self, before_cursor: str, answer: Callable[[list[Candidate]], None]) -> None:
        fetching = Deferred.fromCoroutine(self._recollection.refresh(before_cursor))
        fetching.addCallback(
            lambda _: answer(candidates(before_cursor, self._api, self._recollection))
        )
        fetching.addErrback(lambda failure: self._log.failure("no completion", failure))

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
        self._absence.end(self._now())
        self._reading.line_entered(text)
        if text.strip() and not _is_message(text):
            self._echo(text)
        self._dialogue.execute(text)
        self._show_scene()

    def _echo(self, text: str) -> None:
        self._print([("class:typed", f"> {visible(text)}")], self._now())

    def _move_on(self, event: Event, key: Key, state: str, note: str) -> None:
        if not self._under_way.move_on(event.time, key, state, note):
            self._print_event(event)

    def _print_event(self, event: Event) -> bool:
        kept = [self._print(line, event.time) for line in event_lines(event)]
        return all(kept)

    def _print(self, line: Line, time: datetime) -> bool:
        return self._prompt.print(stamped(line, time, self._zone))

    def _show_scene(self) -> None:
        self._under_way.tidy(self._now())
        self._tally.waiting = self._api.pending
        partner = self._dialogue.partner
        self._prompt.show(
            Scene(
                above=self._under_way.above(),
                partner=shown(partner) if partner else "",
                toolbar=str(self._tally),
            )
        )


def _is_message(typed: str) -> bool:
    return parse(typed)[0].lower() in _MESSAGES

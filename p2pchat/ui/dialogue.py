"""The talk between a console and the node: lines in, replies and events out, in a good order."""

from collections.abc import Sequence
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from p2pchat.api import NodeApi
from p2pchat.events import DeliveryChanged, Event, HistoryOpened
from p2pchat.history import OutboxEntry
from p2pchat.identity import PeerId
from p2pchat.ui.commands import Commands, Reply, failure, parse
from p2pchat.ui.surroundings import Surroundings


class Face(Protocol):
    """Where a dialogue shows itself."""

    def show_event(self, event: Event) -> None:
        """Show what the node reports."""

    def show_reply(self, typed: str, reply: Reply) -> None:
        """Show the reply to the line that was typed."""

    def recall(self, entries: Sequence[OutboxEntry]) -> None:
        """Note messages of an earlier run: delivery events tell what becomes of them."""


class Dialogue:
    """Carries out lines and passes on events.

    Events that a command causes before it waits for anything are shown behind its reply, and so are
    the delivery events that come while a message is stored: whoever sends a message learns its
    msg_id before its first delivery event.
    """

    _log = Logger()

    def __init__(self, api: NodeApi, face: Face, surroundings: Surroundings) -> None:
        self._api = api
        self._face = face
        self._commands = Commands(api, surroundings)
        self._running = False
        self._held: list[Event] = []
        self._open = False

    @property
    def partner(self) -> PeerId | None:
        """Whom plain text goes to."""
        return self._commands.partner

    def start(self) -> None:
        self._open = True
        self._api.subscribe(self._report)

    def stop(self) -> None:
        """Show nothing any more."""
        self._open = False

    def execute(self, typed: str) -> "Deferred[None]":
        """Carry out a line and show its reply; fires when that is done, never with an error."""
        self._running = True
        running = Deferred.fromCoroutine(self._commands.run(typed))
        running.addErrback(self._unexpected, typed)
        done = running.addCallback(self._reply, typed)
        self._running = False
        self._release()
        return done

    def _unexpected(self, reason: Failure, typed: str) -> Reply:
        name = parse(typed)[0] or "/msg"
        self._log.failure("{name} failed", reason, name=name)
        return failure(name, f"{name}: internal error, the log tells more")

    def _reply(self, reply: Reply | None, typed: str) -> None:
        if reply is not None and self._open:
            self._face.show_reply(typed, reply)
        self._release()

    def _report(self, event: Event) -> None:
        if isinstance(event, HistoryOpened) and self._api.left_over:
            self._face.recall(self._api.left_over)
        if self._running or (isinstance(event, DeliveryChanged) and self._commands.sending):
            self._held.append(event)
        elif self._open:
            self._face.show_event(event)

    def _release(self) -> None:
        held, self._held = self._held, []
        for event in held:
            self._report(event)

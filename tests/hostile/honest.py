"""The honest peers: they PING and SEND all the time, at fixed times, and note what comes of it.

One is of our kind; the other is a program that knows nothing of ours and takes its time.

Its questions do not wait for earlier answers: a node that stands still for a second is late for all
the questions of that second, not for one.
"""

import json
import select
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Thread
from typing import NamedTuple

from tests.hostile.attack import hello, send
from tests.hostile.target import PEER_ID
from tests.integration.programs import HERE
from tests.integration.raw import Message, encoded
from tests.integration.waiting import PATIENCE

#: The name of the honest peer of our kind.
NAME = "honest"


class Kind(NamedTuple):
    """Who an honest peer is, and how many seconds it lets go by between two PINGs or SENDs."""

    name: str
    first: bytes
    pace: float

    @property
    def peer_id(self) -> str:
        return f"{self.name}@CIC"


MODERN = Kind(NAME, hello(NAME), 0.04)

#: As deployed programs greet (docs/protocols.md, 2), and as seldom as they can be spoken to.
LEGACY = Kind(
    "veteran",
    b'{"type": "HELLO", "peer_id": "veteran@CIC", "version": "1.0", '
    b'"features": ["ack", "metrics"], "ttl": 1}\n',
    0.4,
)

#: How long answers are waited for at the end, in seconds.
_LAST_ANSWERS = 10.0


@dataclass
class Question:
    """A PING or SEND, when it was due, and the seconds to its answer, if there was one."""

    kind: str
    due: float
    seconds: float | None = None


class HonestPeer:
    """One link to a node's chat port, used by a thread of its own."""

    def __init__(
        self, port: int, kind: Kind = MODERN, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.kind = kind
        self.questions: dict[str, Question] = {}
        #: Why the link ended before we left; empty if it did not.
        self.cut_off = ""
        self._clock = clock
        self._rest = b""
        self._leaving = Event()
        self._greeted = Event()
        self._link = socket.create_connection((HERE, port), PATIENCE)
        self._link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()
        if not self._greeted.wait(PATIENCE):
            raise AssertionError(f"the honest peer {kind.name} is not greeted: {self.cut_off}")

    def accepted(self) -> list[tuple[str, str]]:
        """Return sender and msg_id of each text that was acknowledged."""
        return [
            (self.kind.peer_id, msg_id)
            for msg_id, question in self.questions.items()
            if question.kind == "SEND" and question.seconds is not None
        ]

    def times(self, kind: str, since: float, until: float) -> list[float]:
        """Return the seconds to each answer of what was due in a span; infinite if none came."""
        return [
            float("inf") if question.seconds is None else question.seconds
            for question in list(self.questions.values())
            if question.kind == kind and since <= question.due < until
        ]

    def close(self) -> None:
        """Ask no more, wait for the last answers, and hang up."""
        self._leaving.set()
        self._thread.join(_LAST_ANSWERS + PATIENCE)
        self._link.close()

    def _run(self) -> None:
        try:
            self._link.sendall(self.kind.first)
            while not self._greeted.is_set():
                self._read(PATIENCE)
            self._talk()
        except OSError as error:
            self.cut_off = str(error)

    def _talk(self) -> None:
        due = self._clock()
        while not self._leaving.is_set():
            self._ask("PING" if len(self.questions) % 2 else "SEND", due)
            due += self.kind.pace / 2
            while (left := due - self._clock()) > 0:
                self._read(left)
        deadline = self._clock() + _LAST_ANSWERS
        while self._waiting() and self._clock() < deadline:
            self._read(0.1)

    def _waiting(self) -> bool:
        return any(question.seconds is None for question in self.questions.values())

    def _ask(self, kind: str, due: float) -> None:
        # ids that anybody can guess, as some programs have them
        msg_id = str(len(self.questions))
        self.questions[msg_id] = Question(kind, due)
        if kind == "SEND":
            self._link.sendall(send(msg_id, f"honest words, number {msg_id}"))
        else:
            self._link.sendall(encoded({"type": "PING", "msg_id": msg_id, "ttl": 1}))

    def _read(self, timeout: float) -> None:
        if not select.select([self._link], [], [], timeout)[0]:
            return
        data = self._link.recv(1 << 16)
        if not data:
            raise ConnectionAbortedError("the node hung up")
        now = self._clock()
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(json.loads(line), now)

    def _take(self, message: Message, now: float) -> None:
        match message["type"]:
            case "HELLO_OK":
                self._greeted.set()
            case "PONG" | "ACK" as kind:
                self._answered(message["msg_id"], {"PONG": "PING", "ACK": "SEND"}[kind], now)
            case "PING":
                answer = {"type": "PONG", "msg_id": message["msg_id"], "ttl": 1}
                self._link.sendall(encoded(answer))
            case "SEND":
                self._link.sendall(encoded({"type": "ACK", "msg_id": message["msg_id"], "ttl": 1}))
            case "BYE" | "HELLO_REJECT":
                raise ConnectionAbortedError(f"{PEER_ID} said {message['type']}: {message}")

    def _answered(self, msg_id: str, kind: str, now: float) -> None:
        question = self.questions.get(msg_id)
        if question is not None and question.kind == kind and question.seconds is None:
            question.seconds = now - question.due

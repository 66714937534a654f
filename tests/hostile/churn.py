"""Peers that come, talk, leave and are killed: each kind in a thread of its own."""

import random
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from threading import Event, Thread
from typing import Any

from tests.hostile.attack import hello, send
from tests.hostile.crowd import Crowd, Member
from tests.hostile.target import Tally
from tests.integration.archive_peers import HonestPeer
from tests.integration.programs import HERE

#: So many names come again and again: who remembers all of them is level all the same.
NAMES = 40

_GOODBYE = b'{"type":"BYE","msg_id":"bye","reason":"enough","ttl":1}\n'


class Churn:
    """Does one thing again and again in a thread, until it is closed.

    What it raises is kept, whatever it is: with one that ended unnoticed all would be level.
    """

    def __init__(self, work: Callable[[], None], pause: float) -> None:
        self.rounds = 0
        self.trouble: list[str] = []
        self._work = work
        self._pause = pause
        self._over = Event()
        self._thread = Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._over.set()
        self._thread.join()

    def complaints(self) -> list[str]:
        """Return what went wrong, three of all at most; that nothing was ever done is wrong too."""
        return self.trouble[:3] if self.trouble or self.rounds else ["nothing was done"]

    def _run(self) -> None:
        while not self._over.wait(self._pause):
            try:
                self._work()
                self.rounds += 1
            except Exception as error:  # noqa: BLE001  # whatever it is, it is told at the end
                self.trouble.append(f"{type(error).__name__}: {error}"[:2000])


class Talkers:
    """Peers of the chat: each says three texts, and goes with a BYE, a reset or just silence."""

    def __init__(self, port: int, rng: random.Random) -> None:
        self.tally = Tally()
        self._port = port
        self._rng = rng
        self._crowd = Crowd(self.tally)
        self._names: dict[Member, str] = {}
        self._left: dict[Member, int] = {}
        self._numbers = count()

    def round(self) -> None:
        """Have one come, and hear all for a while."""
        number = next(self._numbers)
        name = f"peer{number % NAMES}"
        first = hello(name, agent="hostile" if number % 2 else "")
        member = self._crowd.join(HERE, self._port, "127.66.8.1", first=first)
        if member is not None:
            self._names[member], self._left[member] = f"{name}@CIC", 3
        deadline = time.monotonic() + 0.2
        while time.monotonic() < deadline:
            for member, line in self._crowd.lines(0.05):
                self._hear(member, line)
        here = self._crowd.members
        self._names = {member: who for member, who in self._names.items() if member in here}

    def close(self) -> None:
        self._crowd.close()

    def _hear(self, member: Member, line: bytes) -> None:
        if b'"type":"PING"' in line:
            self._crowd.say(member, line.replace(b"PING", b"PONG", 1) + b"\n")
        elif b'"type":"ACK"' in line or b'"type":"HELLO_OK"' in line:
            if b'"type":"ACK"' in line:
                msg_id = line.split(b'"msg_id":"')[1].split(b'"')[0].decode()
                self.tally.accepted.append((self._names[member], msg_id))
            self._go_on(member)

    def _go_on(self, member: Member) -> None:
        self._left[member] -= 1
        if self._left[member] >= 0:
            msg_id = f"churn{next(self._numbers)}"
            self._crowd.say(member, send(msg_id, "words, words"))
            return
        del self._left[member]
        match self._rng.randrange(3):
            case 0:
                self._crowd.say(member, _GOODBYE)
            case 1:
                self._crowd.leave(member, abruptly=True)
            case 2:
                self._crowd.leave(member)


class Restarted:
    """A process that is killed and started anew in each round; `make` starts it."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self.current: Any = make()

    def round(self) -> None:
        self.current.kill()
        with suppress(AssertionError):  # what a killed one leaves behind is no complaint
            self.current.close()
        self.current = self._make()

    def close(self) -> None:
        self.current.close()


def visit(address: str, port: int, host: str) -> None:
    """Be a peer of the archive for some seconds, say something and go."""
    peer = HonestPeer(address, port, host)
    try:
        time.sleep(2)
        peer.say(f"a visitor at {time.time():.3f}")
        time.sleep(3)
    finally:
        peer.close()

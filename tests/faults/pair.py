"""Two nodes that talk to each other without a pause, while they are killed again and again."""

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from types import TracebackType

from tests.faults.ledger import Findings, Ledger
from tests.faults.speaker import Speaker, messages
from tests.integration.programs import HERE, free_port
from tests.integration.servers import PlayedServer, Request
from tests.integration.waiting import PATIENCE, wait_until

#: How long nothing is said at the most, in seconds, and how many messages are said at once then.
MAX_PAUSE = 0.08
MAX_BURST = 3

#: Of so many messages one is long, in characters.
LONG_ONES = 200
LONG = 10_000

#: A node is killed so long after it began to hear the other one, or after its start, in seconds.
AFTER_TALK = 0.5
AFTER_START = 1.0

#: How often it is killed while it starts, and how often both are killed at once.
IN_START = 0.25
BOTH = 0.15


class Pair:
    """Two nodes, which are ended on leaving the context; what goes wrong raises AssertionError."""

    def __init__(self, folder: Path, rng: Random) -> None:
        self.kills = 0
        self._rng = rng
        self._server = PlayedServer(free_port(), self._answer)
        there, back = Ledger(), Ledger()
        self.ledgers = (there, back)
        alice, bob = "alice@CIC", "bob@CIC"
        port = self._server.port
        self._speakers = (
            Speaker(folder / "alice", alice, bob, port, there, back),
            Speaker(folder / "bob", bob, alice, port, back, there),
        )

    def __enter__(self) -> "Pair":
        for speaker in self._speakers:
            speaker.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for speaker in self._speakers:
            speaker.close()
        self._server.close()

    def fail_once(self) -> None:
        """Let one or both be killed at a random moment, and start again."""
        victims = self._choose()
        if self._rng.random() >= IN_START:
            self._talk_until(self._all_have_heard, "a message to each in this run")
            self._talk_for(self._rng.uniform(0, AFTER_TALK))
        else:
            self._talk_for(self._rng.uniform(0, AFTER_START))
        for speaker in victims:
            speaker.kill()
            self.kills += 1
        for speaker in victims:
            speaker.start()

    def finish(self) -> Findings:
        """Say no more, wait until all has arrived, end both nodes and return what is wrong."""
        for speaker in self._speakers:
            wait_until(partial(_is_answered, speaker), f"all replies of {speaker.name}")
        for speaker in self._speakers:
            self._wait_until_sent(speaker)
        first, second = (speaker.stop() for speaker in self._speakers)
        there, back = self.ledgers
        there.close(messages(first, "out"), messages(second, "in"))
        back.close(messages(second, "out"), messages(first, "in"))
        return there.findings() + back.findings()

    def _choose(self) -> list[Speaker]:
        if self._rng.random() < BOTH:
            return self._rng.sample(self._speakers, 2)
        return [self._rng.choice(self._speakers)]

    # Talking

    def _talk_for(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._talk(left)

    def _talk_until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {PATIENCE:g} s: {what}")
            self._talk(MAX_PAUSE)

    def _talk(self, most: float) -> None:
        """Let each say a few messages, and then wait, at most so many seconds."""
        for speaker, ledger in zip(self._speakers, self.ledgers, strict=True):
            for _ in range(self._rng.randint(0, MAX_BURST)):
                speaker.say(self._text(len(ledger.entered)))
        time.sleep(min(most, self._rng.uniform(0, MAX_PAUSE)))

    def _text(self, number: int) -> str:
        size = LONG if self._rng.randrange(LONG_ONES) == 0 else self._rng.randint(0, 100)
        return f"{number} {'é' * size}".rstrip()

    def _all_have_heard(self) -> bool:
        return all(speaker.has_heard for speaker in self._speakers)

    # The end

    def _wait_until_sent(self, speaker: Speaker) -> None:
        try:
            wait_until(lambda: not speaker.outbox(), f"an empty outbox of {speaker.name}")
        except AssertionError as error:
            raise AssertionError(f"{error}; still in it: {speaker.outbox()[:20]}") from None

    # The rendezvous

    def _answer(self, request: Request) -> bytes:
        """Answer as if both were always registered."""
        answer: dict[str, object] = {"status": "OK"}
        if request["type"] == "REGISTER":
            answer |= {"ttl": request["ttl"], "ip": HERE, "port": request["port"]}
        elif request["type"] == "DISCOVER":
            answer["peers"] = [_registration(speaker) for speaker in self._speakers]
        return json.dumps(answer).encode() + b"\n"


def _is_answered(speaker: Speaker) -> bool:
    speaker.run.check()
    return not speaker.unanswered


def _registration(speaker: Speaker) -> dict[str, object]:
    name, namespace = speaker.name.split("@")
    place = {"ip": HERE, "port": speaker.port, "name": name, "namespace": namespace}
    return {**place, "ttl": 7200, "expires_in": 7000}

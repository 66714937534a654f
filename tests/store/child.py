"""A process that stores numbered messages and says what is committed, until it is killed.

    python -m tests.store.child FOLDER FIRST [LIMIT]

Each line it writes is one JSON array: what happened, and the numbers of the messages. With a limit
no file may grow beyond so many bytes until the first failure, after which there is room again; it
ends when 300 messages more are stored.
"""

import json
import resource
import sys
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults

from p2pchat.history import Bounds, StoreError
from p2pchat.store.sqlite import SqliteHistory
from tests.store.cases import ALICE, BOB, START, at, received

#: How many messages are received at once, and how many such batches are on their way to the disk.
BATCH = 7
FLIGHT = 3

#: How many messages are sent again, as a peer does that got no ACK.
REPEATED = 5


def say(what: str, *numbers: object) -> None:
    sys.stdout.write(json.dumps([what, *numbers]) + "\n")
    sys.stdout.flush()


async def store(history: SqliteHistory, first: int) -> bool:
    """Receive a batch, of which the first were received before; tell whether it went well."""
    numbers = range(max(0, first - REPEATED), first + BATCH)
    try:
        stored = await history.receive([received(number, f"text {number}") for number in numbers])
    except StoreError:
        say("failed", *range(first, first + BATCH))
        return False
    say("stored", *(number for number, known in zip(numbers, stored, strict=True) if known))
    return True


async def send(history: SqliteHistory, number: int) -> None:
    """Queue a message, and deliver every second one."""
    try:
        await history.queue(BOB, f"out {number}", f"sent {number}", at(number))
        say("queued", number)
        if number % 2:
            await history.settled(f"out {number}", "delivered")
            say("settled", number)
    except StoreError:
        say("unsent", number)


async def run(folder: str, first: int, limit: int | None) -> None:
    history = SqliteHistory(
        *(reactor, Path(folder) / "history.db", ALICE, Bounds(max_outbox_per_peer=10**6)),
        *(lambda: START, lambda level, text: say("told", level, text)),
    )
    opened = await history.open()
    say("opened", *opened.notices)
    set_limit(limit)
    left = -1
    while left:
        batches = [store(history, first + n * BATCH) for n in range(FLIGHT)]
        work = [Deferred.fromCoroutine(batch) for batch in batches]
        went_well = await gatherResults([*work, Deferred.fromCoroutine(send(history, first))])
        if all(went_well[:-1]):
            first += FLIGHT * BATCH
            left -= 1
        elif limit is not None:
            set_limit(None)
            left = 300 // (FLIGHT * BATCH)
    await history.close()
    say("closed")


def set_limit(size: int | None) -> None:
    """Let no file grow beyond so many bytes; without a size, as far as it may."""
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most if size is None else size, most))


def main(folder: str, first: str, limit: str = "") -> None:
    ended: list[Any] = []

    def begin() -> None:
        running = Deferred.fromCoroutine(run(folder, int(first), int(limit) if limit else None))
        running.addBoth(ended.append)
        running.addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(begin)
    reactor.run()
    if ended != [None]:
        sys.exit(str(ended))


if __name__ == "__main__":
    main(*sys.argv[1:])

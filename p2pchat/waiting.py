"""Waiting for something that nobody tells of."""

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

#: How often it is looked how things are, in seconds.
LOOK_INTERVAL = 0.05


async def wait_until(clock: IReactorTime, condition: Callable[[], bool], timeout: float) -> bool:
    """Look again and again; tell whether the condition came true in `timeout` seconds."""
    deadline = clock.seconds() + timeout

    def look() -> None:
        if condition() or clock.seconds() >= deadline:
            looking.stop()

    looking = LoopingCall(look)
    looking.clock = clock
    await looking.start(LOOK_INTERVAL)
    return condition()

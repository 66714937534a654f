"""What the configuration says of the history."""

from collections.abc import Callable
from datetime import datetime

from twisted.internet.interfaces import IReactorTime

from p2pchat.config import Config, own_id
from p2pchat.history import Bounds
from p2pchat.store.memory import MemoryHistory

#: How many messages a node that keeps them in memory has at the most.
MEMORY_MESSAGES = 100_000


def history_bounds(config: Config) -> Bounds:
    """Return how much of what is said a node keeps."""
    store, outbox = config.store, config.outbox
    most = MEMORY_MESSAGES if store.ephemeral else store.max_messages
    return Bounds(
        max_messages=min(store.max_messages, most),
        max_days=store.max_days,
        max_outbox=outbox.max_messages,
        max_outbox_per_peer=outbox.max_per_peer,
    )


def memory_history(
    clock: IReactorTime, config: Config, wall_clock: Callable[[], datetime]
) -> MemoryHistory:
    """Return a history that lasts as long as the node."""
    return MemoryHistory(clock, own_id(config), history_bounds(config), wall_clock)

"""Each queue whose bound is watched is seen to fill, and to be too long when it is."""

from collections.abc import Callable
from functools import partial
from operator import itemgetter
from typing import Any

from p2pchat.chat.opening import MAX_WAITING
from p2pchat.chat.outbox import MAX_LATE
from p2pchat.chat.unsettled import MAX_UNSETTLED
from tests.simulation.sabotage import SabotageCase
from tests.simulation.world import bounds, world
from tests.simulation.world.bounds import BOUNDS
from tests.simulation.world.inhabitant import Inhabitant

NAME = "queues_keep_their_bounds"

#: A life in which every queue of somebody holds something, looked at many times a second.
BUSY = sorted(
    (
        (16, "weather", 0.05, 2000, 0.3, 0.0, 0.3),
        *((16 + at / 10, "chat", 1, 1) for at in range(4)),
        (16.1, "enter", "bogus-list", 1),
        (16.5, "say", 1, 2, 60, 3000),
        *((17, "publish", 1, "*") for _ in range(30)),
        (17.5, "fill_disk", 2),
        (17.6, "say", 3, 2, 2),
        (19.5, "crash", 3),
        (20, "start", 3),
        (22, "free_disk", 2),
        *((16 + at / 75, "heal") for at in range(450)),
    ),
    key=itemgetter(0),
)


#: Queues that hold something between two turns of the reactor only, or where a disk or a program
#: of another kind fails for long; and what puts too much into each.
STUFFED: dict[str, Callable[[Inhabitant], object]] = {
    "failed letters": lambda n: bounds._sending(n)._outbox._late.update(many(MAX_LATE)),
    "ends to store": lambda n: bounds._sending(n)._unsettled._refused.update(many(MAX_UNSETTLED)),
    "messages that wait for the history to open": lambda n: setattr(
        bounds._chat(n)._router._opening, "_count", MAX_WAITING + 1
    ),
    "bytes of archives that arrive": lambda n: hold(n, bytes(1 << 20)),
    "kinds of messages owed to a peer of the archive": lambda n: [
        link._outgoing._owed.update(dict.fromkeys(range(9), bytes)) for link in bounds._links(n)
    ],
    "bytes written ahead to a peer of the archive": lambda n: [
        link.transport.write(bytes(1 << 20)) for link in bounds._links(n)
    ],
}


class BoundTests(SabotageCase):
    """The rows of `bounds.BOUNDS`."""

    def test_each_is_seen_to_hold_something(self) -> None:
        outcome = self.live(*BUSY)
        self.assertEqual(outcome.violations, [])
        empty = {bound.what for bound in BOUNDS if not outcome.fullest[bound.what]}
        self.assertLessEqual(empty, set(STUFFED))

    def test_each_is_told_to_be_too_long(self) -> None:
        """In a life in which nothing may wait."""
        nothing = tuple(bound._replace(most=lambda _: 0.5) for bound in BOUNDS)
        self.patch(bounds, "BOUNDS", nothing)
        self.patch(world, "MAX_NOTED", 100_000)
        told = {
            v.what for v in self.live(*sorted(BUSY, key=itemgetter(0))).violations if v.name == NAME
        }
        for bound in BOUNDS:
            if bound.what not in STUFFED:
                end = f" {bound.what}, 0.5 are allowed"
                self.assertTrue(any(what.endswith(end) for what in told), bound.what)

    def test_each_of_those_that_are_hardly_ever_filled(self) -> None:
        for what, stuff in STUFFED.items():
            outcome = self.live((20, "heal"), tamper=partial(self.soon, stuff))
            told = [v.what for v in outcome.violations if v.name == NAME]
            self.assertTrue(any(f" {what}, " in one for one in told), (what, told))

    def soon(self, stuff: Callable[[Inhabitant], object], node: Inhabitant) -> None:
        if node.number == 1:
            node.host.callLater(20 - node.network.clock.now, stuff, node)


def many(most: int) -> dict[Any, Any]:
    """Return one more than there may be."""
    return dict.fromkeys(range(most + 1), ("failed", ""))


def hold(node: Inhabitant, kept: bytes) -> None:
    """Hold so much of an archive that arrives."""
    link = next(iter(bounds._links(node)))
    bounds._links(node)._by_host[link.host][_Holding(link, kept)] = None


class _Holding:
    """A link that holds more than others."""

    def __init__(self, link: Any, kept: bytes) -> None:
        self._link = link
        self.kept = len(kept)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._link, name)

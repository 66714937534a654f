"""Who has to get a publication: whoever is linked when it is made, by a link that stays a while."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tests.simulation.world.inhabitant import Inhabitant
    from tests.simulation.world.world import World

#: How long a link has to stay until what was published on it must be there, in seconds: longer than
#: it takes to notice a dead one, and to send a full queue over a slow one.
STAYS = 120.0


class Expected(NamedTuple):
    """That a receiver gets a publication, made at that time, over a link of its publisher's.

    `fillings` is how often the receiver's disk had been full by then: that costs publications.
    """

    made: float
    publisher: "Inhabitant"
    receiver: "Inhabitant"
    msg_id: str
    link: tuple[str, str, str, int]
    fillings: int

    @property
    def still_has_to_come(self) -> bool:
        """Tell whether nothing has excused it since."""
        disk = self.receiver.disk
        return self.link in self.publisher.link_keys() and disk.fillings == self.fillings

    @property
    def has_come(self) -> bool:
        return bool(self.receiver.shown[str(self.publisher.peer_id), self.msg_id])


class Publications:
    """All that was published and has to come yet, in the order of publishing."""

    def __init__(self) -> None:
        self._expected: list[Expected] = []
        #: How many were judged, by whether they had come.
        self.judged = 0

    def made(self, world: "World", publisher: "Inhabitant", text: str, target: str) -> None:
        """Publish, and expect it at every node to which there is a link now."""
        publisher.missed.clear()
        links = publisher.link_keys()
        msg_id = publisher.publish(target, text)
        for link in links if msg_id else ():
            receiver = world.honest(link[0])
            if receiver is None or receiver.disk.full or link[0] in publisher.missed:
                continue
            now, fillings = world.network.clock.now, receiver.disk.fillings
            self._expected.append(Expected(now, publisher, receiver, msg_id, link, fillings))

    def due(self, before: float) -> Iterator[Expected]:
        """Take out and yield what was made before, and was not excused."""
        while self._expected and self._expected[0].made <= before:
            expected = self._expected.pop(0)
            if expected.still_has_to_come:
                self.judged += 1
                yield expected


def publications_arrive(world: "World") -> Iterator[str]:
    """A publication is shown by everybody to whom its link stays for a while."""
    yield from _missing(world, world.network.clock.now - STAYS)


def all_publications_have_arrived(world: "World") -> Iterator[str]:
    """The same of those that were made a shorter time ago, now that all is quiet."""
    yield from _missing(world, world.network.clock.now)


def _missing(world: "World", before: float) -> Iterator[str]:
    for expected in world.publications.due(before):
        if not expected.has_come:
            yield f"{expected.receiver} never showed {expected.msg_id} of {expected.publisher}"

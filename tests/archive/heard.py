"""What a framer reports of a stream that comes in pieces."""

from typing import Any

from p2pchat.archive.archive import Archive
from p2pchat.archive.codec import Framer
from p2pchat.archive.incoming import Incoming
from p2pchat.errors import RemoteProtocolError
from tests.archive.examples import split

#: The most bytes of an archive; more than any here has.
LIMIT = 1 << 20


def verify(incoming: Incoming) -> None:
    """Verify all that is here."""
    while incoming.unverified:
        incoming.verify(10_000)


def feed(incoming: Incoming, data: bytes | memoryview) -> int:
    """Let data arrive, and verify it; return how much of it was taken."""
    taken = incoming.feed(memoryview(data))
    verify(incoming)
    return taken


class Sink:
    """Keeps what comes, up to the end of the last chat."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.data = b""

    @property
    def done(self) -> bool:
        return len(split(self.data, self.count)) == self.count

    def feed(self, data: memoryview) -> int:
        for taken in range(len(data)):
            if self.done:
                return taken
            self.data += data[taken : taken + 1]
        return len(data)


class Heard:
    """Notes the messages that a framer reports, and verifies archives if it is told to."""

    def __init__(self, *, verify: bool = False) -> None:
        self.messages: list[Any] = []
        self._verify = verify

    def peer_request(self) -> None:
        self.messages.append("peer request")

    def peer_list(self, addresses: list[str]) -> None:
        self.messages.append(("peers", addresses))

    def archive_request(self) -> None:
        self.messages.append("archive request")

    def archive_begins(self, count: int) -> Any:
        self.messages.append(("begins", count))
        return Incoming(count, Archive(), LIMIT) if self._verify else Sink(count)

    def archive_ends(self, sink: Any) -> None:
        if self._verify:
            verify(sink)
            sink = sink.archive() if sink.useful else None
        self.messages.append(("ends", sink if self._verify else sink.data))

    def notification(self, text: bytes) -> None:
        self.messages.append(("notification", text))

    def identification(self, address: str) -> None:
        self.messages.append(("identification", address))


def feed_all(framer: Framer, data: bytes) -> None:
    """Let a framer take all messages of a read."""
    while data:
        data = data[framer.feed(data) :]


def heard(data: bytes, *sizes: int, accepted: bool = True, verify: bool = False) -> list[Any]:
    """Feed data in pieces of these sizes, over and over; return what was reported.

    Behind that stands an error, if there was one, and `unfinished` in the middle of a message.
    """
    listener = Heard(verify=verify)
    framer = Framer(listener, accepted=accepted)
    position = number = 0
    try:
        while position < len(data):
            size = sizes[number % len(sizes)] if sizes else len(data)
            feed_all(framer, data[position : position + size])
            position, number = position + size, number + 1
    except RemoteProtocolError as error:
        return [*listener.messages, str(error)]
    return listener.messages + ["unfinished"] * framer.in_message

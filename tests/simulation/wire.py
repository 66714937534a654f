"""What lies between two sockets: segments on their way, in order, late, cut up or held.

| segment | means                                                      |
|---------|------------------------------------------------------------|
| SYN     | may I connect?                                             |
| SYN-ACK | yes                                                        |
| ACK     | the dialler is connected; or that many bytes were read     |
| DATA    | bytes                                                      |
| FIN     | no more data from here                                     |
| RST     | this connection does not exist (any more)                  |
"""

import zlib
from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING

from p2pchat.text import visible

if TYPE_CHECKING:
    from tests.simulation.connection import StreamSocket
    from tests.simulation.network import Network

GIVE_UP_AFTER = 924.6
"""Seconds until a sender without any answer gives up; what Linux does with tcp_retries2 = 15."""

LONGEST_SHOWN = 300
"""Bytes of a segment that the log shows."""

ARCHIVE_MESSAGES = {
    1: "PeerRequest",
    2: "PeerList",
    3: "ArchiveRequest",
    4: "ArchiveResponse",
    5: "Notification",
}


class Kind(StrEnum):
    """What a segment says."""

    SYN = "SYN"
    SYN_ACK = "SYN-ACK"
    ACK = "ACK"
    DATA = "DATA"
    FIN = "FIN"
    RST = "RST"


@dataclass(slots=True, eq=False)
class Segment:
    """One piece of one direction of a connection.

    It arrives at its time, but never before what was sent earlier. `read_bytes` counts what an ACK
    acknowledges. The receiver is not told of a segment that is `held_back` before the next one is
    there too: both arrive in one read.
    """

    kind: Kind
    arrival: float
    data: bytes = b""
    read_bytes: int = 0
    held_back: bool = False

    def __str__(self) -> str:
        if self.kind is Kind.DATA:
            return f"DATA {len(self.data)} {zlib.crc32(self.data):08x} {readable(self.data)}"
        return self.kind.value


class Stream:
    """One direction of a connection.

    While its ends are partitioned it stalls: nothing arrives, nothing is lost. Healed, everything
    goes on in order, as after TCP's retransmission. A stream that stalled for GIVE_UP_AFTER fails
    its sender with a timeout.
    """

    def __init__(self, network: "Network", source: "StreamSocket", target: "StreamSocket") -> None:
        self._network = network
        self._clock = network.clock
        self._random = network.random
        self._source = source
        self._target = target
        self._local = source.machine is target.machine
        self._in_flight: deque[Segment] = deque()
        self._scheduled = False
        self._stalled_since: float | None = None
        self._free_at = 0.0
        self._black_hole = False

    def send(self, kind: Kind, data: bytes = b"", read_bytes: int = 0) -> None:
        """Put one segment on its way, behind all that were sent before."""
        conditions = self._network.conditions
        low, high = conditions.loopback_latency if self._local else conditions.latency
        arrival = self._sent_at(len(data)) + self._random.uniform(low, high)
        self._in_flight.append(Segment(kind, arrival, data, read_bytes))
        if not self._scheduled:
            self._schedule(arrival)

    def send_data(self, data: bytes) -> None:
        """Put the bytes of one write on their way, as the weather has it."""
        chunking = self._network.conditions.chunking
        if chunking and self._in_flight and self._random.random() < chunking:
            last = self._in_flight[-1]
            last.held_back = last.kind is Kind.DATA
        if chunking and self._random.random() < chunking:
            for piece in cut_up(data, self._random):
                self.send(Kind.DATA, piece)
        else:
            self.send(Kind.DATA, data)

    def reset(self) -> None:
        """Lose some of what is in flight, from a random place on, and send RST behind the rest."""
        self._network.broken.add(frozenset((self._source.machine.ip, self._target.machine.ip)))
        for _ in range(self._random.randint(0, len(self._in_flight))):
            self._in_flight.pop()
        self.send(Kind.RST)

    def lose_everything(self) -> None:
        """Let nothing arrive any more, whatever becomes of the network."""
        self._black_hole = True
        self._in_flight.clear()

    def resume(self) -> None:
        """Go on after a partition, unless the sender is gone: then nobody retransmits its data."""
        if self._black_hole:
            return
        self._stalled_since = None
        self._scheduled = False
        if self._source.vanished:
            self._in_flight = deque(one for one in self._in_flight if one.kind is Kind.RST)
        if self._in_flight:
            low, high = self._network.conditions.retransmission
            self._schedule(self._clock.now + self._random.uniform(low, high))

    def _sent_at(self, size: int) -> float:
        """Return when the last of so many bytes is on the wire, behind what is sent already."""
        bandwidth = self._network.conditions.bandwidth
        self._free_at = max(self._free_at, self._clock.now)
        if bandwidth is not None and size and not self._local:
            self._free_at += size / self._random.uniform(*bandwidth)
        return self._free_at

    def _schedule(self, time: float) -> None:
        self._scheduled = True
        self._clock.call_at(time, self._arrive)

    def _arrive(self) -> None:
        self._scheduled = False
        if not self._passes():
            self._stall()
            return
        if self._in_flight and self._in_flight[0].arrival <= self._clock.now:
            self._deliver(self._in_flight.popleft())
        if self._in_flight and not self._scheduled:
            self._schedule(self._in_flight[0].arrival)

    def _passes(self) -> bool:
        ends = self._source.machine.ip, self._target.machine.ip
        return not self._black_hole and self._network.reachable(*ends)

    def _deliver(self, segment: Segment) -> None:
        if self._network.tracing:
            self._network.trace(f"{self._source.name} > {self._target.name} {segment}")
        self._target.arrived(segment)

    def _stall(self) -> None:
        self._scheduled = True  # by the end of the partition
        self._stalled_since = self._clock.now
        self._network.stalled.append(self)
        self._clock.call_at(self._clock.now + GIVE_UP_AFTER, self._give_up, self._clock.now)

    def _give_up(self, stalled_since: float) -> None:
        if self._stalled_since == stalled_since:
            self._source.time_out()


def readable(data: bytes) -> str:
    """Return bytes as somebody reads them who looks for what was said: on one line, not all of it.

    Lines of text are told from the archive's messages, whose type is put in front (section 3 of
    docs/protocols.md); a segment may begin in the middle of either.
    """
    shown = data[:LONGEST_SHOWN].decode("utf-8", "backslashreplace")
    told = visible(shown.replace("\n", " | ")) + ("..." if len(data) > LONGEST_SHOWN else "")
    kind = ARCHIVE_MESSAGES.get(data[0]) if data else None
    return f"{kind} {told}" if kind else told


def cut_up(data: bytes, random: Random) -> list[bytes]:
    """Cut data at any places into two to four pieces, or, if it is short, now and then into bytes.

    Joined, the pieces are the data; none is empty.
    """
    if len(data) <= 64 and random.random() < 0.1:
        return [data[at : at + 1] for at in range(len(data))]
    places = {random.randint(0, len(data)) for _ in range(random.randint(1, 3))}
    cuts = [0, *sorted(places - {0, len(data)}), len(data)]
    return [data[start:end] for start, end in pairwise(cuts)]

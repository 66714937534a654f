"""How the simulated network and its machines behave at the moment."""

from dataclasses import dataclass

Range = tuple[float, float]


@dataclass(slots=True)
class Conditions:
    """May be changed at any moment while the network runs; ranges are in seconds, drawn evenly."""

    latency: Range = (0.001, 0.030)
    """One way, for each segment; what is sent later on a connection never arrives earlier."""

    loopback_latency: Range = (0.000_01, 0.000_1)
    """The same between two sockets of one machine."""

    bandwidth: Range | None = None
    """Bytes a second of each direction of a connection between two machines, drawn for each
    segment; None: as many as there are."""

    chunking: float = 0.3
    """Probability that a write arrives cut in pieces, and that it arrives in one read with the
    write before it, if that is still on its way."""

    resets: float = 0.0
    """Probability, for each piece of data that is sent, that the connection is reset instead."""

    thread_time: Range = (0.0, 0.001)
    """What a call in a thread takes."""

    retransmission: Range = (0.2, 1.0)
    """How long after the end of a partition a held connection moves again."""

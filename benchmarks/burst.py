"""A burst of SENDs over one link: how fast are they acknowledged?"""

import statistics
import uuid
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from benchmarks.figures import Baseline, BenchmarkError, Figure, ratio_at_least
from benchmarks.linux import cpu_seconds, wait_until_idle
from benchmarks.processes import Server, bare, node
from benchmarks.raw_peer import RawPeer
from p2pchat.chat.codec import encode
from p2pchat.chat.messages import Ack, Send

MESSAGES = 5000
ROUNDS = 11
WANTED_RATIO = 1 / 3

_decode_ack = msgspec.json.Decoder(Ack).decode


class Rate(NamedTuple):
    """ACKs a second of a clock, and a second of the server's processor time until the last ACK."""

    wall: float
    cpu: float


def burst(server: Server) -> Rate:
    """Write MESSAGES SENDs at once over a new link to an idle server, and check the ACKs.

    Raises BenchmarkError unless there is one for each SEND, in their order, and nothing else.
    """
    wait_until_idle(server.pid)
    peer = RawPeer(server.port)
    msg_ids = [str(uuid.uuid4()) for _ in range(MESSAGES)]
    lines = b"".join(
        encode(Send(msg_id, peer.peer_id, "alice@CIC", f"message number {number} of a burst"))
        for number, msg_id in enumerate(msg_ids)
    )
    used = cpu_seconds(server.pid)
    seconds, answers = peer.burst(lines, MESSAGES)
    used = cpu_seconds(server.pid) - used
    if [_decode_ack(line).msg_id for line in answers.splitlines()] != msg_ids:
        raise BenchmarkError("the ACKs are not those of the SENDs, in order")
    peer.close()
    return Rate(MESSAGES / seconds, MESSAGES / used)


def measure() -> list[Figure]:
    """Measure rounds by turns, after one of each that does not count; report the middle ones."""
    with bare() as baseline, node("alice") as alice:
        rounds = [(burst(alice), burst(baseline)) for _ in range(ROUNDS + 1)][1:]
        wait_until_idle(alice.pid)
        _check_printed(alice, (ROUNDS + 1) * MESSAGES)
    ours, theirs = (_middle(rates) for rates in zip(*rounds, strict=True))
    name = f"burst of {MESSAGES:,} SENDs"
    return [
        Figure(
            f"{name}: rate of ACKs",
            "1/s",
            ours.wall,
            Baseline("bare server", theirs.wall),
            ratio_at_least(WANTED_RATIO),
        ),
        Figure(f"{name}: by CPU time", "1/s", ours.cpu, Baseline("bare server", theirs.cpu)),
    ]


def _middle(rates: Iterable[Rate]) -> Rate:
    return Rate(*(statistics.median(column) for column in zip(*rates, strict=True)))


def _check_printed(server: Server, wanted: int) -> None:
    """Make sure that the node has not only acknowledged the messages, but also shown them."""
    printed = server.count("message")
    if printed != wanted:
        raise BenchmarkError(f"{printed} messages were printed, of {wanted}")

"""A burst of SENDs over one link: ACKs a second, against a bare server of the same lines."""

import socket
import statistics
import threading
import time
import uuid

from benchmarks.processes import bare, node
from p2pchat.chat.codec import encode
from p2pchat.chat.messages import Hello, Send

MESSAGES = 5000
ROUNDS = 7
TIMEOUT = 20


def burst(port: int) -> float:
    """Write MESSAGES SENDs at once over a new link; return ACKs a second, in order and complete."""
    me = f"raw-{uuid.uuid4().hex[:8]}@CIC"
    ids = [str(uuid.uuid4()) for _ in range(MESSAGES)]
    lines = b"".join(
        encode(Send(msg_id, me, "alice@CIC", f"message number {number} of a burst"))
        for number, msg_id in enumerate(ids)
    )
    with socket.create_connection(("127.0.0.1", port)) as link:
        link.sendall(encode(Hello(me, agent="raw")))
        _read_lines(link, 1)
        seconds, answers = _exchange(link, lines)
    acks = [line for line in answers.split(b"\n") if b'"ACK"' in line]
    assert [msg_id.encode() in ack for msg_id, ack in zip(ids, acks, strict=True)].count(False) == 0
    return MESSAGES / seconds


def _exchange(link: socket.socket, lines: bytes) -> tuple[float, bytes]:
    """Write all lines while reading the answers; return the seconds until the last ACK.

    Writing has a thread of its own, and both only wait in system calls: the client is cheap.
    """
    link.settimeout(TIMEOUT)
    answers = bytearray()
    writer = threading.Thread(target=link.sendall, args=(lines,))
    started = time.perf_counter()
    writer.start()
    lines_read = 0
    while lines_read < MESSAGES or answers.count(b'"ACK"') < MESSAGES:
        data = link.recv(1 << 20)
        assert data, "the server closed the link"
        lines_read += data.count(b"\n")
        answers += data
    seconds = time.perf_counter() - started
    writer.join()
    return seconds, bytes(answers)


def _read_lines(link: socket.socket, count: int) -> None:
    seen = 0
    while seen < count:
        seen += link.recv(65536).count(b"\n")


def measure() -> tuple[float, float]:
    """Return ACKs a second of a node and of the bare server: the middle of ROUNDS each."""
    with bare() as baseline, node("alice") as alice:
        rates = [(burst(alice.port), burst(baseline.port)) for _ in range(ROUNDS)]
    return statistics.median(rate for rate, _ in rates), statistics.median(
        rate for _, rate in rates
    )


if __name__ == "__main__":
    ours, theirs = measure()
    print(
        f"burst of {MESSAGES} SENDs: {ours:,.0f} ACKs/s, bare server {theirs:,.0f} ACKs/s, "
        f"ratio {ours / theirs:.2f} (wanted: 0.33)"
    )

"""Is the other side still there, and how far away: PING, PONG and round trip times."""

from array import array
from statistics import fmean, quantiles

from p2pchat.api import RttInfo

#: A link is dead when this many PINGs in a row have no answer.
MAX_UNANSWERED = 2

#: How many round trips are kept for one peer.
RTT_SAMPLES = 1000


class KeepAlive:
    """The PINGs of one link; times in seconds."""

    def __init__(self) -> None:
        self.unanswered = 0
        self._sent: dict[str, float] = {}

    @property
    def dead(self) -> bool:
        return self.unanswered >= MAX_UNANSWERED

    @property
    def waiting(self) -> bool:
        """Tell whether a PING still waits to be written."""
        return 0.0 in self._sent.values()

    def pinged(self, msg_id: str) -> None:
        """Note a PING that was queued; it counts as unanswered even if it can't be written."""
        self.unanswered += 1
        self._sent[msg_id] = 0.0
        while len(self._sent) > MAX_UNANSWERED * 2:
            del self._sent[next(iter(self._sent))]

    def excuse(self) -> None:
        """Count anew: we did not read, so that no answer could come."""
        self.unanswered = 0

    def written(self, msg_id: str, now: float) -> None:
        """Note when a PING went out, so that waiting in our own queue is not measured."""
        if msg_id in self._sent:
            self._sent[msg_id] = now

    def ponged(self, msg_id: str, now: float) -> float | None:
        """Return the round trip in seconds, or None for a PONG to no PING of ours."""
        sent = self._sent.pop(msg_id, None)
        if sent is None:
            return None
        self.unanswered = 0
        return now - sent


class RttStats:
    """Round trips with one peer: of all the count, of the newest RTT_SAMPLES the rest."""

    def __init__(self) -> None:
        self._count = 0
        # numbers and no objects: a node knows many peers, and this is most of what it keeps of each
        self._samples = array("d")

    def add(self, seconds: float) -> None:
        if self._count < RTT_SAMPLES:
            self._samples.append(seconds * 1000)
        else:
            self._samples[self._count % RTT_SAMPLES] = seconds * 1000
        self._count += 1

    def info(self) -> RttInfo:
        if not self._samples:
            return RttInfo(0)
        cuts = (
            quantiles(self._samples, n=20, method="inclusive") if len(self._samples) > 1 else None
        )
        last = self._samples[(self._count - 1) % RTT_SAMPLES]
        return RttInfo(
            count=self._count,
            last=last,
            mean=fmean(self._samples),
            p50=cuts[9] if cuts else last,
            p95=cuts[18] if cuts else last,
        )

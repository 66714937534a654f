"""Log lines about what peers say and do, one a second of each peer: a peer can say a lot."""

from collections import OrderedDict

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

#: Seconds from one line on a peer to the next.
PAUSE = 1.0

#: Peers remembered; the one whose last line is the oldest is forgotten.
MAX_PEERS = 1000


class Remarks:
    """Lines of one kind; those that are left out are counted."""

    log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._last: OrderedDict[str, tuple[float, int]] = OrderedDict()  # when, left out since

    def write(self, host: str, text: str) -> None:
        """Log a line about a peer, unless there was one a moment ago."""
        now = self._clock.seconds()
        last, left_out = self._last.get(host, (now - PAUSE, 0))
        if now < last + PAUSE:
            self._last[host] = (last, left_out + 1)
            return
        more = f" ({left_out} more were left out)" if left_out else ""
        self.log.info("[Archive] {host} {text}{more}", host=host, text=text, more=more)
        self._last[host] = (now, 0)
        self._last.move_to_end(host)
        if len(self._last) > MAX_PEERS:
            self._last.popitem(last=False)

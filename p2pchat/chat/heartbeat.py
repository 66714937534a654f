"""The heartbeat of one link: a PING now and then, and an end to the link if none is answered."""

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from p2pchat.chat.keepalive import KeepAlive
from p2pchat.chat.link import Ending, Link, LinkSettings
from p2pchat.chat.messages import Ping, new_id
from p2pchat.chat.outbound import Outbound


class Heartbeat:
    """Has a link send a PING every `ping_interval` seconds, the first one at once (2.6)."""

    log = Logger()

    def __init__(
        self, clock: IReactorTime, settings: LinkSettings, outbound: Outbound, link: Link
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._outbound = outbound
        self._link = link
        self._keepalive = KeepAlive()
        self._beating = LoopingCall(self._beat)
        self._beating.clock = clock

    @property
    def waiting(self) -> bool:
        """Tell whether a PING still waits to be written."""
        return self._keepalive.waiting

    def start(self) -> None:
        """Begin: the handshake is done."""
        self._beating.start(self._settings.ping_interval).addErrback(
            lambda failure: self.log.failure("keep-alive stopped", failure)
        )

    def stop(self) -> None:
        """The link is gone."""
        if self._beating.running:
            self._beating.stop()

    def queue_ping(self) -> None:
        """Queue a PING before everything else."""
        ping = Ping(new_id(self._settings.rng), self._settings.timestamp())
        self._keepalive.pinged(ping.msg_id)
        self._outbound.put_first(ping)

    def written(self, ping: Ping, now: float) -> None:
        """Note when a PING went out."""
        self._keepalive.written(ping.msg_id, now)

    def ponged(self, msg_id: str) -> float | None:
        """Return the round trip in seconds, or None for a PONG to no PING of ours."""
        return self._keepalive.ponged(msg_id, self._clock.seconds())

    def _beat(self) -> None:
        if not self._link.talking:
            return
        if self._link.paused:
            self._keepalive.excuse()
            if self._outbound.replies:
                return  # they are a sign of life, and would have to wait for the PONG
        if self._keepalive.dead:
            self._link.leave(Ending.DEAD, "no answer to two PINGs")
        else:
            self._link.ping()

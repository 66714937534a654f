"""A rendezvous server: its connections, within limits, and who is in at the moment.

See docs/protocols.md, section 1; `connection.py` is one connection.
"""

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import ServerFactory
from twisted.logger import Logger

from p2pchat.rendezvous import replies
from p2pchat.rendezvous.answering import Answer, Asker, answer, at_once
from p2pchat.rendezvous.connection import RendezvousProtocol, plain
from p2pchat.rendezvous.deadlines import Deadlines
from p2pchat.rendezvous.limits import (
    DEFAULT_LIMITS,
    Limiter,
    ServerLimits,
    Verdict,
    make_limiter,
)
from p2pchat.rendezvous.messages import UNAVAILABLE
from p2pchat.rendezvous.registry import Registry
from p2pchat.rendezvous.tally import RefusalReason, Tally

__all__ = ["DEFAULT_LIMITS", "RendezvousFactory", "ServerLimits", "make_limiter"]


class RendezvousFactory(ServerFactory):
    """Takes connections for a registry, within limits; those beyond them are dropped.

    Without a `limiter` the connections of each IP to this server alone are counted. `tally` counts
    what is done, from the start on.
    """

    noisy = False
    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        registry: Registry,
        limits: ServerLimits = DEFAULT_LIMITS,
        limiter: Limiter | None = None,
    ) -> None:
        self.clock = clock
        self.registry = registry
        self.limits = limits
        self.tally = Tally()
        self.request_deadlines = self._deadlines(limits.request_time)
        self.reply_deadlines = self._deadlines(limits.reply_time)
        self.linger_deadlines = self._deadlines(limits.linger_time)
        self._open: dict[str, set[RendezvousProtocol]] = {}
        self._connections = 0
        self._leaving: Deferred[None] | None = None
        self.limiter = limiter if limiter is not None else make_limiter(clock.seconds, limits)

    @property
    def connections(self) -> int:
        """How many are open."""
        return self._connections

    def buildProtocol(self, addr: IAddress | None) -> RendezvousProtocol | None:
        return self.admit(plain(getattr(addr, "host", "")), getattr(addr, "port", 0))

    def admit(
        self, ip: str, port: int, reached: str = "", reply: bytes = b"", sent: int = 0
    ) -> RendezvousProtocol | None:
        """Take a connection of ip; None if there is no room.

        `reached` is our own address as the client knows it, if the transport does not tell. A
        `reply` is left to be sent, from `sent` on, to a request that answer_at_once() was asked.
        """
        reason = self._lack_of_room(ip)
        if reason is not None:
            self.tally.refused[reason] += 1
            self.log.debug("[Rendezvous] too many connections, {ip} turned away", ip=ip)
            return None
        protocol = RendezvousProtocol(self, ip, port, reached, reply, sent)
        self._open.setdefault(ip, set()).add(protocol)
        self._connections += 1
        self.tally.accepted += not reply
        return protocol

    @property
    def can_answer_at_once(self) -> bool:
        """Whether the registry never has to wait for anything."""
        return self.registry.at_once

    def answer_at_once(self, ip: str, data: bytes, reached: Callable[[], str]) -> bytes | None:
        """Return the reply to what ip sent with its connection; b"" if it broke us.

        None, and nothing is done or counted, if that is no whole request or not to be served: such
        a connection goes the ordinary way. `reached` tells our own address as the client knows it.
        """
        end = data.find(b"\n") + 1
        if not 0 < end <= self.limits.line_length or self._lack_of_room(ip) is not None:
            return None
        if not self.limiter.admit(ip):
            return None
        self.tally.accepted += 1
        since = self.clock.seconds()
        try:
            found = at_once(answer(self.registry, data[: end - 1], Asker(ip, reached)))
        except Exception:  # noqa: BLE001  # whatever breaks must not cost more than this answer
            self.tally.failures += 1
            self.log.failure("[Rendezvous] no answer for {ip}", ip=ip)
            return b""
        self.answered(found, since)
        return found.line

    def refusal(self, ip: str, port: int, verdict: Verdict) -> bytes:
        """Return what a connection is told that comes too often; nothing the first time."""
        if verdict.blocked_for > 0:
            self.tally.refused["blocked"] += 1
            return replies.blocked(ip, port, self.limits.rate_limit, verdict.blocked_for)
        self.tally.refused["rate_limited"] += 1
        self.log.warn("[Rendezvous] {ip} connects too often: blocked", ip=ip)
        return b""

    def answered(self, answer: Answer, since: float) -> None:
        """A request that was complete at `since` has its reply."""
        if answer.result == UNAVAILABLE:
            self.tally.unavailable += 1
        self.tally.answered(answer.kind, answer.result, self.clock.seconds() - since)

    def has_room(self, waiting: int) -> bool:
        """Tell whether one more may come while so many are not admitted yet; if not, count it."""
        room = self._connections + waiting < self.limits.max_connections and self._leaving is None
        if not room:
            self.tally.refused["full"] += 1
        return room

    def _lack_of_room(self, ip: str) -> RefusalReason | None:
        if self._connections >= self.limits.max_connections or self._leaving is not None:
            return "full"
        if len(self._open.get(ip, ())) >= self.limits.max_connections_per_ip:
            return "ip_full"
        return None

    def closed(self, protocol: RendezvousProtocol) -> None:
        """A connection is gone."""
        self._connections -= 1
        siblings = self._open[protocol.ip]
        siblings.discard(protocol)
        if not siblings:
            del self._open[protocol.ip]
        if self._leaving is not None and not self._connections and not self._leaving.called:
            self._leaving.callback(None)

    def leave(self) -> Deferred[None]:
        """Take no more requests; fires when those that have come are answered and gone.

        How long that takes is bounded by the clients' deadlines only: stop waiting by drop().
        """
        leaving = self._leaving = Deferred()
        for protocol in self._protocols():
            protocol.give_up()
        if not self._connections and not leaving.called:
            leaving.callback(None)
        return leaving

    def drop(self) -> None:
        """Hang up on whoever is still connected."""
        for protocol in self._protocols():
            protocol.transport.abortConnection()

    def stopFactory(self) -> None:  # noqa: N802  ServerFactory's name
        """Nobody listens any more: drop whoever is still connected, unless they may finish."""
        if self._leaving is None:
            self.drop()

    def _deadlines(self, seconds: float) -> Deadlines[RendezvousProtocol]:
        return Deadlines(self.clock, seconds, RendezvousProtocol.expired)

    def _protocols(self) -> list[RendezvousProtocol]:
        return [protocol for siblings in self._open.values() for protocol in siblings]

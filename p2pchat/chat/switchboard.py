"""Which links exist, to whom, and which of several stays (docs/protocols.md, 2.4, 2.7, 2.8)."""

from dataclasses import dataclass
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from p2pchat.chat.link import DUPLICATE, Closed, Ending, Link
from p2pchat.chat.peers import Peer, PeerTable, Verdict, arbitrate
from p2pchat.chat.session import Role
from p2pchat.identity import PeerId

#: How long the older of two links has to answer a PING before the newer replaces it, in seconds.
#: Shorter than the patience of a dialler that waits for our HELLO_OK meanwhile.
PROBE_TIMEOUT = 2.0

#: How long a link may stay silent while a PING to it can't be written, in seconds.
DOUBT_TIMEOUT = 5.0

#: Two links that come up within so many seconds may be of two sides that dialled at once.
SIMULTANEOUS = 5.0


class SwitchboardListener(Protocol):
    """Hears of links that came and went; a peer is up from its first link to its last."""

    def link_up(self, peer: Peer, link: Link) -> None: ...
    def link_down(self, peer: Peer, link: Link, closed: Closed) -> None: ...


@dataclass(eq=False)
class _Probe:
    """A new link that waits to learn whether an old one is alive."""

    new: Link
    old: Link
    started: float
    timeout: IDelayedCall


class Switchboard:
    """Admits links to the peers of a table."""

    def __init__(
        self, clock: IReactorTime, me: PeerId, peers: PeerTable, listener: SwitchboardListener
    ) -> None:
        self._clock = clock
        self._me = me
        self._peers = peers
        self._listener = listener
        self._probes: dict[PeerId, _Probe] = {}
        #: Since when an old link is silent that could not be asked yet.
        self._doubted: dict[PeerId, float] = {}

    def judge(self, link: Link) -> None:
        """Decide about a link whose peer has just said who it is."""
        peer = self._peer_of(link)
        verdict, old = arbitrate(self._me, peer.links, link)
        if verdict is Verdict.REPLACE_OLD and old is not None and not self._is_young(old):
            verdict = Verdict.PROBE_OLD
        if verdict is Verdict.PROBE_OLD and old is not None:
            self._probe(peer, old, link)
            return
        if verdict is Verdict.REPLACE_OLD and old is not None:
            self._dismiss(peer, old, Closed(Ending.DUPLICATE, DUPLICATE))
        self._admit(peer, link)

    def answered(self, link: Link) -> None:
        """Note that a link answered a PING."""
        probe = self._probe_of(link)
        if link.peer is not None:
            self._doubted.pop(link.peer, None)
        if probe is not None and probe.old is link:
            self._settle(probe, old_lives=True)

    def closed(self, link: Link, closed: Closed) -> None:
        """Note that a link is gone."""
        if link.peer is None:
            return
        peer = self._peers.get(link.peer)
        if peer is not None and link in peer.links:
            peer.links.remove(link)
            self._doubted.pop(peer.peer_id, None)
            self._listener.link_down(peer, link, closed)
        probe = self._probe_of(link)
        if probe is not None and probe.new is link:
            self._forget(probe)
        elif probe is not None and probe.old is link:
            self._settle(probe, old_lives=False)

    def stop(self) -> None:
        """Drop every timer."""
        for probe in list(self._probes.values()):
            self._forget(probe)

    def _is_young(self, link: Link) -> bool:
        """Tell whether a link is so new that its peer may have dialled at the same time (2.8).

        Later a second link is not the other half of dialling at once, but maybe somebody else.
        """
        since = link.established_at
        return since is None or self._clock.seconds() - since < SIMULTANEOUS

    def _peer_of(self, link: Link) -> Peer:
        assert link.peer is not None
        return self._peers.meet(link.peer, self._clock.seconds())

    def _probe_of(self, link: Link) -> _Probe | None:
        return self._probes.get(link.peer) if link.peer is not None else None

    def _admit(self, peer: Peer, link: Link) -> None:
        peer.links.append(link)
        link.accept(peer.habits)
        self._listener.link_up(peer, link)

    def _dismiss(self, peer: Peer, link: Link, closed: Closed) -> None:
        """Part with a link before another one takes its place, and all that it carried."""
        if link in peer.links:
            peer.links.remove(link)
            self._listener.link_down(peer, link, closed)
        link.leave(closed.ending, closed.reason)

    def _refuse(self, link: Link) -> None:
        if link.role is Role.LISTENER:
            link.refuse(Ending.DUPLICATE, DUPLICATE)
        else:
            link.leave(Ending.DUPLICATE, DUPLICATE)

    def _probe(self, peer: Peer, old: Link, new: Link) -> None:
        if peer.peer_id in self._probes:
            self._refuse(new)
            return
        timeout = self._clock.callLater(PROBE_TIMEOUT, self._probe_expired, peer.peer_id)
        self._probes[peer.peer_id] = _Probe(new, old, self._clock.seconds(), timeout)
        old.ping()

    def _probe_expired(self, peer_id: PeerId) -> None:
        probe = self._probes[peer_id]
        self._settle(probe, old_lives=self._may_live(probe))

    def _may_live(self, probe: _Probe) -> bool:
        """Judge an old link that has not answered: no answer counts only if it could have come."""
        old, new = probe.old, probe.new
        if old.heard_at > probe.started or old.paused:
            return True
        if old.modern or not old.ping_waits or new.peer is None:
            return False
        # the PING waits behind a message without an answer yet: its peer is dead or slow, and
        # whoever comes again later finds out
        doubted = self._doubted.get(new.peer)
        if doubted is None or old.heard_at > doubted:
            self._doubted[new.peer] = probe.started
            return True
        return self._clock.seconds() - doubted < DOUBT_TIMEOUT

    def _settle(self, probe: _Probe, old_lives: bool) -> None:
        self._forget(probe)
        if old_lives:
            self._refuse(probe.new)
            return
        peer = self._peer_of(probe.new)
        self._dismiss(peer, probe.old, Closed(Ending.DEAD, "no answer to a PING"))
        if not probe.new.ended:
            self._admit(peer, probe.new)

    def _forget(self, probe: _Probe) -> None:
        if probe.timeout.active():
            probe.timeout.cancel()
        if probe.new.peer is not None:
            self._probes.pop(probe.new.peer, None)

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

    def judge(self, link: Link) -> None:
        """Decide about a link whose peer has just said who it is."""
        peer = self._peer_of(link)
        verdict, old = arbitrate(self._me, peer.links, link)
        if verdict is Verdict.PROBE_OLD and old is not None:
            self._probe(peer, old, link)
            return
        self._admit(peer, link)
        if verdict is Verdict.REPLACE_OLD and old is not None:
            self._dismiss(peer, old, Closed(Ending.DUPLICATE, DUPLICATE))

    def answered(self, link: Link) -> None:
        """Note that a link answered a PING."""
        probe = self._probe_of(link)
        if probe is not None and probe.old is link:
            self._settle(probe, old_lives=True)

    def closed(self, link: Link, closed: Closed) -> None:
        """Note that a link is gone."""
        if link.peer is None:
            return
        peer = self._peers.get(link.peer)
        if peer is not None and link in peer.links:
            peer.links.remove(link)
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

    def _peer_of(self, link: Link) -> Peer:
        assert link.peer is not None
        return self._peers.meet(link.peer, self._clock.seconds())

    def _probe_of(self, link: Link) -> _Probe | None:
        return self._probes.get(link.peer) if link.peer is not None else None

    def _admit(self, peer: Peer, link: Link) -> None:
        if link.role is Role.LISTENER:
            link.accept()
        peer.links.append(link)
        self._listener.link_up(peer, link)

    def _dismiss(self, peer: Peer, link: Link, closed: Closed) -> None:
        """Part with a link that another one replaces; what it carried moves over at once."""
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
        self._settle(probe, old_lives=probe.old.heard_at > probe.started)

    def _settle(self, probe: _Probe, old_lives: bool) -> None:
        self._forget(probe)
        if old_lives:
            self._refuse(probe.new)
            return
        peer = self._peer_of(probe.new)
        self._admit(peer, probe.new)
        self._dismiss(peer, probe.old, Closed(Ending.DEAD, "no answer to a PING"))

    def _forget(self, probe: _Probe) -> None:
        if probe.timeout.active():
            probe.timeout.cancel()
        if probe.new.peer is not None:
            self._probes.pop(probe.new.peer, None)

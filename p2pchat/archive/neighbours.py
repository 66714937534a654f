"""The peers of the archive: links, dialling, peer lists, and what their archives are worth.

Its listener has the archive; everything about who sends what to whom is here (docs/protocols.md,
3.1 to 3.9).
"""

from collections.abc import Callable
from random import Random
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from p2pchat.api import ArchiveDialInfo, ArchivePeerInfo
from p2pchat.archive.archive import Archive
from p2pchat.archive.dialer import ArchiveDialer
from p2pchat.archive.factory import ArchiveServerFactory
from p2pchat.archive.goodwill import Goodwill
from p2pchat.archive.gossip import MAX_DIALLING, Gossip
from p2pchat.archive.incoming import Incoming
from p2pchat.archive.link import Link, LinkSettings
from p2pchat.archive.links import Links
from p2pchat.archive.protocol import ArchiveProtocol
from p2pchat.archive.remarks import Remarks
from p2pchat.archive.rounds import VerifyingRounds
from p2pchat.config import Config
from p2pchat.events import ArchivePeerState, Level
from p2pchat.identity import Address
from p2pchat.text import visible

#: Seconds to wait for links to close when we leave.
LEAVE_TIMEOUT = 1.0

#: Bytes of archives that were ours that may be held in any case: a small one has room to grow, too.
OLD_ROOM = 16 * 1024 * 1024


class NeighboursListener(Protocol):
    """Has the archive, and hears of those that peers send."""

    @property
    def archive(self) -> Archive:
        """Our archive."""

    def incoming(self, count: int) -> Incoming:
        """Return what takes an archive that begins to arrive."""
        ...

    def received(self, host: str, incoming: Incoming) -> None:
        """A peer's archive is here; nothing in it is invalid."""


class NeighboursReporter(Protocol):
    """Tells the user of peers."""

    def peer_changed(
        self, host: str, state: ArchivePeerState, height: int | None, reason: str
    ) -> None:
        """A peer came or went, or is ignored for a while."""

    def notice(self, level: Level, text: str) -> None:
        """Something that the user ought to know."""


class Neighbours:
    """All links of the archive; implements LinkOwner and DialerListener."""

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        rng: Random,
        config: Config,
        bind: str,
        listener: NeighboursListener,
        reporter: NeighboursReporter,
    ) -> None:
        self._clock: IReactorTime = reactor
        self._settings = config.archive
        self._link_settings = LinkSettings(
            config.archive.progress_timeout, config.archive.max_archive_bytes
        )
        self._listener = listener
        self._reporter = reporter
        self._links = Links(config.archive.max_peers, config.archive.progress_timeout)
        self._gossip = Gossip(self._clock, self._may_dial_listed, self._dial_listed)
        self._goodwill = Goodwill()
        self._offenders: set[Link] = set()
        self._notified, self._blamed = Remarks(self._clock), Remarks(self._clock)
        self._rounds = VerifyingRounds(reactor, self._check_memory)
        self._greeted: set[str] = set()  # whose coming was reported
        self._left: Deferred[None] | None = None
        self._leaving = False
        timeout = config.archive.connect_timeout
        self._dialer = ArchiveDialer(reactor, rng, config.connection, timeout, bind, self)
        self._asking_peers = self._looping(self.request_peers)
        self._asking_archives = self._looping(self.request_archives)
        self.factory = ArchiveServerFactory(self._build_accepted)

    # What the archive's service asks

    @property
    def archive(self) -> Archive:
        return self._listener.archive

    @property
    def connecting(self) -> int:
        """How many addresses are dialled, or will be again."""
        return self._dialer.connecting

    @property
    def missing(self) -> list[ArchiveDialInfo]:
        """Whom the user named, and to whom there is no link."""
        return self._dialer.missing

    def is_ourselves(self, host: str) -> bool:
        """Tell whether a host turned out to be this node."""
        return host in self._gossip.own

    def start(self) -> None:
        """Begin to dial and to ask."""
        self._dialer.startService()
        self._repeat(self._asking_peers, self._settings.peer_request_interval)
        self._repeat(self._asking_archives, self._settings.archive_request_interval)

    async def leave(self) -> None:
        """Close all links; what was handed to their transports is still written, for a second."""
        self._leaving = True
        self._rounds.stop()
        for asking in (self._asking_peers, self._asking_archives):
            if asking.running:
                asking.stop()
        self._gossip.stop()
        self._dialer.stopService()
        for link in self._links:
            assert isinstance(link, ArchiveProtocol)
            link.leave()
        if self._links.hosts:
            self._left = Deferred()
            guard = self._clock.callLater(LEAVE_TIMEOUT, self._stop_waiting)
            await self._left
            if guard.active():
                guard.cancel()

    def dial(self, address: Address, *, persistent: bool = False) -> bool:
        """Dial a peer unless we did; persistent: for ever. Tell whether it is dialled now."""
        if address.host in self._gossip.own:
            return False
        if not persistent and (self._links.has_dialled(address.host) or not self._has_room()):
            return False
        return self._dialer.dial(address, persistent=persistent)

    def cancel(self, address: Address) -> None:
        """Dial this address no more."""
        self._dialer.cancel(address)

    def push(self) -> None:
        """Send our archive, which is another one, to every peer (3.2)."""
        self._check_outdated()
        for link in self._links.targets():
            link.push()

    def request_peers(self) -> None:
        """Ask every peer whom it knows (3.3)."""
        for link in self._links.targets():
            link.request_peers()

    def request_archives(self) -> int:
        """Ask every peer for its archive; return how many peers are asked."""
        for link in self._links.targets():
            link.request_archive()
        return len(self._links.hosts)

    def infos(self) -> list[ArchivePeerInfo]:
        """Every peer that we have a link to; who connects and says nothing is none."""
        return [self._info(host) for host in sorted(self._links.peers)]

    # Links report (LinkOwner)

    def connected(self, link: Link) -> None:
        if link.local == link.remote:
            # the system chose the dialled port to dial from; another node may listen there later
            link.drop("it is connected to itself")
            return
        twin = self._links.twin(link)
        if twin is not None:
            self._meet_ourselves(link, twin)
            return
        evicted = self._links.add(link, self._clock.seconds())
        if evicted is not None:
            self._links.remove(evicted)  # that takes no other's place before it is gone
            evicted.drop("too many links")
        if link.dialled:
            self._gossip.go_on()
        if link in self._links and self._links.is_target(link):
            link.request_peers()
            link.request_archive()
            link.push()

    def spoken(self, link: Link) -> None:
        self._links.spoken(link)
        self._gossip.reached(link.host)
        if link.host not in self._greeted and link in self._links:
            self._greeted.add(link.host)
            self._report(link.host, "connected", "")

    def disconnected(self, link: Link, reason: str) -> None:
        height = self._height(link.host)
        self._rounds.discard(link)
        self._links.remove(link)
        self._offenders.discard(link)
        self.log.debug("[Archive] {host} closed: {reason}", host=link.host, reason=reason)
        if link.host in self._greeted and not self._links.of(link.host):
            self._greeted.discard(link.host)
            if not self._leaving:
                self._reporter.peer_changed(link.host, "lost", height, reason)
        if link.dialled:
            self._push_elsewhere(link.host)
        if not self._links.hosts:
            self._stop_waiting()

    def peers_for(self, link: Link) -> list[str]:
        return self._links.listing_for(link, self._gossip.own)

    def listed(self, link: Link, addresses: list[str]) -> None:
        local = self._links.local_hosts
        new = [host for host in addresses if host not in local and not self._links.of(host)]
        self._gossip.listed(link.host, new)

    def incoming(self, link: Link, count: int) -> Incoming:
        self._links.heard(link)
        if self._ignores(link):
            return Incoming.ignored(count, self._settings.max_archive_bytes)
        return self._listener.incoming(count)

    def has_unverified(self, link: Link) -> None:
        self._rounds.add(link)

    def arrived(self, link: Link, incoming: Incoming) -> None:
        if incoming.invalid is not None:
            self._offended(link, incoming)
            return
        if incoming.useful and incoming.count > incoming.base.height:
            self._goodwill.behaved(link.host)  # one as long as ours can be sent time and again
        if incoming.useful or 0 < incoming.count == incoming.common:
            link.proven = True
        self._listener.received(link.host, incoming)

    def notified(self, link: Link, text: bytes) -> None:
        said = visible(text.decode("ascii", "backslashreplace"))
        self._notified.write(link.host, f"says: {said}")

    # The dialer reports (DialerListener)

    def build_link(self, *, identify: bool) -> ArchiveProtocol:
        return ArchiveProtocol(
            self._clock, self._link_settings, self, dialled=True, identify=identify
        )

    def given_up(self, address: Address) -> None:
        if not self._leaving:
            self._gossip.failed(address.host)

    # Within

    def _build_accepted(self) -> ArchiveProtocol:
        return ArchiveProtocol(self._clock, self._link_settings, self, dialled=False)

    def _looping(self, call: Callable[[], object]) -> LoopingCall:
        looping = LoopingCall(call)
        looping.clock = self._clock
        return looping

    def _repeat(self, looping: LoopingCall, interval: float) -> None:
        """Start, and start again if a call fails: by itself it would stop for good."""

        def failed(failure: Failure) -> None:
            self.log.failure("asking peers failed", failure)
            self._repeat(looping, interval)

        looping.start(interval, now=False).addErrback(failed)

    def _has_room(self) -> bool:
        return len(self._dialer) < self._settings.max_peers

    def _push_elsewhere(self, host: str) -> None:
        """The link that we dialled is gone, and what was under way on it may be lost."""
        for link in self._links.of(host):
            if not self._leaving and self._links.is_target(link):
                link.push()

    def _may_dial_listed(self) -> bool:
        return self._dialer.tentative < MAX_DIALLING and self._has_room()

    def _dial_listed(self, host: str) -> bool:
        return not self._links.of(host) and self.dial(Address(host, self._settings.port))

    def _meet_ourselves(self, link: Link, twin: Link) -> None:
        """Note that an address is our own: the link's other end is a link of ours."""
        dialled = link if link.dialled else twin
        self._gossip.ourselves(dialled.host)
        named = self._dialer.cancel_link(dialled)
        if named is not None:
            self._reporter.notice("info", f"{named} is this node itself; it is dialled no more")
        for end in (link, twin):
            end.drop("it is ourselves")
        self._gossip.go_on()

    def _ignores(self, link: Link) -> bool:
        """Tell whether to skip an archive; who shares an offender's address suffers little."""
        now = self._clock.seconds()
        if link.proven or not self._goodwill.paused(link.host, now):
            return False
        return link in self._offenders or not self._goodwill.hears_newcomer(link.host, now)

    def _offended(self, link: Link, incoming: Incoming) -> None:
        link.proven = False
        self._offenders.add(link)
        why = f"chat {(incoming.invalid or 0) + 1} of {incoming.count} is not valid"
        self._blamed.write(link.host, why)
        link.notify(f"archive ignored: {why}")
        pause = self._goodwill.offended(link.host, self._clock.seconds())
        if pause:
            self._report(link.host, "paused", f"{why}; ignored for {pause:.0f} s")

    def _check_memory(self, link: Link) -> None:
        """Bound what is held of archives that arrive."""
        self._links.progressed(link)
        limit = 2 * self._settings.max_archive_bytes
        while (most := self._links.too_much(limit)) is not None:
            self._evict(most, "too much is arriving at once")

    def _check_outdated(self) -> None:
        """Bound what is held of archives that were ours: each branch is a copy."""
        ours, limit = self.archive.buffer, max(2 * self._settings.max_archive_bytes, OLD_ROOM)
        while (slow := self._links.too_outdated(ours, limit)) is not None:
            self._evict(slow, "too slow, as the archive has changed too often meanwhile")

    def _evict(self, link: Link, reason: str) -> None:
        self.log.info("[Archive] {host} closed: {reason}", host=link.host, reason=reason)
        self._links.remove(link)  # what it held counts no more
        link.drop(reason)

    def _info(self, host: str) -> ArchivePeerInfo:
        links = self._links.of(host)
        return ArchivePeerInfo(
            address=host,
            directions=["out" if link.dialled else "in" for link in links],
            height=self._height(host),
            offences=self._goodwill.offences(host),
            paused=self._goodwill.paused(host, self._clock.seconds()),
        )

    def _height(self, host: str) -> int | None:
        heights = [link.height for link in self._links.of(host) if link.height is not None]
        return max(heights, default=None)

    def _report(self, host: str, state: ArchivePeerState, reason: str) -> None:
        self._reporter.peer_changed(host, state, self._height(host), reason)

    def _stop_waiting(self) -> None:
        if self._left is not None:
            left, self._left = self._left, None
            for link in self._links:
                link.drop("leaving")
            left.callback(None)

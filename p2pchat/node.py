"""The node: joins chat, rendezvous and archive, and is what front ends talk to (NodeApi)."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from random import Random
from typing import Any

from twisted.application.service import IService, MultiService
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from p2pchat import __version__
from p2pchat.api import ArchiveApi, LinkInfo, PeerInfo, RttInfo, Status
from p2pchat.archive.service import ArchiveService
from p2pchat.archive.storage import MemoryStorage, Storage
from p2pchat.chat.messages import ArchiveOffer
from p2pchat.chat.service import ChatService
from p2pchat.config import Config, own_id
from p2pchat.errors import QueueFullError, RequestError
from p2pchat.events import (
    ArchivePeerChanged,
    Event,
    HistoryOpened,
    Level,
    Listener,
    Notice,
    PeerDown,
    Ready,
)
from p2pchat.history import History, Opened, OutboxEntry, StoreError
from p2pchat.identity import Address, PeerId, is_name
from p2pchat.logs import Logs
from p2pchat.naming import resolve
from p2pchat.opening import HistoryOpening
from p2pchat.rendezvous.services import RendezvousServices
from p2pchat.store.settings import memory_history
from p2pchat.text import visible
from p2pchat.waiting import wait_until


class Node(MultiService):
    """One peer of the network.

    `any_port`: take a free port if the configured one is taken. `stop` ends the process. Without a
    `storage` the archive, without a `history` all messages last as long as the node. Everything
    outside is handed in, so that many nodes can run in one process on a simulated reactor.
    `published` counts publications of ours that were `sent` to somebody, and that `failed`: nobody
    was there.
    """

    log = Logger()

    left_over: Sequence[OutboxEntry] = ()

    def __init__(
        self,
        reactor: Any,
        rng: Random,
        wall_clock: Callable[[], datetime],
        config: Config,
        logs: Logs,
        stop: Callable[[], None],
        *,
        any_port: bool = False,
        storage: Storage | None = None,
        history: History | None = None,
    ) -> None:
        MultiService.__init__(self)
        self._me = own_id(config)
        self._reactor = reactor
        self._clock: IReactorTime = reactor
        self._wall_clock = wall_clock
        self._config = config
        self._logs = logs
        self._stop = stop
        self._any_port = any_port
        self._started = 0.0
        self.published: Counter[str] = Counter()
        self._listeners: list[Listener] = []
        self._rendezvous = RendezvousServices(reactor, rng, self._me, config, self)
        self._console: IService | None = None
        self._archive = _make_archive(reactor, rng, wall_clock, config, storage, self.report)
        if history is None:
            history = memory_history(reactor, config, wall_clock)
        self._history = history
        self._opening = HistoryOpening(reactor, self._history, self._not_opened, self._opened)
        self._chat = ChatService(
            *(reactor, rng, wall_clock, self._me, config, self._history, self.report),
            offer=self._archive_offer,
            offered=self._archive_offered,
            moved=self._rendezvous.ask_again,
        )
        self._chat.setServiceParent(self)

    # Starting and stopping

    def set_console(self, console: IService) -> None:
        """Set the front end that starts after all else and stops after all else."""
        self._console = console

    def privilegedStartService(self) -> None:
        """Open the port; StartError if it can't be had."""
        self._chat.listen(any_port=self._any_port)
        MultiService.privilegedStartService(self)

    def startService(self) -> None:
        self._started = self._clock.seconds()
        MultiService.startService(self)
        self._opening.start()
        if self._archive is not None:
            self._archive.startService()
        self._rendezvous.start(self._chat.local.port)
        if self._console is not None:
            self._console.startService()
        self._report_ready()

    def _not_opened(self, trouble: str, is_news: bool) -> None:
        if is_news:
            self.notice("error", f"the history cannot be opened: {trouble}; trying again")
        self._chat.not_opened(f"the history cannot be opened: {trouble}")

    async def _opened(self, opened: Opened) -> None:
        """Take up what an earlier run left."""
        for text in opened.notices:
            self.notice("warning", text)
        self._report_opened(opened)
        self._chat.resume(opened)
        self.history_opened()
        await self.remember_peers()
        await self._remember_archive_peers()

    def history_opened(self) -> None:
        """Do what had to wait for the history."""

    async def remember_peers(self) -> None:
        """Know the peers that the history knows, by name and where they were."""
        try:
            self._chat.remember(await self._history.peers())
        except (StoreError, QueueFullError) as error:
            self.log.warn("[Store] no peers: {error}", error=error)

    async def _remember_archive_peers(self) -> None:
        if self._archive is None:
            return
        try:
            self._archive.remember(await self._history.archive_peers())
        except (StoreError, QueueFullError) as error:
            self.log.warn("[Store] no peers of the archive: {error}", error=error)

    def _not_noted(self, failure: Failure) -> None:
        failure.trap(StoreError, QueueFullError)
        self.log.debug("[Store] a peer is not noted: {error}", error=failure.value)

    def _report_opened(self, opened: Opened) -> None:
        unread, waiting = opened.unread, len(opened.outbox)
        self.left_over = opened.outbox
        self.report(HistoryOpened(time=self._wall_clock(), unread=unread, waiting=waiting))
        self.left_over = ()

    def _report_ready(self) -> None:
        local = self._chat.local
        self.log.info("[Node] {me} listens on {local}", me=visible(self._me), local=local)
        self.report(
            Ready(time=self._wall_clock(), peer_id=self._me, host=local.host, port=local.port)
        )
        if local.port != self._config.peer.port:
            self.notice("info", f"port {self._config.peer.port} is taken; using {local.port}")

    def stopService(self) -> "Deferred[None]":
        """Leave in order: rendezvous and peers first, the console last; bounded in time."""
        return Deferred.fromCoroutine(self._stop_in_order())

    async def _stop_in_order(self) -> None:
        self.log.info("[Node] {me} is leaving", me=visible(self._me))
        leaving = self._rendezvous.stop()
        leaving.append(Deferred.fromCoroutine(self._chat.leave()))
        if self._archive is not None:
            leaving.append(Deferred.fromCoroutine(self._archive.leave()))
        await DeferredList(leaving, consumeErrors=True)
        await maybeDeferred(MultiService.stopService, self)
        await self._opening.stop()
        await self._history.close()
        if self._console is not None:
            await maybeDeferred(self._console.stopService)

    # Events

    def subscribe(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def report(self, event: Event) -> None:
        """Tell every listener; one that fails is logged and harms no other."""
        match event:
            case PeerDown():
                self._rendezvous.ask_again()
            case ArchivePeerChanged(state="connected"):
                seen = self._history.archive_peer_seen(event.address, event.time)
                seen.addErrback(self._not_noted)
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:  # noqa: BLE001  # a front end's bug must not cost a message
                self.log.failure("a front end failed on {event!r}", event=event)

    # The rendezvous wing reports (DirectoryListener)

    def discovered(self, peers: Sequence[tuple[PeerId, Address]]) -> None:
        self._chat.discovered(peers)

    def public_ips(self, ips: Sequence[str]) -> None:
        self._chat.set_public_ips(ips)

    def notice(self, level: Level, text: str) -> None:
        self.log.info("[Node] {text}", text=text)
        self.report(Notice(time=self._wall_clock(), level=level, text=text))

    # The live chat and the archive feed each other

    def _archive_offer(self) -> ArchiveOffer | None:
        offer = self._archive.offer() if self._archive is not None else None
        return ArchiveOffer(*offer) if offer is not None else None

    def _archive_offered(self, host: str, offer: ArchiveOffer) -> None:
        if self._archive is not None:
            self._archive.offered(Address(host, offer.port))

    # What front ends ask (NodeApi)

    @property
    def peer_id(self) -> PeerId:
        return self._me

    @property
    def archive(self) -> ArchiveApi:
        if self._archive is None:
            raise RequestError("this node runs without an archive (--no-archive)")
        return self._archive

    def peers(self) -> list[PeerInfo]:
        return self._chat.peer_infos()

    def links(self) -> list[LinkInfo]:
        return self._chat.link_infos()

    def round_trips(self, peer: str) -> RttInfo | None:
        """Tell how long one peer takes to answer; None if it is not known."""
        known = self._chat.find(PeerId(peer))
        return known.rtt.info() if known is not None else None

    def status(self) -> Status:
        links = self._chat.link_infos()
        return Status(
            peer_id=self._me,
            version=__version__,
            host=self._chat.local.host,
            port=self._chat.local.port,
            uptime=self._clock.seconds() - self._started,
            peers=len({link.peer_id for link in links}),
            links=len(links),
            handshakes=self._chat.handshakes,
            pending=self._chat.pending,
            rendezvous=self._rendezvous.infos(),
            log_level=self._logs.level,
            log_file=self._logs.destination,
            archive=self._archive.info() if self._archive is not None else None,
        )

    def discover(self) -> "Deferred[None]":
        return self._rendezvous.discover()

    def resolve(self, name: str) -> PeerId:
        return resolve(name, self._me, self._chat.known_ids(), self._chat.is_connected)

    def send(self, peer: PeerId, text: str) -> "Deferred[str]":
        return Deferred.fromCoroutine(self._chat.send(peer, text))

    @property
    def pending(self) -> int:
        return self._chat.pending

    def cancel(self, message: int | str) -> "Deferred[bool]":
        return Deferred.fromCoroutine(self._chat.cancel(message))

    @property
    def history(self) -> History:
        return self._history

    def publish(self, target: str, text: str) -> tuple[str, int]:
        if target != "*" and not (target.startswith("#") and is_name(target[1:])):
            raise RequestError(f"{visible(target)!r} is neither * nor #namespace")
        msg_id, count = self._chat.publish(target, text)
        self.published["sent" if count else "failed"] += 1
        return msg_id, count

    def reconnect(self) -> int:
        return self._chat.reconnect()

    def set_log_level(self, level: str) -> None:
        self._logs.set_level(level)

    def gathered(self, timeout: float) -> "Deferred[None]":
        asked: list[object] = []
        self.discover().addBoth(asked.append)
        waiting = Deferred.fromCoroutine(
            wait_until(self._clock, lambda: bool(asked) and not self._chat.dialling, timeout)
        )
        return waiting.addCallback(lambda _: None)

    def settled(self, timeout: float) -> "Deferred[bool]":
        return Deferred.fromCoroutine(wait_until(self._clock, self._is_settled, timeout))

    def _is_settled(self) -> bool:
        waiting = self._archive.waiting if self._archive is not None else 0
        return self._chat.on_the_way + waiting == 0 and not any(
            link.queued for link in self.links()
        )

    def leave(self) -> None:
        self._stop()


def _make_archive(
    reactor: Any,
    rng: Random,
    wall_clock: Callable[[], datetime],
    config: Config,
    storage: Storage | None,
    report: Listener,
) -> ArchiveService | None:
    """Return the archive, if the node has one."""
    if not config.archive.enabled:
        return None
    storage = storage if storage is not None else MemoryStorage()
    return ArchiveService(reactor, rng, wall_clock, config, storage, report)
